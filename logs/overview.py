"""The figures of the Overview: what was delivered and what failed in a time, against the time before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, DateTimeField, F, FloatField, Func, Max, Min, Q, Value

from .charts import Bar, stacked_bars
from .models import State, Subscription, WebhookLog

WORST = 5
RECENT = 10
BUCKETS = 48
CHART_WIDTH = 960


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
        """Of what is settled; None where nothing is. Cut, not rounded, so that 100 means that nothing failed."""
        settled = self.delivered + self.failed
        return 1000 * self.delivered // settled / 10 if settled else None


@dataclass(frozen=True)
class Trouble:
    """What failed of one subscription, since when, and when it last received something."""

    subscription: Subscription
    failed: int
    first_failure: datetime
    last_failure: datetime
    last_success: datetime | None

    @property
    def has_recovered(self) -> bool:
        return self.last_success is not None and self.last_success > self.last_failure


@dataclass(frozen=True)
class Overview:
    now: Figures
    before: Figures
    buckets: list[tuple[datetime, Bar]]  # the beginning of each 48th of the time, and its bar
    worst: list[Trouble]
    recent_failures: list[WebhookLog]
    newest: WebhookLog | None

    @property
    def highest(self) -> int:
        """The most logs in one bucket."""
        return max(bar.ok_count + bar.failed_count for _start, bar in self.buckets)

    @property
    def more_failed(self) -> int:
        return self.now.failed - self.before.failed

    @property
    def ticks(self) -> list[datetime]:
        """Where the axis of the chart is labelled."""
        return [start for start, _bar in self.buckets[:: BUCKETS // 6]]


def overview_of(user, start: datetime, length: timedelta) -> Overview:
    """What the user may see of `length` from `start` on. Each query is bounded by the time or by a limit."""
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
        buckets=_buckets(within, start, length / BUCKETS),
        worst=_troubles(list(worst), within),
        recent_failures=list(within.failed().for_list().newest_first()[:RECENT]),
        newest=logs.newest_first().only("created_at").first(),
    )


def _figures(logs) -> Figures:
    found = logs.aggregate(
        delivered=Count("pk", filter=Q(state=State.SUCCEEDED)),
        failed=Count("pk", filter=Q(state=State.FAILED)),
        p95_ms=Percentile("duration_ms", 0.95),
    )
    return Figures(**found)


def _buckets(within, start: datetime, step: timedelta) -> list[tuple[datetime, Bar]]:
    bucket = Func(Value(step), F("created_at"), Value(start), function="date_bin", output_field=DateTimeField())
    counted = within.values(bucket=bucket).annotate(
        delivered=Count("pk", filter=Q(state=State.SUCCEEDED)), failed=Count("pk", filter=Q(state=State.FAILED))
    )
    counts = [(0, 0)] * BUCKETS
    for row in counted.order_by():
        counts[min(round((row["bucket"] - start) / step), BUCKETS - 1)] = row["delivered"], row["failed"]
    starts = [start + step * index for index in range(BUCKETS)]
    return list(zip(starts, stacked_bars(counts, width=CHART_WIDTH), strict=True))


def _troubles(worst: list[dict], within) -> list[Trouble]:
    subscriptions = Subscription.objects.in_bulk([row["subscription"] for row in worst])
    received = dict(
        within.succeeded()
        .filter(subscription__in=subscriptions)
        .values("subscription")
        .annotate(last=Max("created_at"))
        .values_list("subscription", "last")
    )
    return [
        Trouble(
            subscriptions[row["subscription"]],
            row["failed"],
            row["first"],
            row["last"],
            received.get(row["subscription"]),
        )
        for row in worst
    ]
