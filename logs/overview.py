"""The figures of the Overview: what was delivered and what failed in a time, against the time before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, F, FloatField, Max, Min, Q

from .models import State, Subscription, WebhookLog

WORST = 5
RECENT = 10


class Percentile(Aggregate):
    """PostgreSQL's percentile_cont: `Percentile("duration_ms", 0.95)`."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: str, fraction: float, **extra) -> None:
        super().__init__(expression, fraction=fraction, output_field=FloatField(), **extra)


@dataclass(frozen=True)
class Figures:
    """Of one stretch of time. `p95_ms` is None where no attempt was timed: imported logs tell no durations."""

    delivered: int
    failed: int
    p95_ms: float | None

    @property
    def success_percent(self) -> float | None:
        settled = self.delivered + self.failed
        return 100 * self.delivered / settled if settled else None


@dataclass(frozen=True)
class Overview:
    now: Figures
    before: Figures
    worst: list[Subscription]
    recent_failures: list[WebhookLog]
    newest: WebhookLog | None


def overview_of(user, start: datetime, length: timedelta) -> Overview:
    """What the user may see of `length` from `start` on. Five queries, each bounded by the time or a limit."""
    logs = WebhookLog.objects.visible_to(user)
    within = logs.since(start).before(start + length)
    worst = (
        within.failed()
        .values("subscription")
        .annotate(failed=Count("pk"), first=Min("created_at"), last=Max("created_at"))
        .order_by("-failed", "subscription")[:WORST]
    )
    return Overview(
        now=_figures(within),
        before=_figures(logs.since(start - length).before(start)),
        worst=_with_health(list(worst), within),
        recent_failures=list(within.failed().for_list().newest_first()[:RECENT]),
        newest=logs.newest_first().only("created_at").first(),
    )


def _figures(logs) -> Figures:
    found = logs.aggregate(
        delivered=Count("pk", filter=Q(state=State.SUCCEEDED)),
        failed=Count("pk", filter=Q(state=State.FAILED)),
        p95_ms=Percentile(F("duration_ms"), 0.95),
    )
    return Figures(**found)


def _with_health(worst: list[dict], within) -> list[Subscription]:
    """The subscriptions, each with what failed, since when, and whether anything was received after the last failure."""
    subscriptions = Subscription.objects.in_bulk([row["subscription"] for row in worst])
    received = dict(
        within.succeeded()
        .filter(subscription__in=subscriptions)
        .values("subscription")
        .annotate(number=Count("pk"), last=Max("created_at"))
        .values_list("subscription", "last")
    )
    found = []
    for row in worst:
        subscription = subscriptions[row["subscription"]]
        subscription.failed, subscription.first_failure, subscription.last_failure = row["failed"], row["first"], row["last"]
        subscription.last_success = received.get(subscription.pk)
        subscription.has_recovered = bool(subscription.last_success and subscription.last_success > row["last"])
        found.append(subscription)
    return found
