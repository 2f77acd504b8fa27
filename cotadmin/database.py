"""Opens database connections outside Django, in one place, so that every option applies to all of them."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connections

_TEMPORARY = ("25006", "25P03")  # the server became a standby; it ended an idle transaction
_OF_DJANGO = ("cursor_factory", "context")  # for Django's own cursors


def connection_parameters() -> dict[str, Any]:
    """The arguments for `psycopg.connect` to reach the database of `DATABASE_URL`, with all of its options.

    May start the embedded server, so it can take seconds. Raises psycopg.OperationalError.
    """
    connection = connections["default"]
    try:
        params = connection.get_connection_params()
    except DatabaseError as error:
        raise psycopg.OperationalError(str(error)) from error
    parameters = {key: value for key, value in params.items() if key not in _OF_DJANGO}
    # Django switches to this role once it is connected.
    if role := connection.settings_dict["OPTIONS"].get("assume_role"):
        add_option(parameters, "role", role)
    return parameters


def add_option(parameters: dict[str, Any], name: str, value: str) -> None:
    """Add a setting that applies from the connection's first statement on."""
    escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
    parameters["options"] = f"{parameters.get('options', '')} -c {name}={escaped}".strip()


def is_connection_lost(error: BaseException) -> bool:
    """Whether the database was unreachable or ended the connection: it may be back in a moment.

    Looks through the causes of `error`, because Django and Procrastinate wrap psycopg's errors.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.InterfaceError):
            return True
        if isinstance(cause, psycopg.OperationalError):
            return _is_of_connection(cause.sqlstate)
        cause = cause.__cause__
    return isinstance(error, (InterfaceError, OperationalError))  # the embedded server did not start


def _is_of_connection(code: str | None) -> bool:
    """None: the error is not from the server. 08: connection exceptions; 57P: shutdown, crash, startup;
    53300: too many connections."""
    return code is None or code.startswith(("08", "57P", "53300"))


def is_unavailable(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment: the database is down, too busy, or failing over to another server."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)):
            return True
        if isinstance(cause, psycopg.Error) and cause.sqlstate in _TEMPORARY:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def drop_idle_connections() -> None:
    """If one connection of the pool is broken, so are the others, and each would cost the next person seconds."""
    pool = connections["default"].pool  # type: ignore[attr-defined]  # of Django's PostgreSQL backend
    if pool and not pool.closed and pool.get_stats().get("pool_available"):
        pool.drain()
