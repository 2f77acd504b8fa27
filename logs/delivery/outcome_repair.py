"""What to do about an outcome that the database refuses: whether it alone is meant, and what of it can be written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from django.contrib.auth import get_user_model
from psycopg import sql

if TYPE_CHECKING:
    from .outcome_writer import PendingOutcome

# Classes of SQLSTATE (PostgreSQL's manual, appendix A) that mean the connection, the server or all rows of a table: no statement
# of ours would be taken. Everything else is about what was in the statement.
_OF_THE_SERVER = ("08", "25", "28", "3D", "42", "53", "57", "58")
# Somebody else was at the same row: it is taken later.
_PASSES = ("40001", "40P01", "55P03", "57014")

_FIND = sql.SQL("""
SELECT EXISTS (SELECT FROM {users} WHERE id = %(actor)s), (
    SELECT max(number) FROM (
        SELECT number FROM logs_attempt WHERE log_id = %(log_id)s
        UNION ALL SELECT number FROM logs_variant WHERE log_id = %(log_id)s AND number <> %(number)s
    ) taken
)
""")


def is_server_error(error: Exception, connection: psycopg.AsyncConnection) -> bool:
    """Whether the database takes nothing at all at the moment."""
    if connection.closed or isinstance(error, psycopg.InterfaceError):
        return True
    if not isinstance(error, psycopg.Error) or is_transient(error):
        return False
    if error.sqlstate is None:  # of psycopg itself: of the connection, or of a value
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_OF_THE_SERVER)


def is_transient(error: Exception) -> bool:
    return isinstance(error, psycopg.Error) and error.sqlstate in _PASSES


def describe_refusal(error: Exception) -> str:
    """What was refused, without any value: PostgreSQL's own words would show what the row holds."""
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    return " ".join(filter(None, (type(error).__name__, error.sqlstate, error.diag.constraint_name)))[:200]


async def repair_references(connection: psycopg.AsyncConnection, told: PendingOutcome) -> None:
    """Whoever asked for it may be gone, and its number taken."""
    found = {"actor": told.actor, "log_id": told.delivery.log_id, "number": told.delivery.number}
    users = sql.Identifier(get_user_model()._meta.db_table)
    row = await (await connection.execute(_FIND.format(users=users), found)).fetchone()
    is_there, highest = row or (False, None)
    if not is_there:
        told.actor = None
    told.number = max(told.delivery.number, (highest or 0) + 1)


async def repair_response(_connection: psycopg.AsyncConnection, told: PendingOutcome) -> None:
    if told.outcome:
        note = "the response could not be stored"
        told.outcome = replace(told.outcome, response="", response_headers=[], note=note)
