"""Splits time ranges so that they are read from as few and as wide buckets as possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from ..db.raw_sql import SQL_FALSE, SqlFragment, sql_and
from ..models.log_counts import BUCKET_WIDTHS

BUCKET_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)  # where buckets of every width begin
SMALLEST_BUCKET = timedelta(minutes=BUCKET_WIDTHS[0])
AHEAD = timedelta(minutes=5)  # how far a sender's clock may be ahead of ours


def bucket_floor(moment: datetime, width: timedelta = SMALLEST_BUCKET) -> datetime:
    """The start of the bucket that contains the datetime."""
    return moment - (moment - BUCKET_ORIGIN) % width


def bucket_ceiling(moment: datetime, width: timedelta = SMALLEST_BUCKET) -> datetime:
    """The first start of a bucket that isn't before the datetime."""
    return moment + (BUCKET_ORIGIN - moment) % width


def end_of_range(now: datetime) -> datetime:
    """Where a range such as "24h" ends: at the end of a bucket, so that every page counts the same logs."""
    return bucket_ceiling(now) + AHEAD


def is_begun_by_bucket(moment: datetime, width: timedelta = SMALLEST_BUCKET) -> bool:
    return (moment - BUCKET_ORIGIN) % width == timedelta(0)


def widest_between(edges: Iterable[datetime]) -> timedelta:
    """The widest bucket that begins at each of the edges; the finest if none does."""
    edges = list(edges)
    widths = (timedelta(minutes=minutes) for minutes in reversed(BUCKET_WIDTHS))
    return next((width for width in widths if all(is_begun_by_bucket(edge, width) for edge in edges)), SMALLEST_BUCKET)


def bucket_segments(
    start: datetime | None, end: datetime | None, widest: timedelta | None = None
) -> Iterator[tuple[int, datetime | None, datetime | None]]:
    """(width in minutes, from, to) of the buckets that cover the time from start to end, both multiples of 5 minutes.

    None: no start, or no end. No bucket is wider than `widest`.
    """
    for minutes in reversed(BUCKET_WIDTHS):
        width = timedelta(minutes=minutes)
        if widest is not None and width > widest:
            continue
        first = None if start is None else bucket_ceiling(start, width)
        last = None if end is None else bucket_floor(end, width)
        if first is not None and last is not None and first >= last:
            continue
        yield minutes, first, last
        if start is not None and first is not None and start < first:
            yield from bucket_segments(start, first, width)
        if end is not None and last is not None and last < end:
            yield from bucket_segments(last, end, width)
        return


def bucket_condition(start: datetime | None, end: datetime | None, widest: timedelta | None = None) -> Q:
    """The buckets from start to end, as a condition on `LogCount` and `DurationCount`; see `bucket_segments`."""
    condition = Q()
    for minutes, first, last in bucket_segments(start, end, widest):
        piece = Q(width=minutes)
        if first is not None:
            piece &= Q(bucket__gte=first)
        if last is not None:
            piece &= Q(bucket__lt=last)
        condition |= piece
    return condition or Q(pk=None)


def bucket_condition_sql(start: datetime | None, end: datetime | None, widest: timedelta | None = None) -> SqlFragment:
    """The same in SQL."""
    pieces: list[SqlFragment] = []
    for minutes, first, last in bucket_segments(start, end, widest):
        bounds: list[SqlFragment] = [("width = %s", [minutes])]
        bounds += [("bucket >= %s", [first])] if first is not None else []
        bounds += [("bucket < %s", [last])] if last is not None else []
        pieces.append(sql_and(bounds))
    texts = " OR ".join(f"({text})" for text, _values in pieces)
    return (f"({texts})", [value for _text, values in pieces for value in values]) if pieces else SQL_FALSE
