"""How many logs of each state there are, step by step, and how long they took: for all subscriptions, and for some separately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from django.db.models import Case, CharField, DateTimeField, F, Func, QuerySet, Value, When

from ..models import DurationCount, LogCount, State
from .buckets import BUCKET_ORIGIN
from .charts import Stack, stacked_bars
from .period import Period
from .queries import TOTAL_WIDTH, percentile

ALL_STATES = ""  # the key for all subscriptions together
FAILING_BELOW_PERCENT = 90  # percent: below it the figure is red
CHART_WIDTH = 960


@dataclass
class TrafficStats:
    """Figures of one period. `p95_ms` is None if no attempt was timed: imported logs have no durations."""

    states: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)  # of durations

    @property
    def total(self) -> int:
        """All logs, whatever their state."""
        return self.states.total()

    @property
    def delivered(self) -> int:
        return self.states[State.DELIVERED]

    @property
    def failed(self) -> int:
        return self.states[State.FAILED]

    @property
    def success_percent(self) -> float | None:
        """Of the delivered and failed logs; None if there are none. Rounded down, so that "100.0 %" means that nothing failed."""
        finished = self.delivered + self.failed
        return 1000 * self.delivered // finished / 10 if finished else None

    @property
    def is_failing(self) -> bool:
        return self.success_percent is not None and self.success_percent < FAILING_BELOW_PERCENT

    @cached_property
    def p95_ms(self) -> float | None:
        return percentile(self.bins)


@dataclass(frozen=True)
class TrafficBar:
    """One step. `parts`: what is drawn; 0 is its failures and 1 its deliveries."""

    start: datetime
    end: datetime
    failed: int
    delivered: int
    parts: Stack


def traffic_bars(
    period: Period, counts: Sequence[tuple[int, int]], width: float = 240, gap: float = 1
) -> list[TrafficBar]:
    """`counts`: (failed, delivered) of each step of the period. Failures are on the base line."""
    drawn = zip(period.bucket_starts, counts, stacked_bars(counts, width, 100, gap), strict=True)
    return [TrafficBar(start, start + period.step, *numbers, parts) for start, numbers, parts in drawn]


@dataclass
class Traffic:
    """The traffic of this period, of the period before, and of each step of this period."""

    period: Period
    now: TrafficStats = field(default_factory=TrafficStats)
    earlier: TrafficStats = field(default_factory=TrafficStats)
    buckets: dict[datetime, Counter[str]] = field(default_factory=dict)

    def add(self, step: datetime | None, state: str, number: int) -> None:
        """Add `number` logs to a step; None means the period before. Logs dated ahead of our clock belong to the last step."""
        if step is None:
            self.earlier.states[state] += number
            return
        self.now.states[state] += number
        self.buckets.setdefault(min(step, self.period.bucket_starts[-1]), Counter())[state] += number

    @property
    def failed_delta(self) -> int:
        return self.now.failed - self.earlier.failed

    @cached_property
    def counts(self) -> list[tuple[int, int]]:
        """(failed, delivered) of each step."""
        steps = [self.buckets.get(start, Counter()) for start in self.period.bucket_starts]
        return [(states[State.FAILED], states[State.DELIVERED]) for states in steps]

    @cached_property
    def bars(self) -> list[TrafficBar]:
        return traffic_bars(self.period, self.counts)

    @cached_property
    def chart(self) -> list[TrafficBar]:
        """Bars of failures alone, because a busy day would dwarf them; of deliveries if nothing failed."""
        if not self.now.failed:
            return traffic_bars(self.period, self.counts, CHART_WIDTH, gap=2)
        drawn = traffic_bars(self.period, [(failed, 0) for failed, _delivered in self.counts], CHART_WIDTH, gap=2)
        return [replace(bar, delivered=delivered) for bar, (_failed, delivered) in zip(drawn, self.counts, strict=True)]

    @property
    def highest(self) -> int:
        """The largest number of logs in one bar of the chart."""
        place = 0 if self.now.failed else 1
        return max(numbers[place] for numbers in self.counts)


def traffic_for(period: Period, subscriptions: Sequence[str] | None, apart: Collection[str] = ()) -> dict[str, Traffic]:
    """The traffic of all the subscriptions (None: every one) under `ALL_STATES`, and of each one in `apart`. Two queries."""
    traffic = {who: Traffic(period) for who in (ALL_STATES, *apart)}
    counts = _of(LogCount.objects.filter(period.buckets | period.previous_buckets), subscriptions)
    rows = counts.annotate(who=_who(apart), step_start=bucket_expression(period))
    for who, step, state, number in (
        rows.values_list("who", "step_start", "state").annotate(n=TOTAL_WIDTH).filter(n__gt=0)
    ):
        for key in {who, ALL_STATES}:
            traffic[key].add(step, state, number)
    add_durations(traffic, period, subscriptions)
    return traffic


def bucket_expression(period: Period) -> Case:
    """For a bucket of either period: the start of its step; NULL if it is in the period before."""
    binned = Func(
        Value(period.step), F("bucket"), Value(BUCKET_ORIGIN), function="date_bin", output_field=DateTimeField()
    )
    return Case(When(period.is_now, then=binned), output_field=DateTimeField())


def add_durations(traffic: dict[str, Traffic], period: Period, subscriptions: Sequence[str] | None) -> None:
    """Add the durations to each traffic, by its subscription. One query."""
    is_now = Case(When(period.is_now, then=True), default=False)
    counts = _of(DurationCount.objects.filter(period.wide_buckets | period.previous_buckets), subscriptions)
    rows = counts.annotate(who=_who([key for key in traffic if key != ALL_STATES]), is_now=is_now)
    for who, now, number, count in rows.values_list("who", "is_now", "bin").annotate(n=TOTAL_WIDTH).filter(n__gt=0):
        for key in {who, ALL_STATES}:
            (traffic[key].now if now else traffic[key].earlier).bins[number] += count


def traffic_by_subscription(period: Period, subscriptions: Sequence[str]) -> dict[str, Traffic]:
    """The traffic of each subscription, without the period before. Two queries."""
    traffic = {pk: Traffic(period) for pk in subscriptions}
    counts = _of(LogCount.objects.filter(period.buckets), subscriptions).annotate(step_start=bucket_expression(period))
    for pk, step, state, number in counts.values_list("subscription", "step_start", "state").annotate(n=TOTAL_WIDTH):
        traffic[pk].add(step, state, number)
    durations = _of(DurationCount.objects.filter(period.wide_buckets), subscriptions)
    for pk, number, count in durations.values_list("subscription", "bin").annotate(n=TOTAL_WIDTH):
        traffic[pk].now.bins[number] += count
    return traffic


def _of(counts: QuerySet, subscriptions: Sequence[str] | None) -> QuerySet:
    return counts.order_by() if subscriptions is None else counts.order_by().filter(subscription__in=subscriptions)


def _who(apart: Collection[str]) -> Case:
    whens = [When(subscription__in=list(apart), then=F("subscription"))] if apart else []
    return Case(*whens, default=Value(ALL_STATES), output_field=CharField())
