"""Time slices with matching logs: log counts say in which minutes, and for which subscriptions, there are any.

`lateral_query` reads the rows in time slices, of which there may be thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..db.raw_sql import SqlFragment, fetch_all, sql_and
from ..stats.buckets import BUCKET_ORIGIN, bucket_floor
from .criteria import SearchCriteria

# Each slice in turn, by an index: PostgreSQL takes longer to plan for hundreds of conditions than to check them.
_IN_EACH = """
SELECT found.*
FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::text[]) AS stretch (start, stop, lane)
CROSS JOIN LATERAL (
    SELECT {columns} FROM {table}
    WHERE {conditions} AND {moment} >= stretch.start AND {moment} < stretch.stop{of_lane}
    {some}
) AS found
"""
NO_ORDER = "OFFSET 0"  # changes no rows, but stops PostgreSQL from choosing where to begin


@dataclass(frozen=True)
class TimeSlice:
    """Five minutes or more in which `subscriptions` have `count` matching logs. `subscriptions` None: there are many."""

    start: datetime
    end: datetime
    subscriptions: frozenset[str] | None
    count: int


class SliceRange(NamedTuple):
    """`subscription`: None if it may be any."""

    start: datetime
    end: datetime
    subscription: str | None


def merge_slices(stretches: Iterable[TimeSlice]) -> list[SliceRange]:
    """The ranges of each subscription, if all slices know theirs. Consecutive ranges become one."""
    ordered = sorted(stretches, key=lambda one: one.start)
    is_known = all(one.subscriptions is not None for one in ordered)
    found: list[SliceRange] = []
    last: dict[str | None, int] = {}  # for each subscription: its index in `found`
    for one in ordered:
        for subscription in (one.subscriptions or ()) if is_known else [None]:
            place = last.get(subscription)
            if place is not None and found[place].end == one.start:
                found[place] = found[place]._replace(end=one.end)
            else:
                last[subscription] = len(found)
                found.append(SliceRange(one.start, one.end, subscription))
    return found


def lateral_query(
    ranges: Iterable[SliceRange],
    table: str,
    moment: str,
    columns: str,
    conditions: Iterable[SqlFragment],
    some: str = NO_ORDER,
) -> SqlFragment:
    """The rows of the table in each range; there must be at least one range. `moment`: the time column. `some`: the order and
    limit of the rows in each range.
    """
    starts, ends, subscriptions = map(list, zip(*ranges, strict=True))
    text, values = sql_and(conditions)
    of_lane = "" if subscriptions[0] is None else " AND subscription_id = stretch.lane"
    asked = _IN_EACH.format(columns=columns, table=table, conditions=text, moment=moment, of_lane=of_lane, some=some)
    return asked, [starts, ends, subscriptions, *values]


def any_range_condition(ranges: Iterable[SliceRange], moment: str) -> SqlFragment:
    """Whether a row is in one of the ranges. Only for few ranges: see `lateral_query`."""
    text = " OR ".join(f"{moment} >= %s AND {moment} < %s" for _one in ranges)
    return f"({text})", [bound for one in ranges for bound in (one.start, one.end)]


MANY_SLICES = 8  # subscriptions; a slice with more is looked up by time alone
FEW_RANGES = 8  # one condition each, so that PostgreSQL reads in order of time and stops early
# Widths in minutes, each of which shows where to look in the next; and how many slices of it are usually enough.
_WIDTHS = ((1440, 2), (60, 6), (5, 6))
_STRETCHES = """
SELECT bucket, sum(count)::bigint, array_agg(DISTINCT subscription_id)
FROM {cells}
GROUP BY bucket HAVING sum(count) > 0
ORDER BY bucket {direction} LIMIT %s
"""
# Differences that aren't compacted yet are read once, not for each range.
_CELLS_IN_EACH = """
(
    {folded}
    UNION ALL
    SELECT date_bin(%s, bucket, %s), count, subscription_id FROM logs_rollupdelta
    WHERE {conditions} AND date_bin(%s, bucket, %s) = ANY(%s)
) AS cell
"""


def next_slices(
    criteria: SearchCriteria, edge: datetime | None, *, is_older: bool, wanted: int
) -> tuple[list[TimeSlice], bool]:
    """Slices beyond the edge, in the order of the list, and whether there are no others.

    Each is five minutes long. Together they hold as many logs as wanted. If there are no slices although there are others, the
    log counts promised as many logs and contradict one another.
    """
    bounds = [moment for moment in (edge, criteria.since, criteria.until) if moment is not None]
    most = wanted + len(bounds)
    found: list[TimeSlice] = []
    is_all = True
    is_sparse = criteria.subscriptions is not None and len(criteria.subscriptions) <= MANY_SLICES
    for minutes, few in _WIDTHS:
        width = timedelta(minutes=minutes)
        cells = _cells([criteria.dimension_sql, *_of_time(criteria, width, edge, is_older=is_older)], width, found)
        for limit in (most if is_sparse else few, most):
            read = _read(cells, width, limit, is_older=is_older)
            found, is_enough = _enough(read, bounds, wanted)
            if is_enough or len(read) < limit:
                break
        if not found:
            break
        is_all = is_all and not is_enough
        is_sparse = sum(one.count for one in found) <= 2 * wanted
    return found, is_all


def _cells(conditions: list[SqlFragment], width: timedelta, stretches: list[TimeSlice]) -> SqlFragment:
    """The log counts of this width that meet the conditions, in any of the slices; anywhere if there are no slices."""
    of_width = "width = %s", [width // timedelta(minutes=1)]
    ranges = merge_slices(stretches)
    if len(ranges) > FEW_RANGES or (ranges and ranges[0].subscription is not None):
        return _cells_in_each(conditions, of_width, width, stretches, ranges)
    text, values = sql_and([*conditions, of_width, *([any_range_condition(ranges, "bucket")] if ranges else [])])
    return f"logs_cell WHERE {text}", values


def _cells_in_each(
    conditions: list[SqlFragment],
    of_width: SqlFragment,
    width: timedelta,
    stretches: list[TimeSlice],
    ranges: list[SliceRange],
) -> SqlFragment:
    columns = "bucket, count, subscription_id"
    folded, of_folded = lateral_query(ranges, "logs_rollup", "bucket", columns, [*conditions, of_width])
    text, values = sql_and(conditions)
    whole = stretches[0].end - stretches[0].start
    of_others = [width, BUCKET_ORIGIN, *values, whole, BUCKET_ORIGIN, [one.start for one in stretches]]
    return _CELLS_IN_EACH.format(folded=folded, conditions=text), [*of_folded, *of_others]


def _of_time(
    criteria: SearchCriteria, width: timedelta, edge: datetime | None, *, is_older: bool
) -> Iterator[SqlFragment]:
    if criteria.since is not None:
        yield "bucket >= %s", [bucket_floor(criteria.since, width)]
    if criteria.until is not None:
        yield "bucket < %s", [criteria.until]
    if edge is not None and is_older:
        yield "bucket < %s", [edge]
    elif edge is not None:
        yield "bucket >= %s", [bucket_floor(edge, width)]


def _read(cells: SqlFragment, width: timedelta, limit: int, *, is_older: bool) -> list[TimeSlice]:
    """The first slices of one width. PostgreSQL stops there."""
    text, values = cells
    asked = _STRETCHES.format(cells=text, direction="DESC" if is_older else "ASC")
    [rows] = fetch_all((asked, [*values, limit]))
    return [
        TimeSlice(bucket, bucket + width, frozenset(those) if len(those) <= MANY_SLICES else None, count)
        for bucket, count, those in rows
    ]


def _enough(read: list[TimeSlice], bounds: list[datetime], wanted: int) -> tuple[list[TimeSlice], bool]:
    """The slices that hold as many logs as wanted, and whether they do.

    If a bound cuts through a slice, we can't know how many of its logs are inside. Every other slice has at least one.
    """
    held = 0
    for place, one in enumerate(read, 1):
        held += 0 if any(one.start < bound < one.end for bound in bounds) else one.count
        if held >= wanted:
            return read[:place], True
    return read, False
