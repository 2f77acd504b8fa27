"""How one subscription did in the last seven days: its figures, its failure groups, and its last delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Min

from ..delivery.queue_summary import is_blocked
from ..models import LogCount, State
from .boundary_logs import fetch_boundary_logs
from .failure_groups import FailureGroup, failure_groups, group_lookups, with_bars
from .group_counts import END_OF_TIME, FailureKind, FailureKinds, created_at_of
from .period import Period
from .queries import TOTAL_WIDTH
from .receiver_state import LastAttempts, attempt_lookups, last_attempts
from .subscription_list import HEALTH_RANGE
from .traffic import ALL_STATES, Traffic, add_durations, bucket_expression, traffic_bars

TOP_GROUPS = 5
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SubscriptionHealth:
    """`groups`: the largest of `group_count`. `delivered_at`: when the newest delivered log was created."""

    traffic: Traffic
    groups: list[FailureGroup]
    group_count: int
    delivered_at: datetime | None
    attempts: LastAttempts
    is_blocked: bool

    @property
    def has_recovered(self) -> bool:
        """Not while its queue is blocked, whatever was delivered before."""
        return self.attempts.has_recovered_since and not self.is_blocked

    @property
    def failing_since(self) -> datetime:
        """From when on somebody would redeliver failures: since the last success, or for one day if it has recovered."""
        if self.has_recovered:
            return self.traffic.period.now - ONE_DAY
        return self.delivered_at or self.traffic.period.start


def subscription_health(subscription, now: datetime) -> SubscriptionHealth:
    """`subscription`: a subscription from `with_queue_status`. Four queries."""
    period = Period(HEALTH_RANGE, now)
    rows = _rows(period, subscription.pk)
    traffic = _traffic(period, rows)
    add_durations({ALL_STATES: traffic}, period, [subscription.pk])
    kinds = FailureKinds(sorted(_kinds(rows), key=lambda kind: -kind.number))
    top = kinds.failures[:TOP_GROUPS]
    results = fetch_boundary_logs([*group_lookups(top), *attempt_lookups(kinds, [subscription.pk])])
    attempts = last_attempts(period, kinds, [subscription.pk], results)
    groups = failure_groups(period, top, {subscription.pk: subscription}, results, attempts)
    success = kinds.newest_success(subscription.pk)
    return SubscriptionHealth(
        traffic=traffic,
        groups=with_bars(groups, {kind: traffic_bars(period, _over_time(period, rows, kind)) for kind in top}),
        group_count=len(kinds.failures),
        delivered_at=created_at_of(results.get(success)) if success else None,
        attempts=attempts[subscription.pk],
        is_blocked=is_blocked(subscription),
    )


@dataclass(frozen=True)
class _Row:
    """`number` logs with the same values in a step of the period. `step` None: in the period before."""

    kind: tuple[str, str, str]  # state, cause, fingerprint
    step: datetime | None
    number: int
    since: datetime
    until: datetime
    subscription_id: str


def _rows(period: Period, subscription_id: str) -> list[_Row]:
    counts = LogCount.objects.filter(period.buckets | period.previous_buckets, subscription=subscription_id).order_by()
    rows = (
        counts.annotate(step_start=bucket_expression(period))
        .values_list("state", "cause", "fingerprint", "step_start")
        .annotate(n=TOTAL_WIDTH, since=Min("bucket"), until=Max(END_OF_TIME))
        .filter(n__gt=0)
    )
    last = period.bucket_starts[-1]
    return [
        _Row((state, cause, fingerprint), step and min(step, last), number, since, until, subscription_id)
        for state, cause, fingerprint, step, number, since, until in rows
    ]


def _traffic(period: Period, rows: Iterable[_Row]) -> Traffic:
    traffic = Traffic(period)
    for row in rows:
        traffic.add(row.step, row.kind[0], row.number)
    return traffic


def _kinds(rows: Iterable[_Row]) -> list[FailureKind]:
    numbers: Counter[tuple[str, str, str]] = Counter()
    reaches: dict[tuple[str, str, str], tuple[datetime, datetime]] = {}
    for row in rows:
        if row.step is not None and row.kind[0] in (State.FAILED, State.DELIVERED):
            numbers[row.kind] += row.number
            since, until = reaches.get(row.kind, (row.since, row.until))
            reaches[row.kind] = min(since, row.since), max(until, row.until)
    subscription_id = next((row.subscription_id for row in rows), "")
    return [FailureKind(subscription_id, *kind, number, *reaches[kind]) for kind, number in numbers.items()]


def _over_time(period: Period, rows: Iterable[_Row], kind: FailureKind) -> list[tuple[int, int]]:
    numbers: Counter[datetime | None] = Counter()
    for row in rows:
        if row.kind == (kind.state, kind.cause, kind.fingerprint):
            numbers[row.step] += row.number
    return [(numbers[start], 0) for start in period.bucket_starts]
