"""The logs of a kind in the order of time, found by the rollups: they tell in which minutes, and of which subscriptions, there
are any, so that logs of another kind are hardly looked at, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q, QuerySet, Sum

from ..models import Cell
from ..paging import Key, in_order
from ..rollups.spans import FINEST, floor
from .criteria import Criteria

SORTED_HERE = 2000  # logs; more are sorted by an index
_WIDTHS = (1440, 60, 5)  # minutes: each tells where to look in the next


@dataclass(frozen=True)
class _Stretch:
    """Five minutes or more in which `subscriptions` have `count` logs of the kind."""

    start: datetime
    end: datetime
    subscriptions: frozenset[str]
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
    while len(found) < limit:
        stretches = list(_stretches(criteria, edge, is_older=is_older, wanted=limit - len(found)))
        if not stretches:
            break
        found += _logs_in(logs, stretches, is_older=is_older, limit=limit - len(found))
        edge = stretches[-1].start if is_older else stretches[-1].end
    return found


def _logs_in(logs: QuerySet, stretches: list[_Stretch], *, is_older: bool, limit: int) -> list[Key]:
    where = Q()
    for one in _joined(stretches, is_older=is_older):
        where |= Q(created_at__gte=one.start, created_at__lt=one.end, subscription__in=one.subscriptions)
    inside = logs.filter(where)
    if sum(one.count for one in stretches) > SORTED_HERE:
        return in_order(inside, None, is_older=is_older, limit=limit)
    # Without an order: to sort these few, PostgreSQL might walk through all logs by their age.
    keys = [Key(*row) for row in inside.order_by().values_list("created_at", "pk")]
    return sorted(keys, reverse=is_older)[:limit]


def _stretches(criteria: Criteria, edge: datetime | None, *, is_older: bool, wanted: int) -> Iterator[_Stretch]:
    """Beyond the edge, in the order of the list: five minutes each, until they hold as many logs as are wanted."""
    parents: list[_Stretch] | None = None
    for minutes in _WIDTHS:
        width = timedelta(minutes=minutes)
        found = _cells(criteria, width, edge, parents, is_older=is_older)
        # Of one that lies across the edge we cannot tell how many are beyond; each other has one log at least.
        rows = found.values_list("bucket").annotate(count=Sum("count"), those=ArrayAgg("subscription", distinct=True))
        rows = rows.filter(count__gt=0).order_by("-bucket" if is_older else "bucket")[: wanted + 1]
        parents = []
        held = 0
        for bucket, count, those in rows:
            parents.append(_Stretch(bucket, bucket + width, frozenset(those), count))
            is_across = edge is not None and bucket < edge < bucket + width
            held += 0 if is_across else count
            if held >= wanted:
                break
        if not parents:
            return  # and so there is none in less time either
    yield from parents or ()


def _cells(
    criteria: Criteria, width: timedelta, edge: datetime | None, parents: list[_Stretch] | None, *, is_older: bool
) -> QuerySet[Cell]:
    found = Cell.objects.filter(criteria.kind(), width=width // timedelta(minutes=1))
    if criteria.since is not None:
        found = found.filter(bucket__gte=floor(criteria.since, width))
    if criteria.until is not None:
        found = found.filter(bucket__lt=criteria.until)
    if edge is not None:
        found = found.filter(bucket__lt=edge) if is_older else found.filter(bucket__gte=floor(edge, width))
    if parents is None:
        return found
    where = Q(pk=None)
    for one in _joined(parents, is_older=is_older):
        where |= Q(bucket__gte=one.start, bucket__lt=one.end, subscription__in=one.subscriptions)
    return found.filter(where)


def _joined(stretches: list[_Stretch], *, is_older: bool) -> Iterator[_Stretch]:
    """Those that follow one another are one."""
    current: _Stretch | None = None
    for one in reversed(stretches) if is_older else stretches:
        if current and current.end == one.start:
            those = current.subscriptions | one.subscriptions
            current = _Stretch(current.start, one.end, those, current.count + one.count)
            continue
        if current:
            yield current
        current = one
    if current:
        yield current
