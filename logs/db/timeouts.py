"""A time limit for queries that a person's search may make slow.

Counts that cost no more on a big table: exact up to 10,000, then "10,000+".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils.formats import number_format
from psycopg.errors import QueryCanceled


class StatementTimeout(Exception):
    """The database cancelled the query at the time limit."""


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Cancel each query inside after `seconds`; raises StatementTimeout then."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
            yield
            cursor.execute(
                "SELECT set_config('statement_timeout', '0', true)"
            )  # for an outer transaction, if there is one
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise StatementTimeout from error
        raise


COUNT_LIMIT = 10_000
COUNT_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class BoundedCount:
    """`number` is at most COUNT_LIMIT; `is_more` says that there are more. `number` is None if counting took too long.

    `is_least`: the search found this many before it ended; there may be more.
    """

    number: int | None
    is_more: bool = False
    is_least: bool = False

    def __str__(self) -> str:
        if self.number is None:
            return "?"
        shown = number_format(self.number, use_l10n=True, force_grouping=True) + ("+" if self.is_more else "")
        return f"≥ {shown}" if self.is_least else shown

    def __bool__(self) -> bool:
        return self.number != 0


def bounded_count(rows: QuerySet) -> BoundedCount:
    try:
        with statement_timeout(COUNT_TIMEOUT_SECONDS):
            number = rows.order_by().values("pk")[: COUNT_LIMIT + 1].count()
    except StatementTimeout:
        return BoundedCount(None)
    return BoundedCount(min(number, COUNT_LIMIT), number > COUNT_LIMIT)
