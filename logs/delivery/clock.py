"""The time of the database, told without asking it: a worker's own clock may be wrong, and receivers refuse other times."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psycopg


class DatabaseClock:
    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()  # until it was set for the first time

    async def set(self, connection: psycopg.AsyncConnection) -> None:
        row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
        if row:
            self._offset = row[0] - time.monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)
