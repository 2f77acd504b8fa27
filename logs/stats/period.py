"""The period that a page shows, and the period of equal length before it to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .buckets import bucket_condition, bucket_floor, end_of_range

TIME_RANGES = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
# The length of a bar: a width of buckets or a multiple of five minutes, so that few rows are read.
RANGE_STEPS = {
    "15m": timedelta(minutes=5),
    "1h": timedelta(minutes=5),
    "24h": timedelta(minutes=30),
    "7d": timedelta(hours=6),
    "30d": timedelta(days=1),
}
LABEL_EVERY = {
    "15m": 1,
    "1h": 3,
    "24h": 8,
    "7d": 4,
    "30d": 5,
}  # every nth step is labelled, so that labels are round times
RANGE_LABELS: dict[str, Promise] = {
    "15m": _("in the last 15 minutes"),
    "1h": _("in the last hour"),
    "24h": _("in the last 24 hours"),
    "7d": _("in the last 7 days"),
    "30d": _("in the last 30 days"),
}


@dataclass(frozen=True)
class Period:
    """The range of this name until now. It starts with a bucket, as in the explorer, so that the numbers agree."""

    name: str
    now: datetime

    @property
    def words(self) -> Promise:
        return RANGE_LABELS[self.name]

    @property
    def start(self) -> datetime:
        return bucket_floor(self.now - TIME_RANGES[self.name])

    @property
    def end(self) -> datetime:
        """A little later than now. Logs dated further in the future belong to no period."""
        return end_of_range(self.now)

    @property
    def previous_start(self) -> datetime:
        return self.start - TIME_RANGES[self.name]

    @property
    def step(self) -> timedelta:
        return RANGE_STEPS[self.name]

    @cached_property
    def bucket_starts(self) -> list[datetime]:
        """Steps are counted in UTC: the first one began before the period, and the last one isn't over."""
        first = bucket_floor(self.start, self.step)
        return [first + self.step * index for index in range((self.now - first) // self.step + 1)]

    @property
    def labelled(self) -> list[tuple[float, datetime]]:
        """The labels of a chart's axis: (percent of its width, start of the step). There is no room for one at the end."""
        starts = self.bucket_starts
        places = range(0, len(starts) * 9 // 10 + 1, LABEL_EVERY[self.name])
        return [(100 * place / len(starts), starts[place]) for place in places]

    @property
    def buckets(self) -> Q:
        """The buckets of this period, none wider than a step."""
        return self._to_end(self.step)

    @property
    def wide_buckets(self) -> Q:
        """The same time in as few buckets as possible."""
        return self._to_end(None)

    def _to_end(self, widest: timedelta | None) -> Q:
        present = bucket_floor(self.now)
        return bucket_condition(self.start, present, widest) | bucket_condition(present, self.end, widest)

    @property
    def previous_buckets(self) -> Q:
        return bucket_condition(self.previous_start, self.start)

    @property
    def is_now(self) -> Q:
        """Whether a bucket of either period is in this one."""
        return Q(bucket__gte=self.start)
