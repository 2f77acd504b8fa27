"""A limit on the time of queries that a person may make slow by what they search for."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class TookTooLong(Exception):
    """The database gave up at the limit."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Queries inside are cancelled after `seconds` each; raises TookTooLong then."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
            yield
            cursor.execute(
                "SELECT set_config('statement_timeout', '0', true)"
            )  # for an outer transaction, if there is one
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
