"""Figures from the rollups: how many logs of which kind, in a time, of the subscriptions that somebody may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func, QuerySet, Sum, Value

from ..models import Cell, DurationCell, Subscription
from ..models.rollup import WIDTHS
from .durations import percentile
from .spans import ORIGIN, within

TOTAL = Sum("count")


def visible_ids(user) -> list[str] | None:
    """The subscriptions that the user may see; None for a superuser, who sees all."""
    return None if user.is_superuser else list(Subscription.objects.visible_to(user).values_list("pk", flat=True))


def cells(
    start: datetime | None, end: datetime | None, subscriptions: Sequence[str] | None, widest: timedelta | None = None
) -> QuerySet[Cell]:
    """The cells of the time from start to end (multiples of 5 minutes; None: open), as few as can be.

    `cells(…).values("state").annotate(n=TOTAL)`. A sum may be 0: what was there once is not any more.
    """
    return _of(Cell.objects.filter(within(start, end, widest)), subscriptions)


def cells_by_step(
    start: datetime, end: datetime | None, step: timedelta, subscriptions: Sequence[str] | None
) -> QuerySet[Cell]:
    """The same, with `step_start`: the beginning of the step (a multiple of 5 minutes, counted by UTC) that the cell is in."""
    widest = max(width for width in map(_minutes, WIDTHS) if step % width == timedelta(0))
    binned = Func(Value(step), F("bucket"), Value(ORIGIN), function="date_bin", output_field=DateTimeField())
    return cells(start, end, subscriptions, widest).annotate(step_start=binned)


@contextmanager
def _page_by_page() -> Iterator[None]:
    """Within it many cells of one time are read as they lie, not one by one along an index: PostgreSQL takes that for the dearer
    way, and it is twice as fast.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off")
        yield


def totals_by_step(found: QuerySet) -> list[tuple[datetime, str, int]]:
    """(beginning of the step, state, how many logs) of `cells_by_step`."""
    steps = found.order_by().values_list("step_start", "state").annotate(n=TOTAL).filter(n__gt=0)
    with _page_by_page():
        return list(steps)


def totals_by(found: QuerySet[Cell], columns: Sequence[str]) -> dict[str, list[tuple[Any, int]]]:
    """For each of the columns its values, and how many logs have them, in one look at the cells. Django has no GROUPING SETS."""
    try:
        asked, parameters = found.order_by().values_list(*columns).annotate(n=TOTAL).query.sql_with_params()
    except EmptyResultSet:
        return {column: [] for column in columns}
    names = [f"column_{place}" for place in range(len(columns))]
    listed, sets = ", ".join(names), ", ".join(f"({name})" for name in names)
    which = f"array_position(ARRAY[{', '.join(f'grouping({name})' for name in names)}], 0) - 1"
    asked = f"SELECT {which}, {listed}, sum(number)::bigint FROM ({asked}) AS cell ({listed}, number)"
    totals: dict[str, list[tuple[Any, int]]] = {column: [] for column in columns}
    with connection.cursor() as cursor:
        cursor.execute(f"{asked} GROUP BY GROUPING SETS ({sets}) HAVING sum(number) > 0", parameters)
        for place, *values, total in cursor.fetchall():
            totals[columns[place]].append((values[place], total))
    return totals


def percentiles(
    start: datetime | None, end: datetime | None, subscriptions: Sequence[str] | None, by: str = ""
) -> dict[Any, float | None]:
    """The duration in ms that 95 of 100 logs did not exceed, for each value of the column `by`; without it, of "" alone."""
    found = _of(DurationCell.objects.filter(within(start, end)), subscriptions)
    counts: dict[Any, dict[int, int]] = {}
    for *key, number, count in found.values_list(*([by] if by else []), "bin").annotate(n=TOTAL).filter(n__gt=0):
        counts.setdefault(key[0] if key else "", {})[number] = count
    return {key: percentile(bins) for key, bins in counts.items()}


def _of(found: QuerySet, subscriptions: Sequence[str] | None) -> QuerySet:
    return found if subscriptions is None else found.filter(subscription__in=subscriptions)


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
