"""Figures from the rollups: how many logs of which kind, in a time, of the subscriptions that somebody may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import DateTimeField, F, Func, Q, QuerySet, Sum, Value

from ..models import Cell, CellOfAll, DurationCell, Subscription
from ..models.rollup import WIDTHS
from .durations import percentile
from .spans import ORIGIN, within

TOTAL = Sum("count")
# Many cells of one time are read as they lie, not one by one along an index: PostgreSQL takes that for the dearer way, and it is
# twice as fast. Both statements go out together, and are one transaction.
_PAGE_BY_PAGE = "SET LOCAL enable_indexscan = off"


def visible_ids(user) -> list[str] | None:
    """The subscriptions that the user may see; None for a superuser, who sees all."""
    return None if user.is_superuser else list(Subscription.objects.visible_to(user).values_list("pk", flat=True))


def cells(
    start: datetime | None,
    end: datetime | None,
    subscriptions: Sequence[str] | None,
    widest: timedelta | None = None,
    kind: Q = Q(),  # noqa: B008  # nobody changes it
) -> QuerySet[Cell]:
    """The cells of the time from start to end (multiples of 5 minutes; None: open), as few as can be.

    `cells(…).values("state").annotate(n=TOTAL)`. A sum may be 0: what was there once is not any more. The kind is asked about
    before the time: it mostly leaves fewer.
    """
    return _of(Cell.objects.filter(kind, within(start, end, widest)), subscriptions)


def cells_of_all(
    start: datetime | None,
    end: datetime | None,
    widest: timedelta | None = None,
    kind: Q = Q(),  # noqa: B008
) -> QuerySet[CellOfAll]:
    """The same of all subscriptions together. The kind must not tell of any."""
    return CellOfAll.objects.filter(kind, within(start, end, widest))


def cells_by_step(
    start: datetime,
    end: datetime | None,
    step: timedelta,
    subscriptions: Sequence[str] | None,
) -> QuerySet[Cell]:
    """The same, with `step_start`: the beginning of the step (a multiple of 5 minutes, counted by UTC) that the cell is in."""
    binned = Func(Value(step), F("bucket"), Value(ORIGIN), function="date_bin", output_field=DateTimeField())
    return cells(start, end, subscriptions, widest_in(step)).annotate(step_start=binned)


def totals_by_step(found: QuerySet[Any], step: timedelta) -> list[tuple[datetime, str, int]]:
    """(beginning of the step, state, how many logs) of cells none of which is wider than `widest_in(step)`."""
    # Added up by bucket first: to tell the step of each cell takes longer.
    buckets = found.order_by().values_list("bucket", "state").annotate(n=TOTAL)
    try:
        asked, parameters = buckets.query.sql_with_params()
    except EmptyResultSet:
        return []
    asked = f"SELECT date_bin(%s, bucket, %s), state, sum(n)::bigint FROM ({asked}) AS cell (bucket, state, n)"
    values: list[Any] = [step, ORIGIN, *parameters]
    with connection.cursor() as cursor:
        cursor.execute(f"{_PAGE_BY_PAGE}; {asked} GROUP BY 1, 2 HAVING sum(n) > 0", values)
        cursor.nextset()
        return cursor.fetchall()


Totals = dict[str, list[tuple[Any, int]]]  # by column: its values, and how many logs have them


def totals_by(*asked: tuple[QuerySet[Any], Sequence[str]]) -> list[Totals]:
    """Of several cells, of each of their columns; each in one look, and all in one question to the database."""
    totals: list[Totals] = [{column: [] for column in columns} for _found, columns in asked]
    statements: list[str] = []
    parameters: list[Any] = []
    answered: list[Totals] = []
    for (found, columns), its_totals in zip(asked, totals, strict=True):
        try:
            statement, its_parameters = _grouped(found, columns)
        except EmptyResultSet:
            continue
        statements.append(statement)
        parameters += its_parameters
        answered.append(its_totals)
    if not statements:
        return totals
    with connection.cursor() as cursor:
        cursor.execute("; ".join(statements), parameters)
        for its_totals in answered:
            columns = list(its_totals)
            for place, *values, total in cursor.fetchall():
                its_totals[columns[place]].append((values[place], total))
            cursor.nextset()
    return totals


def _grouped(found: QuerySet[Any], columns: Sequence[str]) -> tuple[str, Sequence[Any]]:
    """(place of a column, a value for each column, number), by GROUPING SETS, which Django does not have."""
    asked, parameters = found.order_by().values_list(*columns).annotate(n=TOTAL).query.sql_with_params()
    names = [f"column_{place}" for place in range(len(columns))]
    listed, sets = ", ".join(names), ", ".join(f"({name})" for name in names)
    which = f"array_position(ARRAY[{', '.join(f'grouping({name})' for name in names)}], 0) - 1"
    asked = f"SELECT {which}, {listed}, sum(number)::bigint FROM ({asked}) AS cell ({listed}, number)"
    return f"{asked} GROUP BY GROUPING SETS ({sets}) HAVING sum(number) > 0", parameters


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


def widest_in(step: timedelta) -> timedelta:
    """The widest bucket that a step consists of."""
    return max(width for width in map(_minutes, WIDTHS) if step % width == timedelta(0))


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
