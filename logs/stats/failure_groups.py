"""Failure groups: failures of one subscription with one cause and one fingerprint.

`list_failures` returns those of a period, for the page of failure groups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.crypto import salted_hmac

from ..db.timeouts import BoundedCount
from ..delivery.fingerprint_limit import OTHER_FINGERPRINT
from ..delivery.queue_summary import count_queued, is_blocked, next_events_of
from ..models import Cause, State, Subscription
from .boundary_logs import LogLookup, LookupResult, fetch_boundary_logs
from .group_counts import FailureKind, failure_kinds
from .period import Period
from .queries import TOTAL_WIDTH, log_counts_by_step
from .receiver_state import LastAttempts, attempt_lookups, last_attempts
from .traffic import TrafficBar, traffic_bars

GROUPS_SHOWN = 50
MAX_GROUPS = 500  # that are read; nobody would look at more


@dataclass(frozen=True)
class FailureList:
    """`count` groups with `failed` logs in total. `groups` are shown."""

    groups: list[FailureGroup]
    count: BoundedCount
    failed: BoundedCount

    @property
    def is_cut(self) -> bool:
        return self.count.is_least or len(self.groups) < (self.count.number or 0)

    @property
    def still_failing(self) -> int:
        return sum(not group.has_recovered for group in self.groups)


def list_failures(
    user, period: Period, subscriptions: Collection[str], causes: Collection[str], *, newest_first: bool, all_: bool
) -> FailureList:
    """The failure groups of these subscriptions and causes; if none are chosen, of all that the user may see. Six queries.

    Waiting logs are counted only where the number is shown: in paused queues.
    """
    visible = next_events_of(Subscription.objects.visible_to(user))
    subscription_ids = list(subscriptions) or (None if user.is_superuser else list(visible))
    kinds = failure_kinds(period, subscription_ids)
    matching = [
        kind for kind in kinds.failures if kind.subscription in visible and (not causes or kind.cause in causes)
    ]
    candidates = (
        sorted(matching, key=_last_bucket, reverse=True)[:MAX_GROUPS] if newest_first else matching[:MAX_GROUPS]
    )
    with_groups = subscription_ids_of(candidates)
    results = fetch_boundary_logs([*group_lookups(candidates), *attempt_lookups(kinds, with_groups)])
    attempts = last_attempts(period, kinds, with_groups, results)
    groups = failure_groups(period, candidates, visible, results, attempts)
    if newest_first:
        groups.sort(key=lambda group: group.last_at, reverse=True)
    shown = groups if all_ else groups[:GROUPS_SHOWN]
    count_queued([group.subscription for group in shown if group.is_paused])
    return FailureList(
        groups=with_bars(shown, failures_over_time(period, [group.kind for group in shown])),
        count=kinds.counted(len(matching)),
        failed=kinds.counted(sum(kind.number for kind in matching)),
    )


def _last_bucket(kind: FailureKind) -> tuple:
    return kind.until, kind.number


@dataclass(frozen=True)
class FailureGroup:
    """`first_at`, `last_at`: when its first and last logs were created. `failed_at`: when its receiver last failed like this.

    `subscription`: its subscription. `example`: its newest log, None if all of its logs have changed since they were counted.
    """

    period: Period
    kind: FailureKind
    subscription: Any
    first_at: datetime
    last_at: datetime
    failed_at: datetime
    example: LookupResult | None
    attempts: LastAttempts
    bars: list[TrafficBar] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.kind.number

    @property
    def key(self) -> str:
        """Names the group in a page, without saying anything about the responses."""
        kind = [self.kind.subscription, self.kind.cause, self.kind.fingerprint]
        return salted_hmac("logs.failure_group", repr(kind)).hexdigest()[:12]

    @property
    def cause_label(self) -> str:
        return str(dict(Cause.choices).get(self.kind.cause, self.kind.cause))

    @property
    def is_mixed(self) -> bool:
        """Whether its responses differ: the subscription had more different failures in a day than are kept apart."""
        return self.kind.fingerprint == OTHER_FINGERPRINT

    @property
    def has_recovered(self) -> bool:
        """Not while its queue is blocked, whatever was delivered before."""
        return self.attempts.has_delivered_after(self.failed_at) and not is_blocked(self.subscription)

    @property
    def is_paused(self) -> bool:
        return self.subscription.paused_at is not None

    @property
    def address(self) -> str:
        """The URL of its logs in the explorer."""
        return f"{reverse('logs:webhook_log_list')}?{self.query}"

    @property
    def query(self) -> str:
        """The filter that finds its logs."""
        query = {
            "state": State.FAILED,
            "subscription": self.kind.subscription,
            "cause": self.kind.cause,
            "fingerprint": self.kind.fingerprint,
            "range": self.period.name,
        }
        return urlencode({key: value for key, value in query.items() if value})


def group_lookups(shown: Sequence[FailureKind]) -> list[LogLookup]:
    """The lookups that these groups need."""
    return [*(kind.newest for kind in shown), *(kind.oldest for kind in shown)]


def subscription_ids_of(shown: Iterable[FailureKind]) -> list[str]:
    return list(dict.fromkeys(kind.subscription for kind in shown))


def failure_groups(
    period: Period,
    shown: Iterable[FailureKind],
    subscriptions: Mapping[str, Any],
    results: Mapping[LogLookup, LookupResult],
    attempts: Mapping[str, LastAttempts],
) -> list[FailureGroup]:
    """`results`: the results of `group_lookups`. `attempts`: of the subscriptions in `subscription_ids_of`. Without bars."""
    groups = []
    for kind in shown:
        newest, oldest = results.get(kind.newest), results.get(kind.oldest)
        last_at, last = newest.created_at if newest else kind.since, attempts[kind.subscription]
        groups.append(
            FailureGroup(
                period,
                kind,
                subscriptions[kind.subscription],
                first_at=oldest.created_at if oldest else kind.since,
                last_at=last_at,
                failed_at=max(
                    last_at, newest.finished_at if newest else last_at, last.failed_by.get(kind.cause, last_at)
                ),
                example=newest,
                attempts=last,
            )
        )
    return groups


def with_bars(groups: Iterable[FailureGroup], bars_of: Mapping[FailureKind, list[TrafficBar]]) -> list[FailureGroup]:
    return [replace(group, bars=bars_of[group.kind]) for group in groups]


def failures_over_time(period: Period, kinds: Sequence[FailureKind]) -> dict[FailureKind, list[TrafficBar]]:
    """The bars of each failure group. One query."""
    starts = period.bucket_starts
    counts = {kind: [(0, 0)] * len(starts) for kind in kinds}
    kind_of = {(kind.subscription, kind.cause, kind.fingerprint): kind for kind in kinds}
    for *key, step, number in _by_step(period, kinds):
        if kind := kind_of.get(tuple(key)):
            place = min((step - starts[0]) // period.step, len(starts) - 1)
            counts[kind][place] = counts[kind][place][0] + number, 0
    return {kind: traffic_bars(period, numbers) for kind, numbers in counts.items()}


def _by_step(period: Period, kinds: Sequence[FailureKind]) -> QuerySet:
    counts = log_counts_by_step(period.start, period.end, period.step, sorted({kind.subscription for kind in kinds}))
    fingerprints = sorted({kind.fingerprint for kind in kinds})
    failed = counts.filter(state=State.FAILED, fingerprint__in=fingerprints).order_by()
    columns = ("subscription", "cause", "fingerprint", "step_start")
    return failed.values_list(*columns).annotate(n=TOTAL_WIDTH).filter(n__gt=0)
