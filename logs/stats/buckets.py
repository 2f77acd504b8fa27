"""Stretches of time, cut so that they are read from as few and as wide buckets as can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from ..db.raw_sql import NEVER, Written, every
from ..models.log_counts import WIDTHS

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)  # where buckets of every width begin
FINEST = timedelta(minutes=WIDTHS[0])
AHEAD = timedelta(minutes=5)  # by so much a sender's clock may be ahead of ours


def floor(moment: datetime, width: timedelta = FINEST) -> datetime:
    """The beginning of the bucket that the moment is in."""
    return moment - (moment - ORIGIN) % width


def ceiling(moment: datetime, width: timedelta = FINEST) -> datetime:
    """The first beginning of a bucket that is not before the moment."""
    return moment + (ORIGIN - moment) % width


def end_of_range(now: datetime) -> datetime:
    """Where a range such as "24h" ends: with a bucket, so that the same is counted everywhere."""
    return ceiling(now) + AHEAD


def is_begun_by_bucket(moment: datetime, width: timedelta = FINEST) -> bool:
    return (moment - ORIGIN) % width == timedelta(0)


def widest_between(edges: Iterable[datetime]) -> timedelta:
    """The widest bucket that begins at each of the edges; the finest where none does."""
    edges = list(edges)
    widths = (timedelta(minutes=minutes) for minutes in reversed(WIDTHS))
    return next((width for width in widths if all(is_begun_by_bucket(edge, width) for edge in edges)), FINEST)


def pieces(
    start: datetime | None, end: datetime | None, widest: timedelta | None = None
) -> Iterator[tuple[int, datetime | None, datetime | None]]:
    """(width in minutes, from, to) of the buckets that make up the time from start to end, both multiples of 5 minutes.

    None: without a beginning, or without an end. No bucket is wider than `widest`.
    """
    for minutes in reversed(WIDTHS):
        width = timedelta(minutes=minutes)
        if widest is not None and width > widest:
            continue
        first = None if start is None else ceiling(start, width)
        last = None if end is None else floor(end, width)
        if first is not None and last is not None and first >= last:
            continue
        yield minutes, first, last
        if start is not None and first is not None and start < first:
            yield from pieces(start, first, width)
        if end is not None and last is not None and last < end:
            yield from pieces(last, end, width)
        return


def within(start: datetime | None, end: datetime | None, widest: timedelta | None = None) -> Q:
    """The buckets of the time from start to end, as a condition of Cell and DurationCell; see `pieces`."""
    chosen = Q()
    for minutes, first, last in pieces(start, end, widest):
        piece = Q(width=minutes)
        if first is not None:
            piece &= Q(bucket__gte=first)
        if last is not None:
            piece &= Q(bucket__lt=last)
        chosen |= piece
    return chosen or Q(pk=None)


def written_within(start: datetime | None, end: datetime | None, widest: timedelta | None = None) -> Written:
    """The same in SQL."""
    found: list[Written] = []
    for minutes, first, last in pieces(start, end, widest):
        bounds: list[Written] = [("width = %s", [minutes])]
        bounds += [("bucket >= %s", [first])] if first is not None else []
        bounds += [("bucket < %s", [last])] if last is not None else []
        found.append(every(bounds))
    texts = " OR ".join(f"({text})" for text, _values in found)
    return (f"({texts})", [value for _text, values in found for value in values]) if found else NEVER
