"""The logs of a kind in the order of time, found by the rollups: they tell in which minutes, and of which subscriptions, there
are any, so that logs of another kind are hardly looked at, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import BooleanField, F, Func, QuerySet, Sum

from ..models import Cell
from ..paging import Key, in_order
from ..rollups.spans import FINEST, floor
from .criteria import Criteria

SORTED_HERE = 2000  # logs; more are sorted by an index
FEW = 6  # stretches, which mostly are enough
MANY = 8  # subscriptions; what more have is looked up by its time alone
_WIDTHS = (1440, 60, 5)  # minutes: each tells where to look in the next


@dataclass(frozen=True)
class _Stretch:
    """Five minutes or more in which `subscriptions` have `count` logs of the kind; None: they are more than MANY."""

    start: datetime
    end: datetime
    subscriptions: frozenset[str] | None
    count: int


def candidates(criteria: Criteria, place: Key | None, *, is_older: bool, limit: int) -> list[Key]:
    """The next `limit` logs of the kind after `place` in the list, towards the older or the newer; fewer at its end."""
    logs = criteria.of_kinds().logs()
    if not criteria.kinds and criteria.subscriptions is None:
        return in_order(logs, place, is_older=is_older, limit=limit)
    found: list[Key] = []
    edge = None
    if place is not None:
        start = floor(place.created_at)
        edge = start if is_older else start + FINEST
        here = logs.filter(created_at__gte=start, created_at__lt=start + FINEST)
        found = in_order(here, place, is_older=is_older, limit=limit)
    is_all = False
    while len(found) < limit and not is_all:
        stretches, is_all = _stretches(criteria, edge, is_older=is_older, wanted=limit - len(found))
        if stretches:
            found += _logs_in(logs, stretches, is_older=is_older, limit=limit - len(found))
            edge = stretches[-1].start if is_older else stretches[-1].end
    return found


def _logs_in(logs: QuerySet, stretches: list[_Stretch], *, is_older: bool, limit: int) -> list[Key]:
    inside = logs.filter(_Within("created_at", tuple(_joined(stretches, is_older=is_older))))
    if sum(one.count for one in stretches) > SORTED_HERE:
        return in_order(inside, None, is_older=is_older, limit=limit)
    # Without an order: to sort these few, PostgreSQL might walk through all logs by their age.
    keys = [Key(*row) for row in inside.order_by().values_list("created_at", "pk")]
    return sorted(keys, reverse=is_older)[:limit]


def _stretches(
    criteria: Criteria, edge: datetime | None, *, is_older: bool, wanted: int
) -> tuple[list[_Stretch], bool]:
    """Beyond the edge, in the order of the list: five minutes each, until they hold as many logs as are wanted; and whether
    there are no others.
    """
    found: list[_Stretch] = []
    is_all = True
    is_sparse = criteria.subscriptions is not None and len(criteria.subscriptions) <= MANY
    for minutes in _WIDTHS:
        width = timedelta(minutes=minutes)
        cells = _cells(criteria, width, edge, found, is_older=is_older)
        bounds = [moment for moment in (edge, criteria.since, criteria.until) if moment is not None]
        found, is_enough = _enough(cells, width, bounds, is_older=is_older, wanted=wanted, is_sparse=is_sparse)
        if not found:
            break
        is_all = is_all and not is_enough
        is_sparse = sum(one.count for one in found) <= 2 * wanted
    return found, is_all


def _enough(
    cells: QuerySet[Cell], width: timedelta, bounds: list[datetime], *, is_older: bool, wanted: int, is_sparse: bool
) -> tuple[list[_Stretch], bool]:
    """The next of one width, and whether they hold as many as are wanted. Where a FEW do, PostgreSQL stops there.

    Of one that a bound runs through we cannot tell how many are inside; each other has one log at least.
    """
    most_needed = wanted + len(bounds)
    rows = cells.values_list("bucket").annotate(count=Sum("count"), those=ArrayAgg("subscription", distinct=True))
    rows = rows.filter(count__gt=0).order_by("-bucket" if is_older else "bucket")
    found: list[_Stretch] = []
    for most in (most_needed if is_sparse else FEW, most_needed):
        found, held = [], 0
        for bucket, count, those in rows[:most]:
            found.append(_Stretch(bucket, bucket + width, frozenset(those) if len(those) <= MANY else None, count))
            held += 0 if any(bucket < bound < bucket + width for bound in bounds) else count
            if held >= wanted:
                return found, True
        if len(found) < most:
            break
    return found, False


def _cells(
    criteria: Criteria, width: timedelta, edge: datetime | None, parents: list[_Stretch], *, is_older: bool
) -> QuerySet[Cell]:
    found = Cell.objects.filter(criteria.kind(), width=width // timedelta(minutes=1))
    if criteria.since is not None:
        found = found.filter(bucket__gte=floor(criteria.since, width))
    if criteria.until is not None:
        found = found.filter(bucket__lt=criteria.until)
    if edge is not None:
        found = found.filter(bucket__lt=edge) if is_older else found.filter(bucket__gte=floor(edge, width))
    return found.filter(_Within("bucket", tuple(_joined(parents, is_older=is_older)))) if parents else found


class _Within(Func):
    """Whether a log, or a cell, is in one of the stretches: nothing but ranges and their subscriptions, so that each is looked
    up by an index. In one piece: Django takes longer to put hundreds of conditions together than PostgreSQL to meet them.
    """

    output_field = BooleanField()

    def __init__(self, column: str, stretches: tuple[_Stretch, ...]) -> None:
        super().__init__(F(column), F("subscription"))
        self.stretches = stretches

    def as_sql(self, compiler, connection, **_context):  # type: ignore[override]
        (moment, _none), (lane, _none) = [compiler.compile(one) for one in self.source_expressions]
        ranges: list[str] = []
        values: list[Any] = []
        for one in self.stretches:
            of_those = "" if one.subscriptions is None else f" AND {lane} = ANY(%s)"
            ranges.append(f"{moment} >= %s AND {moment} < %s{of_those}")
            values += [one.start, one.end, *([] if one.subscriptions is None else [sorted(one.subscriptions)])]
        return f"({' OR '.join(f'({one})' for one in ranges)})", values


def _joined(stretches: list[_Stretch], *, is_older: bool) -> Iterator[_Stretch]:
    """Those that follow one another are one."""
    current: _Stretch | None = None
    for one in reversed(stretches) if is_older else stretches:
        if current and current.end == one.start:
            both = current.subscriptions, one.subscriptions
            those = None if None in both else frozenset().union(*both)  # type: ignore[arg-type]
            current = _Stretch(current.start, one.end, those, current.count + one.count)
            continue
        if current:
            yield current
        current = one
    if current:
        yield current
