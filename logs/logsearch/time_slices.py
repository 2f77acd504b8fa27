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
SELECT result.*
FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::text[]) AS slice (start, stop, subscription)
CROSS JOIN LATERAL (
    SELECT {columns} FROM {table}
    WHERE {conditions} AND {moment} >= slice.start AND {moment} < slice.stop{of_subscription}
    {order_and_limit}
) AS result
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


def merge_slices(slices: Iterable[TimeSlice]) -> list[SliceRange]:
    """The ranges of each subscription, if all slices know theirs. Consecutive ranges become one."""
    ordered = sorted(slices, key=lambda piece: piece.start)
    is_known = all(piece.subscriptions is not None for piece in ordered)
    ranges: list[SliceRange] = []
    last: dict[str | None, int] = {}  # for each subscription: its index in `ranges`
    for piece in ordered:
        for subscription in (piece.subscriptions or ()) if is_known else [None]:
            place = last.get(subscription)
            if place is not None and ranges[place].end == piece.start:
                ranges[place] = ranges[place]._replace(end=piece.end)
            else:
                last[subscription] = len(ranges)
                ranges.append(SliceRange(piece.start, piece.end, subscription))
    return ranges


def lateral_query(
    ranges: Iterable[SliceRange],
    table: str,
    moment: str,
    columns: str,
    conditions: Iterable[SqlFragment],
    order_and_limit: str = NO_ORDER,
) -> SqlFragment:
    """The rows of the table in each range; there must be at least one range. `moment`: the time column.
    `order_and_limit`: of the rows in each range.
    """
    starts, ends, subscriptions = map(list, zip(*ranges, strict=True))
    text, values = sql_and(conditions)
    of_subscription = "" if subscriptions[0] is None else " AND subscription_id = slice.subscription"
    sql = _IN_EACH.format(
        columns=columns,
        table=table,
        conditions=text,
        moment=moment,
        of_subscription=of_subscription,
        order_and_limit=order_and_limit,
    )
    return sql, [starts, ends, subscriptions, *values]


def any_range_condition(ranges: Iterable[SliceRange], moment: str) -> SqlFragment:
    """Whether a row is in one of the ranges. Only for few ranges: see `lateral_query`."""
    text = " OR ".join(f"{moment} >= %s AND {moment} < %s" for _range in ranges)
    return f"({text})", [bound for span in ranges for bound in (span.start, span.end)]


MANY_SLICES = 8  # subscriptions; a slice with more is looked up by time alone
FEW_RANGES = 8  # one condition each, so that PostgreSQL reads in order of time and stops early
# Widths in minutes, each of which shows where to look in the next; and how many slices of it are usually enough.
_WIDTHS = ((1440, 2), (60, 6), (5, 6))
_SLICES = """
SELECT bucket, sum(count)::bigint, array_agg(DISTINCT subscription_id)
FROM {cells}
GROUP BY bucket HAVING sum(count) > 0
ORDER BY bucket {direction} LIMIT %s
"""
# Differences that aren't compacted yet are read once, not for each range.
_CELLS_IN_EACH = """
(
    {compacted}
    UNION ALL
    SELECT date_bin(%s, bucket, %s), count, subscription_id FROM logs_logcountdelta
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
    slices: list[TimeSlice] = []
    is_all = True
    is_sparse = criteria.subscriptions is not None and len(criteria.subscriptions) <= MANY_SLICES
    for minutes, few in _WIDTHS:
        width = timedelta(minutes=minutes)
        cells = _cells([criteria.dimension_sql, *_of_time(criteria, width, edge, is_older=is_older)], width, slices)
        for limit in (most if is_sparse else few, most):
            read = _read(cells, width, limit, is_older=is_older)
            slices, is_enough = _enough(read, bounds, wanted)
            if is_enough or len(read) < limit:
                break
        if not slices:
            break
        is_all = is_all and not is_enough
        is_sparse = sum(piece.count for piece in slices) <= 2 * wanted
    return slices, is_all


def _cells(conditions: list[SqlFragment], width: timedelta, slices: list[TimeSlice]) -> SqlFragment:
    """The log counts of this width that meet the conditions, in any of the slices; anywhere if there are no slices."""
    of_width = "width = %s", [width // timedelta(minutes=1)]
    ranges = merge_slices(slices)
    if len(ranges) > FEW_RANGES or (ranges and ranges[0].subscription is not None):
        return _cells_in_each(conditions, of_width, width, slices, ranges)
    text, values = sql_and([*conditions, of_width, *([any_range_condition(ranges, "bucket")] if ranges else [])])
    return f"logs_logcount WHERE {text}", values


def _cells_in_each(
    conditions: list[SqlFragment],
    of_width: SqlFragment,
    width: timedelta,
    slices: list[TimeSlice],
    ranges: list[SliceRange],
) -> SqlFragment:
    columns = "bucket, count, subscription_id"
    table = "logs_compactedlogcount"
    compacted, of_compacted = lateral_query(ranges, table, "bucket", columns, [*conditions, of_width])
    text, values = sql_and(conditions)
    whole = slices[0].end - slices[0].start
    of_others = [width, BUCKET_ORIGIN, *values, whole, BUCKET_ORIGIN, [piece.start for piece in slices]]
    return _CELLS_IN_EACH.format(compacted=compacted, conditions=text), [*of_compacted, *of_others]


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
    sql = _SLICES.format(cells=text, direction="DESC" if is_older else "ASC")
    [rows] = fetch_all((sql, [*values, limit]))
    return [
        TimeSlice(bucket, bucket + width, frozenset(ids) if len(ids) <= MANY_SLICES else None, count)
        for bucket, count, ids in rows
    ]


def _enough(read: list[TimeSlice], bounds: list[datetime], wanted: int) -> tuple[list[TimeSlice], bool]:
    """The slices that hold as many logs as wanted, and whether they do.

    If a bound cuts through a slice, we can't know how many of its logs are inside. Every other slice has at least one.
    """
    counted = 0
    for place, piece in enumerate(read, 1):
        counted += 0 if any(piece.start < bound < piece.end for bound in bounds) else piece.count
        if counted >= wanted:
            return read[:place], True
    return read, False
