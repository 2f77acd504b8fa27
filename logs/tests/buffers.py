"""How much of the database is read: pages or rows, which are the same on every machine, and no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection

from logs.delivery.database import connected


def buffers_of(statement: str, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """The pages that the statement reads in a worker's connection, and the rows that it finds."""
    with connected() as worker:
        [[[explained]]] = worker.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters).fetchall()
    plan = explained["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], int(plan["Actual Rows"])


def rows_read() -> int:
    """How many rows of the table of logs this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'logs_webhooklog'"
        )
        return cursor.fetchone()[0]
