"""Where the logs of a kind are: the rollups tell in which minutes, and of which subscriptions, there are any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Q

from ..models import Cell
from ..rollups.spans import floor
from .criteria import Criteria

MANY = 8  # subscriptions; what more have is looked up by its time alone
# In minutes: each tells where to look in the next. And how many stretches of it mostly are enough.
_WIDTHS = ((1440, 2), (60, 6), (5, 6))
# Written out: Django takes longer to put such a question together than PostgreSQL to answer it.
_CELLS = """
SELECT bucket, sum(count)::bigint, array_agg(DISTINCT subscription_id)
FROM logs_cell
WHERE {conditions}
GROUP BY bucket HAVING sum(count) > 0
ORDER BY bucket {direction} LIMIT %s
"""
Condition = tuple[str, list[Any]]  # in SQL, and what goes into it


@dataclass(frozen=True)
class Stretch:
    """Five minutes or more in which `subscriptions` have `count` logs of the kind; None: they are more than MANY."""

    start: datetime
    end: datetime
    subscriptions: frozenset[str] | None
    count: int


def next_stretches(
    criteria: Criteria, edge: datetime | None, *, is_older: bool, wanted: int
) -> tuple[list[Stretch], bool]:
    """Beyond the edge, in the order of the list: five minutes each, until they hold as many logs as are wanted; and whether
    there are no others.
    """
    try:
        kind = _written(criteria.kind())
    except EmptyResultSet:
        return [], True
    bounds = [moment for moment in (edge, criteria.since, criteria.until) if moment is not None]
    most = wanted + len(bounds)
    found: list[Stretch] = []
    is_all = True
    is_sparse = criteria.subscriptions is not None and len(criteria.subscriptions) <= MANY
    for minutes, few in _WIDTHS:
        width = timedelta(minutes=minutes)
        conditions = [kind, *_of_time(criteria, width, edge, is_older=is_older)]
        if found:
            conditions.append(inside("bucket", "subscription_id", joined(found, is_older=is_older)))
        for limit in (most if is_sparse else few, most):
            read = _read(conditions, width, limit, is_older=is_older)
            found, is_enough = _enough(read, bounds, wanted)
            if is_enough or len(read) < limit:
                break
        if not found:
            break
        is_all = is_all and not is_enough
        is_sparse = sum(one.count for one in found) <= 2 * wanted
    return found, is_all


def _read(conditions: list[Condition], width: timedelta, limit: int, *, is_older: bool) -> list[Stretch]:
    """The first of one width. PostgreSQL stops there."""
    asked = _CELLS.format(
        conditions=" AND ".join(text for text, _values in conditions), direction="DESC" if is_older else "ASC"
    )
    with connection.cursor() as cursor:
        cursor.execute(asked, [*(value for _text, values in conditions for value in values), limit])
        return [
            Stretch(bucket, bucket + width, frozenset(those) if len(those) <= MANY else None, count)
            for bucket, count, those in cursor.fetchall()
        ]


def _enough(read: list[Stretch], bounds: list[datetime], wanted: int) -> tuple[list[Stretch], bool]:
    """Those that hold as many as are wanted, and whether they do.

    Of one that a bound runs through we cannot tell how many are inside; each other has one log at least.
    """
    held = 0
    for place, one in enumerate(read, 1):
        held += 0 if any(one.start < bound < one.end for bound in bounds) else one.count
        if held >= wanted:
            return read[:place], True
    return read, False


def _written(kind: Q) -> Condition:
    """Raises EmptyResultSet where nothing can meet it."""
    query = Cell.objects.filter(kind).query
    try:
        text, values = query.get_compiler(DEFAULT_DB_ALIAS).compile(query.where)
    except FullResultSet:
        return "TRUE", []
    return text, list(values)


def _of_time(criteria: Criteria, width: timedelta, edge: datetime | None, *, is_older: bool) -> Iterator[Condition]:
    yield "width = %s", [width // timedelta(minutes=1)]
    if criteria.since is not None:
        yield "bucket >= %s", [floor(criteria.since, width)]
    if criteria.until is not None:
        yield "bucket < %s", [criteria.until]
    if edge is not None and is_older:
        yield "bucket < %s", [edge]
    elif edge is not None:
        yield "bucket >= %s", [floor(edge, width)]


def inside(moment: str, lane: str, stretches: Iterable[Stretch]) -> Condition:
    """That the row with these columns is in one of the stretches: nothing but ranges and their subscriptions, so that each is
    looked up by an index.
    """
    ranges: list[str] = []
    values: list[Any] = []
    for one in stretches:
        of_those = "" if one.subscriptions is None else f" AND {lane} = ANY(%s)"
        ranges.append(f"{moment} >= %s AND {moment} < %s{of_those}")
        values += [one.start, one.end, *([] if one.subscriptions is None else [sorted(one.subscriptions)])]
    return f"({' OR '.join(f'({one})' for one in ranges)})", values


def joined(stretches: list[Stretch], *, is_older: bool) -> Iterator[Stretch]:
    """Those that follow one another are one."""
    current: Stretch | None = None
    for one in reversed(stretches) if is_older else stretches:
        if current and current.end == one.start:
            both = current.subscriptions, one.subscriptions
            those = None if None in both else frozenset().union(*both)  # type: ignore[arg-type]
            current = Stretch(current.start, one.end, those, current.count + one.count)
            continue
        if current:
            yield current
        current = one
    if current:
        yield current
