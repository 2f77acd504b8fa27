"""The Overview: what broke, since when, whether it has recovered, and what is blocked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..db.timeouts import BoundedCount
from ..delivery.queue_summary import (
    blocked_queues,
    count_queued,
    is_blocked,
    next_events_of,
    oldest_waiting_since,
    total_waiting,
)
from ..models import Subscription, WebhookLog
from .boundary_logs import fetch_boundary_logs
from .failure_groups import FailureGroup, failure_groups, group_lookups
from .group_counts import failure_kinds
from .period import Period
from .receiver_state import LastAttempts, attempt_lookups, last_attempts
from .traffic import ALL_STATES, Traffic, traffic_for

TOP_SHOWN = 5  # subscriptions
BLOCKED_SHOWN = 8
MAX_LOOKUPS = 200  # failing subscriptions that are checked for recovery


@dataclass(frozen=True)
class FailingSubscription:
    """A subscription with failures in this period."""

    subscription: Any
    traffic: Traffic | None
    attempts: LastAttempts

    @property
    def has_recovered(self) -> bool:
        """Not while its queue is blocked, whatever was delivered before."""
        return self.attempts.has_recovered_since and not is_blocked(self.subscription)

    @property
    def is_paused(self) -> bool:
        return self.subscription.paused_at is not None


@dataclass(frozen=True)
class Overview:
    """`largest`: the failure group with the most logs. `failing`: the subscriptions with failures, most failures first.
    `newest`: the newest log of any time.

    Waiting logs are counted only in queues that are shown: those of `worst` and `blocked_shown`. `waiting` is a bounded sum over
    all queues.
    """

    period: Period
    traffic: Traffic
    largest: FailureGroup | None
    group_count: BoundedCount
    failing: list[FailingSubscription]
    failing_count: BoundedCount
    blocked: list[Any]
    waiting: BoundedCount
    oldest_waiting: datetime | None
    newest: WebhookLog | None

    @property
    def worst(self) -> list[FailingSubscription]:
        return self.failing[:TOP_SHOWN]

    @property
    def blocked_shown(self) -> list[Any]:
        return self.blocked[:BLOCKED_SHOWN]

    @property
    def still_failing(self) -> int | None:
        """How many subscriptions have delivered nothing since their last failure; None if there are too many to check."""
        if self.failing_count.is_least or self.failing_count.number != len(self.failing):
            return None
        return sum(not failing.attempts.has_recovered_since for failing in self.failing)

    @property
    def is_clear(self) -> bool:
        """Whether no log of this period is failed, no queue is blocked, and something was delivered."""
        return not self.traffic.now.failed and not self.blocked and bool(self.traffic.now.delivered)


def build_overview(user, period: Period) -> Overview:
    """Nine queries, however many logs and subscriptions there are, and however many logs wait."""
    subscriptions = next_events_of(Subscription.objects.visible_to(user))
    visible = None if user.is_superuser else list(subscriptions)
    kinds = failure_kinds(period, visible)
    largest = [kind for kind in kinds.failures if kind.subscription in subscriptions][:1]
    failing = [pk for pk, _number in kinds.failed_of.most_common() if pk in subscriptions]
    traffic = traffic_for(period, visible, apart=set(failing[:TOP_SHOWN]))
    checked = failing[:MAX_LOOKUPS]
    results = fetch_boundary_logs([*group_lookups(largest), *attempt_lookups(kinds, checked)])
    attempts = last_attempts(period, kinds, checked, results)
    groups = failure_groups(period, largest, subscriptions, results, attempts)
    overview = Overview(
        period=period,
        traffic=traffic[ALL_STATES],
        largest=groups[0] if groups else None,
        group_count=kinds.counted(len(kinds.failures)),
        failing=[FailingSubscription(subscriptions[pk], traffic.get(pk), attempts[pk]) for pk in checked],
        failing_count=kinds.counted(len(failing)),
        blocked=blocked_queues(subscriptions.values()),
        waiting=total_waiting(subscriptions.values()),
        oldest_waiting=oldest_waiting_since(subscriptions.values()),
        newest=None if traffic[ALL_STATES].now.total else _newest(user),
    )
    count_queued([*(failing.subscription for failing in overview.worst), *overview.blocked_shown])
    return overview


def _newest(user) -> WebhookLog | None:
    return WebhookLog.objects.visible_to(user).newest_first().only("created_at").first()
