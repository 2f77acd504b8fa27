"""How one subscription did in the last seven days: its figures, its failures that are alike, and when it last received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Min

from ..delivery.queue_summary import is_blocked
from ..models import Cell, State
from .boundary_logs import look_up
from .failure_groups import FailureGroup, groups_of, questions, with_bars
from .group_counts import END, Kind, Kinds, moment
from .period import Period
from .queries import TOTAL
from .receiver_state import LastAttempts, last_attempts, questions_about
from .subscription_list import RANGE
from .traffic import ALL, Traffic, add_durations, bars, step_or_earlier

TOP = 5
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SubscriptionHealth:
    """`groups`: the largest of `group_count`. `received_at`: when the newest log that was delivered came in."""

    traffic: Traffic
    groups: list[FailureGroup]
    group_count: int
    received_at: datetime | None
    attempts: LastAttempts
    is_blocked: bool

    @property
    def has_recovered(self) -> bool:
        """Not while its lane is blocked, whatever it received before."""
        return self.attempts.has_received_since and not self.is_blocked

    @property
    def failing_since(self) -> datetime:
        """Since when somebody would re-deliver what failed: since the last success, or, where it has recovered, for a day."""
        if self.has_recovered:
            return self.traffic.period.now - A_DAY
        return self.received_at or self.traffic.period.start


def subscription_health(lane, now: datetime) -> SubscriptionHealth:
    """`lane`: a subscription of `with_lanes`. Four queries."""
    period = Period(RANGE, now)
    rows = _rows(period, lane.pk)
    traffic = _traffic(period, rows)
    add_durations({ALL: traffic}, period, [lane.pk])
    kinds = Kinds(sorted(_kinds(rows), key=lambda kind: -kind.number))
    top = kinds.failures[:TOP]
    told = look_up([*questions(top), *questions_about(kinds, [lane.pk])])
    attempts = last_attempts(period, kinds, [lane.pk], told)
    groups = groups_of(period, top, {lane.pk: lane}, told, attempts)
    success = kinds.newest_success(lane.pk)
    return SubscriptionHealth(
        traffic=traffic,
        groups=with_bars(groups, {kind: bars(period, _over_time(period, rows, kind)) for kind in top}),
        group_count=len(kinds.failures),
        received_at=moment(told.get(success)) if success else None,
        attempts=attempts[lane.pk],
        is_blocked=is_blocked(lane),
    )


@dataclass(frozen=True)
class _Row:
    """`number` logs of a kind in a step of the period; `step` None: in the time before it."""

    kind: tuple[str, str, str]  # state, cause, fingerprint
    step: datetime | None
    number: int
    since: datetime
    until: datetime
    lane: str


def _rows(period: Period, lane: str) -> list[_Row]:
    cells = Cell.objects.filter(period.buckets | period.earlier_buckets, subscription=lane).order_by()
    found = (
        cells.annotate(step_start=step_or_earlier(period))
        .values_list("state", "cause", "fingerprint", "step_start")
        .annotate(n=TOTAL, since=Min("bucket"), until=Max(END))
        .filter(n__gt=0)
    )
    last = period.step_starts[-1]
    return [
        _Row((state, cause, fingerprint), step and min(step, last), number, since, until, lane)
        for state, cause, fingerprint, step, number, since, until in found
    ]


def _traffic(period: Period, rows: Iterable[_Row]) -> Traffic:
    traffic = Traffic(period)
    for row in rows:
        traffic.add(row.step, row.kind[0], row.number)
    return traffic


def _kinds(rows: Iterable[_Row]) -> list[Kind]:
    numbers: Counter[tuple[str, str, str]] = Counter()
    reaches: dict[tuple[str, str, str], tuple[datetime, datetime]] = {}
    for row in rows:
        if row.step is not None and row.kind[0] in (State.FAILED, State.SUCCEEDED):
            numbers[row.kind] += row.number
            since, until = reaches.get(row.kind, (row.since, row.until))
            reaches[row.kind] = min(since, row.since), max(until, row.until)
    lane = next((row.lane for row in rows), "")
    return [Kind(lane, *kind, number, *reaches[kind]) for kind, number in numbers.items()]


def _over_time(period: Period, rows: Iterable[_Row], kind: Kind) -> list[tuple[int, int]]:
    numbers: Counter[datetime | None] = Counter()
    for row in rows:
        if row.kind == (kind.state, kind.cause, kind.fingerprint):
            numbers[row.step] += row.number
    return [(numbers[start], 0) for start in period.step_starts]
