"""Counts that cost the same on a big table: exact to 10,000, then "10,000+"."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.formats import number_format

from .time_limit import TookTooLong, time_limit

LIMIT = 10_000
SECONDS = 1.0


@dataclass(frozen=True)
class Count:
    """`number` is at most LIMIT; `is_more` says that there are more. `number` None: counting took too long.

    `is_least`: so many were found before the search ended, and there may be more.
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


def bounded_count(rows: QuerySet) -> Count:
    try:
        with time_limit(SECONDS):
            number = rows.order_by().values("pk")[: LIMIT + 1].count()
    except TookTooLong:
        return Count(None)
    return Count(min(number, LIMIT), number > LIMIT)
