"""The logs that match over time, as bars: failures on the base line, so that they stand out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django.utils import timezone

from ..models import State
from ..stats.buckets import FINEST, ORIGIN
from ..stats.charts import Stack, stacks
from .bar_edges import STEPS, edges_around, fitting_step
from .figures import Figures

WIDTH, HEIGHT = 960, 100  # of the viewBox
MARKS = sorted({*STEPS, *(timedelta(days=days) for days in (2, 4, 14, 56, 112, 1820, 3640, 7280))})
COUNTED_FINELY = 20_000  # logs; steps finer than the rollups' are counted one log after another
# From the base line up. Whatever is neither received nor lost yet is drawn alike.
ORDER = (State.FAILED, State.RETRYING, State.PENDING, State.SUCCEEDED, State.SKIPPED)


@dataclass(frozen=True)
class Bar:
    start: datetime
    end: datetime
    counts: dict[State, int]
    parts: Stack  # what is drawn of each state that occurs

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        return self.counts.get(State.FAILED, 0)


@dataclass(frozen=True)
class Histogram:
    """`bars` follow one another without a gap in time, empty ones too. Where a time is filtered by, the first and the last end
    with it.
    """

    step: timedelta
    bars: list[Bar]

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
        found = {state: sum(bar.counts.get(state, 0) for bar in self.bars) for state in ORDER}
        return {state: number for state, number in found.items() if number}

    @property
    def ticks(self) -> list[int]:
        """The bars whose beginning the axis tells, some seven: round times of the reader's zone, as far as bars begin there."""
        length = self.end - self.start
        every = next((one for one in MARKS if length <= one * 7), length)
        is_round = [(_as_utc(bar.start) - ORIGIN) % every < self.step for bar in self.bars]
        is_round[0] &= edges_around(self.start, self.start, self.step)[0] == self.start
        return [number for number, is_one in enumerate(is_round) if is_one]


def _as_utc(moment: datetime) -> datetime:
    """What the reader's clock shows, as if it were UTC."""
    local = timezone.localtime(moment)
    return local.replace(tzinfo=UTC)


def histogram(figures: Figures, now: datetime) -> Histogram | None:
    """Of the time that is filtered by, else of that in which there are logs; None where there is none.

    Where a search ended before it had looked at everything, it is of the time that it had looked at: it knows of no other.
    """
    criteria = figures.criteria
    first = figures.looked_from or criteria.since
    until = None if criteria.is_until_now else criteria.until
    start, end = first, until or now
    if start is None:
        reach = figures.reach()
        if reach is None:
            return None
        start, end = reach[0], min(end, max(reach[1], reach[0] + FINEST))
    if start >= end:
        return None
    step = fitting_step(end - start)
    if step < FINEST and figures.criteria.is_of_kinds and (figures.total.number or 0) > COUNTED_FINELY:
        step = FINEST
    edges = edges_around(start, end, step)
    if first is not None:
        edges[0] = start
    if until is not None:
        edges[-1] = end
    counts: list[dict[State, int]] = [{} for _bar in edges[1:]]
    for number, state, logs in figures.by_bar(edges):
        counts[number][State(state)] = logs
    drawn = stacks([[one.get(state, 0) for state in ORDER] for one in counts], WIDTH, HEIGHT)
    bars = [Bar(*span, has, parts) for span, has, parts in zip(pairwise(edges), counts, drawn, strict=True)]
    return Histogram(step, bars)
