"""A worker's connections to the database, and a clock that follows the database's time without a query.

The connections are separate from Django's, because a worker waits on several at once, and for long. The clock is needed because
a worker's own may be wrong, and receivers refuse a timestamp that is off.
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
        self._offset = time.time() - time.monotonic()  # until the first `set()`

    async def set(self, connection: psycopg.AsyncConnection) -> None:
        row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
        if row:
            self._offset = row[0] - time.monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)


# A worker notices a silently lost database before its leases expire.
_NOTICE_ITS_END = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}
# A worker always reads a few rows by key. PostgreSQL plans by its statistics, which may say that tables are empty or queues
# short. Then it would read whole tables, again and again, until ANALYZE corrects the statistics.
_BY_KEY = "; ".join(
    f"SET {name} TO off"
    for name in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
)


async def connect(stack: AsyncExitStack) -> psycopg.AsyncConnection:
    """Open a connection in autocommit mode, closed when `stack` exits. Raises psycopg.Error."""
    parameters = await asyncio.to_thread(_parameters)
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    await stack.enter_async_context(connection)
    await connection.execute(_BY_KEY)
    return connection


@contextmanager
def connected() -> Iterator[psycopg.Connection]:
    """Open a connection in autocommit mode, for a separate thread. Raises psycopg.Error."""
    with psycopg.connect(**_parameters(), autocommit=True) as connection:
        connection.execute(_BY_KEY)
        yield connection


def _parameters() -> dict:
    """Return the parameters of a connection. May start the embedded server."""
    return connection_parameters() | {**_NOTICE_ITS_END, "application_name": f"cotadmin worker {os.getpid()}"}
