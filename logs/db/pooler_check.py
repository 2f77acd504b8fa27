"""Checks for a connection pooler that cotadmin can't work through. See docs/adr/0024."""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register

from cotadmin.database import connection_parameters

CONNECTION_ATTEMPTS = 5  # another client may take the pooler's server connection in between
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
    """The problem in words for the administrator; "" if there is none. Raises psycopg.Error if the database doesn't answer."""
    parameters = connection_parameters() | {"autocommit": True}
    try:
        with psycopg.connect(**parameters) as first:
            server = _server_of(first)
            if first.info.backend_pid == server:
                return ""  # no pooler: one would report process ids of its own
            is_shared = any(_is_given_away(server, parameters) for _attempt in range(CONNECTION_ATTEMPTS))
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" in str(error):
            return NO_OPTIONS_MESSAGE
        raise
    return TRANSACTION_MODE_MESSAGE if is_shared else ""


def _is_given_away(server: int, parameters: dict[str, Any]) -> bool:
    """Whether this client gets the server process that another client has used and may use again."""
    with psycopg.connect(**parameters) as second, second.transaction():
        return _server_of(second) == server


def _server_of(connection: psycopg.Connection) -> int:
    """The id of the server process that currently serves the connection."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row
    return row[0]


@register(Tags.database)
def check_pooler(app_configs: Any = None, databases: Any = None, **options: Any) -> list[CheckMessage]:
    """`manage.py migrate` runs this check, and stops on an error."""
    if not databases:
        return []
    try:
        problem = pooler_problem()
    except psycopg.Error:
        return []  # the next query reports it better
    return [Error(problem, id="logs.E001")] if problem else []
