"""Re-delivery runs: which logs, the plan, the start, feeding them to the lanes, and the ledger."""
