"""Bulk redeliveries: selecting logs, the plan, the start, putting logs into their queues, and the results."""
