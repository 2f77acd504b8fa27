"""Handles an outcome that the database refuses: whether that outcome is at fault, and what of it can be written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from django.contrib.auth import get_user_model
from psycopg import sql

if TYPE_CHECKING:
    from .outcome_writer import PendingOutcome

# SQLSTATE classes (PostgreSQL's manual, appendix A) about the connection, the server or all rows of a table: it would refuse
# every statement of ours. All other classes are about the data in the statement.
_OF_THE_SERVER = ("08", "25", "28", "3D", "42", "53", "57", "58")
# Another transaction was at the same row: the statement succeeds later.
_PASSES = ("40001", "40P01", "55P03", "57014")

_FIND = sql.SQL("""
SELECT EXISTS (SELECT FROM {users} WHERE id = %(actor)s), (
    SELECT max(number) FROM (
        SELECT number FROM logs_attempt WHERE log_id = %(log_id)s
        UNION ALL SELECT number FROM logs_redeliveryoverride WHERE log_id = %(log_id)s AND number <> %(number)s
    ) taken
)
""")


def is_server_error(error: Exception, connection: psycopg.AsyncConnection) -> bool:
    """Whether the database refuses everything at the moment."""
    if connection.closed or isinstance(error, psycopg.InterfaceError):
        return True
    if not isinstance(error, psycopg.Error) or is_transient(error):
        return False
    if error.sqlstate is None:  # raised by psycopg itself, about the connection or a value
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_OF_THE_SERVER)


def is_transient(error: Exception) -> bool:
    return isinstance(error, psycopg.Error) and error.sqlstate in _PASSES


def describe_refusal(error: Exception) -> str:
    """Describe the refusal without any value: PostgreSQL's own message would show what the row holds."""
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    return " ".join(filter(None, (type(error).__name__, error.sqlstate, error.diag.constraint_name)))[:200]


async def repair_references(connection: psycopg.AsyncConnection, pending: PendingOutcome) -> None:
    """Fix references that broke meanwhile: the requester may be deleted, and the attempt's number taken."""
    parameters = {"actor": pending.actor, "log_id": pending.delivery.log_id, "number": pending.delivery.number}
    users = sql.Identifier(get_user_model()._meta.db_table)
    row = await (await connection.execute(_FIND.format(users=users), parameters)).fetchone()
    is_there, highest = row or (False, None)
    if not is_there:
        pending.actor = None
    pending.number = max(pending.delivery.number, (highest or 0) + 1)


async def repair_response(_connection: psycopg.AsyncConnection, pending: PendingOutcome) -> None:
    if pending.outcome:
        note = "the response could not be stored"
        pending.outcome = replace(pending.outcome, response="", response_headers=[], note=note)
