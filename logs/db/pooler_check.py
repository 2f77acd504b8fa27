"""Whether a connection pooler stands before the database that cotadmin cannot work through. See docs/adr/0024."""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register

from cotadmin.database import connection_parameters

CONNECTION_ATTEMPTS = 5  # another client may take the connection to the server in between
TRANSACTION_MODE_MESSAGE = (
    "DATABASE_URL points to a connection pooler that uses another connection for each "
    "transaction (pool_mode = transaction in PgBouncer). cotadmin needs persistent "
    "connections for LISTEN, settings and locks. Connect to PostgreSQL directly, or set "
    "pool_mode = session."
)
NO_OPTIONS_MESSAGE = (
    "DATABASE_URL points to a connection pooler that rejects startup parameters. Connect to "
    "PostgreSQL directly, or set pool_mode = session and ignore_startup_parameters = options "
    "in PgBouncer."
)


def pooler_problem() -> str:
    """A sentence for the person who configures it; "" where there is none. Raises psycopg.Error where nothing answers."""
    parameters = connection_parameters() | {"autocommit": True}
    try:
        with psycopg.connect(**parameters) as first:
            server = _server_of(first)
            if first.info.backend_pid == server:
                return ""  # nothing stands in between: a pooler tells its clients numbers of its own
            is_shared = any(_is_given_away(server, parameters) for _try in range(CONNECTION_ATTEMPTS))
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" in str(error):
            return NO_OPTIONS_MESSAGE
        raise
    return TRANSACTION_MODE_MESSAGE if is_shared else ""


def _is_given_away(server: int, parameters: dict[str, Any]) -> bool:
    """Whether the server's process that another client has used, and may go on with, is given to this one."""
    with psycopg.connect(**parameters) as second, second.transaction():
        return _server_of(second) == server


def _server_of(connection: psycopg.Connection) -> int:
    """The process on the server that works for it at this moment."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row
    return row[0]


@register(Tags.database)
def check_pooler(app_configs: Any = None, databases: Any = None, **options: Any) -> list[CheckMessage]:
    """`manage.py migrate` asks, and stops where this is an error."""
    if not databases:
        return []
    try:
        problem = pooler_problem()
    except psycopg.Error:
        return []  # what is asked for next says it better
    return [Error(problem, id="logs.E001")] if problem else []
