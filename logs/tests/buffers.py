"""How much of the database a statement of the worker reads: pages, which are the same on every machine, and no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logs.delivery.database import connected


def buffers_of(statement: str, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """The pages that it reads, as a worker's connection plans it, and the rows that it finds."""
    with connected() as connection:
        [[[explained]]] = connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters
        ).fetchall()
    plan = explained["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], int(plan["Actual Rows"])
