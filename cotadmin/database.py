"""How connections to the database are opened past Django: in one place, so that every option counts for all."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connections

_PASSING = ("25006", "25P03")  # a server that has become a standby; a transaction that was ended for being idle
_OF_DJANGO = ("cursor_factory", "context")  # for Django's own cursors


def connection_parameters() -> dict[str, Any]:
    """What `psycopg.connect` needs to reach the database of `DATABASE_URL`, with all of its options.

    May start the embedded server, so it can take seconds. Raises psycopg.OperationalError.
    """
    connection = connections["default"]
    try:
        found = connection.get_connection_params()
    except DatabaseError as error:
        raise psycopg.OperationalError(str(error)) from error
    parameters = {key: value for key, value in found.items() if key not in _OF_DJANGO}
    # Django switches to this role once it is connected.
    if role := connection.settings_dict["OPTIONS"].get("assume_role"):
        add_option(parameters, "role", role)
    return parameters


def add_option(parameters: dict[str, Any], name: str, value: str) -> None:
    """A setting that holds from the connection's first statement on."""
    escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
    parameters["options"] = f"{parameters.get('options', '')} -c {name}={escaped}".strip()


def is_connection_lost(error: BaseException) -> bool:
    """Whether the database could not be reached, or ended the connection: it may be back in a moment.

    The reason is looked for among the causes of `error`: Django and Procrastinate wrap what psycopg raises.
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
    """None does not come from the server. 08: connection exceptions; 57P: shutdown, crash, starting; 53300: too many."""
    return code is None or code.startswith(("08", "57P", "53300"))


def is_unavailable(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment: the database is away, too busy, or about to hand over to another."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)):
            return True
        if isinstance(cause, psycopg.Error) and cause.sqlstate in _PASSING:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def drop_idle_connections() -> None:
    """Where one connection of the pool is broken, the others are: each would cost the next person seconds."""
    pool = connections["default"].pool  # type: ignore[attr-defined]  # of Django's PostgreSQL backend
    if pool and not pool.closed and pool.get_stats().get("pool_available"):
        pool.drain()
