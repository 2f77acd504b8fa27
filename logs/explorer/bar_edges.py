"""Where the bars of the chart begin and end: at round times of the reader's clock, also on the days when it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from django.utils import timezone

from ..stats.buckets import FINEST, floor

MOST_BARS = 100
_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)
_SECONDS = (15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 86400)
_DAYS = (7, 28, 91, 364, 728)
STEPS = (*(timedelta(seconds=number) for number in _SECONDS), *(timedelta(days=number) for number in _DAYS))


def fitting_step(length: timedelta) -> timedelta:
    """The finest with which there are not too many bars."""
    return next((step for step in STEPS if length <= step * (MOST_BARS - 1)), STEPS[-1])


def edges_around(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Where steps begin and end, from the last one not after the start to the first not before the end, by UTC.

    Weeks, and what is longer, begin as the rollups' do, at a midnight of UTC: in them an hour is not seen.
    """
    found: list[datetime] = []
    for edge in _edges_from(start.astimezone(UTC), step):
        if step >= FINEST:
            edge = floor(edge)  # zones of long ago lay some seconds off
        if edge <= start:
            found = [edge]
        elif edge > found[-1]:  # the clock may jump over one
            found.append(edge)
        if edge >= end:
            return found
    raise AssertionError("steps go on for ever")


def _edges_from(start: datetime, step: timedelta) -> Iterator[datetime]:
    if step >= _WEEK:
        return (floor(start, step) + step * number for number in count())
    local = timezone.localtime(start)
    if step <= _HOUR:  # by the clock of the start: one that is put back goes through the same times twice
        first = floor(local.replace(tzinfo=UTC), step) - local.utcoffset()  # type: ignore[operator]
        return (first + step * number for number in count())
    wall = floor(local.replace(tzinfo=UTC), step).replace(tzinfo=None)
    zone = timezone.get_current_timezone()
    return ((wall + step * number).replace(tzinfo=zone).astimezone(UTC) for number in count())
