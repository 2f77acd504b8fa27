"""Incidents: which failures belong together, since when, and whether the receiver works again."""
