"""How well subscriptions did in the last seven days, for their list: a few queries for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from ..delivery.queue_summary import count_queued, is_blocked, next_events_of, oldest_waiting_since
from ..models import LogCount, State, Subscription, WebhookLog
from ..payloads.tokens import fold_accents
from .buckets import bucket_floor
from .period import Period
from .queries import TOTAL_WIDTH, log_counts, percentiles
from .receiver_state import last_failures, latest_of
from .traffic import Traffic, TrafficStats, traffic_by_subscription

HEALTH_RANGE = "7d"


@dataclass(frozen=True)
class SubscriptionRow:
    """`subscription`: a subscription from `next_events_of`, with `failed_at` (last failed attempt) and `last_at` (newest log)."""

    subscription: Any
    traffic: Traffic

    @property
    def figures(self) -> TrafficStats:
        return self.traffic.now

    @property
    def success_percent(self) -> float | None:
        return self.figures.success_percent

    @property
    def is_blocked(self) -> bool:
        return is_blocked(self.subscription)

    @property
    def last_failure(self) -> datetime | None:
        return self.subscription.failed_at

    @property
    def last_log(self) -> datetime | None:
        return self.subscription.last_at


@dataclass(frozen=True)
class SubscriptionList:
    """The subscriptions that are shown, out of `count`, in the requested order. Those without a value to sort by come last."""

    rows: list[SubscriptionRow]
    count: int
    blocked: int
    companies: int

    @property
    def is_cut(self) -> bool:
        return len(self.rows) < self.count


def subscription_rows(subscriptions: QuerySet[Subscription], now: datetime, most: int, sort: str) -> SubscriptionList:
    """`sort`: one of `SUBSCRIPTION_SORTS`, ascending; with a minus before it, descending."""
    queues = next_events_of(_with_newest(subscriptions).select_related("company"))
    period = Period(HEALTH_RANGE, now)
    column = sort.removeprefix("-")
    figures: Mapping[str, TrafficStats] = {}
    if column == "success":
        figures = _figures(LogCount.objects.filter(period.wide_buckets, subscription__in=queues))
    elif column == "waiting" and (oldest := oldest_waiting_since(queues.values())):
        figures = _figures(log_counts(bucket_floor(oldest), None, list(queues)))
    p95s = percentiles(period.start, period.end, list(queues), by="subscription") if column == "p95" else {}
    if column == "failure":
        _add_failures(queues, queues)
    order = _in_order(
        queues.values(),
        lambda subscription: SUBSCRIPTION_SORTS[column](subscription, figures, p95s),
        is_descending=sort != column,
    )
    shown = [subscription.pk for subscription in order[:most]]
    if column != "failure":
        _add_failures(queues, shown)
    count_queued([queues[pk] for pk in shown])
    if column == "waiting":
        counted = _in_order(
            order[:most], lambda subscription: subscription.queued_count or None, is_descending=sort != column
        )
        shown = [subscription.pk for subscription in counted]
    traffic = traffic_by_subscription(period, shown)
    return SubscriptionList(
        rows=[SubscriptionRow(queues[pk], traffic[pk]) for pk in shown],
        count=len(queues),
        blocked=sum(map(is_blocked, queues.values())),
        companies=len({subscription.company_id for subscription in queues.values()}),
    )


def _with_newest(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    logs = WebhookLog.objects.filter(subscription=OuterRef("pk")).newest_first()
    return subscriptions.annotate(
        failed_at=Subquery(logs.failed().values("created_at")[:1]),
        last_at=Subquery(logs.values("created_at")[:1]),
    )


def _add_failures(subscriptions: Mapping[str, Any], subscription_ids: Collection[str]) -> None:
    """The time of the newest failed log stays if no attempt of ours is newer, as with imported logs."""
    for pk, failed_at in last_failures(subscription_ids).items():
        subscriptions[pk].failed_at = latest_of(subscriptions[pk].failed_at, failed_at)


def _figures(counts: QuerySet[LogCount]) -> dict[str, TrafficStats]:
    """Figures to sort the subscriptions by. Those that are shown are read step by step afterwards."""
    figures: dict[str, TrafficStats] = {}
    for pk, state, number in counts.order_by().values_list("subscription", "state").annotate(n=TOTAL_WIDTH):
        figures.setdefault(pk, TrafficStats(Counter())).states[state] += number
    return figures


def _success(subscription: Any, figures: Mapping[str, TrafficStats]) -> float | None:
    return figures[subscription.pk].success_percent if subscription.pk in figures else None


def _open_logs(subscription: Any, figures: Mapping[str, TrafficStats]) -> int | None:
    """How many logs have no outcome yet, counted from the oldest event that waits in any of the queues.

    Counting the waiting logs of all queues would cost more the more of them there are.
    """
    states = figures[subscription.pk].states if subscription.pk in figures else Counter()
    return max(states[State.PENDING] + states[State.RETRYING], 1) if subscription.has_queued else None


# The value that each order sorts by; None if a subscription has none.
SUBSCRIPTION_SORTS: dict[str, Callable[[Any, Mapping[str, TrafficStats], Mapping[str, float | None]], Any]] = {
    "success": lambda subscription, figures, _p95s: _success(subscription, figures),
    "name": lambda subscription, _figures, _p95s: fold_accents(subscription.name),
    "p95": lambda subscription, _figures, p95s: p95s.get(subscription.pk),
    "failure": lambda subscription, _figures, _p95s: subscription.failed_at,
    "log": lambda subscription, _figures, _p95s: subscription.last_at,
    # Open logs decide which subscriptions are shown; waiting logs decide their order.
    "waiting": lambda subscription, figures, _p95s: _open_logs(subscription, figures),
}


def _in_order(subscriptions: Iterable[Any], value: Callable[[Any], Any], *, is_descending: bool) -> list[Any]:
    by_name = sorted(subscriptions, key=lambda subscription: (subscription.name, subscription.pk))
    with_value = [subscription for subscription in by_name if value(subscription) is not None]
    without = [subscription for subscription in by_name if value(subscription) is None]
    return sorted(with_value, key=value, reverse=is_descending) + without
