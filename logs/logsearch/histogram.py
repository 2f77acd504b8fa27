"""The logs that match over time, as bars. Failures are on the base line, so that they stand out.

Bars begin and end at round times of the reader's clock, even on days when the clock changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

from django.utils import timezone

from ..models import State
from ..stats.buckets import BUCKET_ORIGIN, SMALLEST_BUCKET, bucket_floor
from ..stats.charts import Stack, stacked_bars
from .stats import LogStats

MAX_BARS = 100
_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)
_SECONDS = (15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 86400)
_DAYS = (7, 28, 91, 364, 728)
STEPS = (*(timedelta(seconds=number) for number in _SECONDS), *(timedelta(days=number) for number in _DAYS))


def choose_step(length: timedelta) -> timedelta:
    """The finest step that doesn't make too many bars."""
    return next((step for step in STEPS if length <= step * (MAX_BARS - 1)), STEPS[-1])


def bucket_edges(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """The edges of the steps in UTC: from the last one not after the start to the first one not before the end.

    Steps of a week or more begin at midnight UTC, as the buckets of log counts do. An hour isn't visible in them.
    """
    edges: list[datetime] = []
    for edge in _edges_from(start.astimezone(UTC), step):
        if step >= SMALLEST_BUCKET:
            edge = bucket_floor(edge)  # historical offsets include seconds
        if edge <= start:
            edges = [edge]
        elif edge > edges[-1]:  # a clock change may skip one
            edges.append(edge)
        if edge >= end:
            return edges
    raise AssertionError("the steps never reach the end")


def _edges_from(start: datetime, step: timedelta) -> Iterator[datetime]:
    if step >= _WEEK:
        return (bucket_floor(start, step) + step * number for number in count())
    local = timezone.localtime(start)
    if step <= _HOUR:  # by the offset at the start: a clock that goes back shows the same times twice
        first = bucket_floor(local.replace(tzinfo=UTC), step) - local.utcoffset()  # type: ignore[operator]
        return (first + step * number for number in count())
    wall = bucket_floor(local.replace(tzinfo=UTC), step).replace(tzinfo=None)
    zone = timezone.get_current_timezone()
    return ((wall + step * number).replace(tzinfo=zone).astimezone(UTC) for number in count())


HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 960, 100  # of the viewBox
TICK_INTERVALS = sorted({*STEPS, *(timedelta(days=days) for days in (2, 4, 14, 56, 112, 1820, 3640, 7280))})
MAX_EXACT_LOGS = 20_000  # logs; steps finer than a bucket are counted log by log
# From the base line up.
STATE_ORDER = (State.FAILED, State.RETRYING, State.PENDING, State.DELIVERED, State.SKIPPED, State.SUPERSEDED)


@dataclass(frozen=True)
class HistogramBar:
    start: datetime
    end: datetime
    counts: dict[State, int]
    parts: Stack  # what is drawn for each state that occurs

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        return self.counts.get(State.FAILED, 0)


@dataclass(frozen=True)
class Histogram:
    """`bars` follow one another in time without gaps, including empty ones.

    If a time is filtered by, the first bar begins and the last one ends with it.
    """

    step: timedelta
    bars: list[HistogramBar]

    @property
    def start(self) -> datetime:
        return self.bars[0].start

    @property
    def end(self) -> datetime:
        return self.bars[-1].end

    @property
    def highest(self) -> int:
        return max((bar.total for bar in self.bars), default=0)

    @property
    def totals(self) -> dict[State, int]:
        totals = {state: sum(bar.counts.get(state, 0) for bar in self.bars) for state in STATE_ORDER}
        return {state: number for state, number in totals.items() if number}

    @property
    def ticks(self) -> list[int]:
        """The bars whose start the axis labels, about seven: round times in the reader's time zone, if bars start there."""
        length = self.end - self.start
        every = next((interval for interval in TICK_INTERVALS if length <= interval * 7), length)
        is_round = [(_as_utc(bar.start) - BUCKET_ORIGIN) % every < self.step for bar in self.bars]
        is_round[0] &= bucket_edges(self.start, self.start, self.step)[0] == self.start
        return [number for number, is_tick in enumerate(is_round) if is_tick]


def _as_utc(moment: datetime) -> datetime:
    """The reader's local time, as if it were UTC."""
    local = timezone.localtime(moment)
    return local.replace(tzinfo=UTC)


def build_histogram(figures: LogStats, now: datetime) -> Histogram | None:
    """The histogram of the time that is filtered by, else of the time that has logs; None if there are no logs.

    If a search stopped early, only the time that it covered is shown: nothing is known of the rest.
    """
    criteria = figures.criteria
    first = figures.searched_from or criteria.since
    until = None if criteria.is_until_now else criteria.until
    start, end = first, until or now
    if start is None:
        reach = figures.reach()
        if reach is None:
            return None
        start, end = reach[0], min(end, max(reach[1], reach[0] + SMALLEST_BUCKET))
    if start >= end:
        return None
    step = choose_step(end - start)
    if (
        step < SMALLEST_BUCKET
        and figures.criteria.uses_dimensions_only
        and (figures.total.number or 0) > MAX_EXACT_LOGS
    ):
        step = SMALLEST_BUCKET
    edges = bucket_edges(start, end, step)
    if first is not None:
        edges[0] = start
    if until is not None:
        edges[-1] = end
    counts: list[dict[State, int]] = [{} for _bar in edges[1:]]
    for number, state, logs in figures.by_bar(edges):
        counts[number][State(state)] = logs
    drawn = stacked_bars(
        [[of_bar.get(state, 0) for state in STATE_ORDER] for of_bar in counts], HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT
    )
    bars = [
        HistogramBar(*span, of_bar, parts) for span, of_bar, parts in zip(pairwise(edges), counts, drawn, strict=True)
    ]
    return Histogram(step, bars)
