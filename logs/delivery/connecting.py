"""Connections of a worker to the database, apart from Django's: a worker waits on several at once, and for long."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

import psycopg
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections

_WANTED = ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "options")
# A database that is gone without a word is noticed before the leases run out.
_NOTICE_ITS_END = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}


async def connect(stack: AsyncExitStack) -> psycopg.AsyncConnection:
    """In autocommit, closed when `stack` is left; raises psycopg.Error."""
    parameters = await sync_to_async(_parameters, thread_sensitive=False)()  # may start the embedded server
    parameters |= {**_NOTICE_ITS_END, "application_name": f"cotadmin worker {os.getpid()}"}
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    return await stack.enter_async_context(connection)


def _parameters() -> dict:
    try:
        found = connections["default"].get_connection_params()
    except DatabaseError as error:
        raise psycopg.OperationalError(str(error)) from error
    return {key: found[key] for key in _WANTED if key in found}
