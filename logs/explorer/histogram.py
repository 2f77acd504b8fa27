"""The logs that match over time, as bars: failures on the base line, so that they stand out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from ..charts import Stack, stacks
from ..models import State
from ..rollups.spans import FINEST, ORIGIN, ceiling, floor
from .figures import Figures

WIDTH, HEIGHT = 960, 100  # of the viewBox
MOST_BARS = 100
_SECONDS = (15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 86400, 7 * 86400, 28 * 86400)
STEPS = tuple(timedelta(seconds=seconds) for seconds in _SECONDS)
MARKS = sorted({*STEPS, *(timedelta(days=days) for days in (2, 4, 14, 56, 112, 364))})
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
    """`bars` stand side by side without a gap in time, empty ones too."""

    start: datetime
    end: datetime
    step: timedelta
    bars: list[Bar]

    @property
    def highest(self) -> int:
        return max((bar.total for bar in self.bars), default=0)

    @property
    def totals(self) -> dict[State, int]:
        found = {state: sum(bar.counts.get(state, 0) for bar in self.bars) for state in ORDER}
        return {state: number for state, number in found.items() if number}

    @property
    def ticks(self) -> list[datetime]:
        """Where the axis is labelled, some seven times: at round times of the reader's zone, as far as bars begin there."""
        length = self.end - self.start
        every = next((one for one in MARKS if length <= one * 7), length)
        return [bar.start for bar in self.bars if (_as_utc(bar.start) - ORIGIN) % every < self.step]


def _as_utc(moment: datetime) -> datetime:
    """What the reader's clock shows, as if it were UTC."""
    local = timezone.localtime(moment)
    return local.replace(tzinfo=UTC)


def histogram(figures: Figures, now: datetime) -> Histogram | None:
    """Of the time that is filtered by, else of that in which there are logs; None where there is none."""
    criteria = figures.criteria
    start, end = criteria.since, criteria.until or now
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
    start, end = floor(start, step), ceiling(end, step)
    counts: dict[datetime, dict[State, int]] = {}
    for moment, state, number in figures.by_step(start, end, step):
        here = counts.setdefault(moment, {})
        here[State(state)] = here.get(State(state), 0) + number
    starts = [start + step * index for index in range((end - start) // step)]
    rows = [[counts.get(moment, {}).get(state, 0) for state in ORDER] for moment in starts]
    drawn = stacks(rows, WIDTH, HEIGHT)
    bars = [
        Bar(moment, moment + step, counts.get(moment, {}), parts) for moment, parts in zip(starts, drawn, strict=True)
    ]
    return Histogram(start, end, step, bars)


def fitting_step(length: timedelta) -> timedelta:
    """The finest with which there are not too many bars."""
    return next((step for step in STEPS if length <= step * (MOST_BARS - 1)), STEPS[-1])
