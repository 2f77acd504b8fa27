"""The time of the database, told without asking it: a worker's own clock may be wrong, and receivers refuse other times.

Connections of a worker to the database, apart from Django's: a worker waits on several at once, and for long.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime

import psycopg

from cotadmin.database import connection_parameters


class DatabaseClock:
    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()  # until it was set for the first time

    async def set(self, connection: psycopg.AsyncConnection) -> None:
        row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
        if row:
            self._offset = row[0] - time.monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)


# A database that is gone without a word is noticed before the leases run out.
_NOTICE_ITS_END = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}
# A worker asks for a few rows by their keys, always. PostgreSQL plans by what it believes about the tables, which may be that
# they are empty, or each lane short; then it would read all of them, again and again, until ANALYZE tells it otherwise.
_BY_KEY = "; ".join(
    f"SET {name} TO off"
    for name in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
)


async def connect(stack: AsyncExitStack) -> psycopg.AsyncConnection:
    """In autocommit, closed when `stack` is left; raises psycopg.Error."""
    parameters = await asyncio.to_thread(_parameters)
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    await stack.enter_async_context(connection)
    await connection.execute(_BY_KEY)
    return connection


@contextmanager
def connected() -> Iterator[psycopg.Connection]:
    """For a thread of its own; in autocommit, raises psycopg.Error."""
    with psycopg.connect(**_parameters(), autocommit=True) as connection:
        connection.execute(_BY_KEY)
        yield connection


def _parameters() -> dict:
    """May start the embedded server."""
    return connection_parameters() | {**_NOTICE_ITS_END, "application_name": f"cotadmin worker {os.getpid()}"}
