"""How well the subscriptions did in the last seven days: three queries for all of them, each bounded by an index."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, DateTimeField, F, Func, Max, Q, Value

from .charts import Bar, stacked_bars
from .models import State, WebhookLog
from .overview import Percentile

DAYS = 7
DAY = timedelta(days=1)
FAILING_BELOW = 90  # percent: from here on the figure is red


@dataclass
class Health:
    """Of one subscription in the `DAYS` times 24 hours before `until`; `waiting` counts what is due, however old.

    `p95_ms` is None where no attempt was timed: imported logs tell no durations.
    """

    until: datetime
    days: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)] * DAYS)  # (delivered, failed), oldest first
    total: int = 0
    last_failure: datetime | None = None
    last_success: datetime | None = None
    last_log: datetime | None = None
    p95_ms: float | None = None
    waiting: int = 0

    @property
    def delivered(self) -> int:
        return sum(delivered for delivered, _failed in self.days)

    @property
    def failed(self) -> int:
        return sum(failed for _delivered, failed in self.days)

    @property
    def success_percent(self) -> float | None:
        """Of what is settled; None where nothing is. Cut, not rounded, so that "100.0 %" means that nothing failed."""
        settled = self.delivered + self.failed
        return 1000 * self.delivered // settled / 10 if settled else None

    @property
    def is_failing(self) -> bool:
        return self.success_percent is not None and self.success_percent < FAILING_BELOW

    @property
    def has_recovered(self) -> bool:
        return bool(self.last_failure and self.last_success and self.last_success > self.last_failure)

    @property
    def bars(self) -> list[tuple[datetime, Bar]]:
        """Each day's end and its bar."""
        ends = [self.until - DAY * (DAYS - 1 - index) for index in range(DAYS)]
        return list(zip(ends, stacked_bars(self.days), strict=True))


def health_of(subscriptions: Collection[str], now: datetime) -> dict[str, Health]:
    """The health of each of the ids; one without logs has an empty one."""
    found = {pk: Health(until=now) for pk in subscriptions}
    logs = WebhookLog.objects.filter(subscription__in=found)
    start = now - DAY * DAYS
    for row in _by_day(logs.since(start), start):
        _add_day(found[row["subscription"]], row, start)
    timed = logs.since(start).filter(duration_ms__isnull=False).values("subscription")
    for pk, p95 in timed.annotate(p95=Percentile(F("duration_ms"), 0.95)).order_by().values_list("subscription", "p95"):
        found[pk].p95_ms = p95
    due = logs.filter(next_attempt_at__isnull=False).values("subscription")
    for pk, waiting in due.annotate(waiting=Count("pk")).order_by().values_list("subscription", "waiting"):
        found[pk].waiting = waiting
    return found


def _by_day(logs, start: datetime):
    day = Func(Value(DAY), F("created_at"), Value(start), function="date_bin", output_field=DateTimeField())
    delivered, failed = Q(state=State.SUCCEEDED), Q(state=State.FAILED)
    return (
        logs.values("subscription", day=day)
        .annotate(
            total=Count("pk"),
            delivered=Count("pk", filter=delivered),
            failed=Count("pk", filter=failed),
            last_success=Max("created_at", filter=delivered),
            last_failure=Max("created_at", filter=failed),
            last_log=Max("created_at"),
        )
        .order_by("subscription", "day")
    )


def _add_day(health: Health, row: dict, start: datetime) -> None:
    index = min((row["day"] - start) // DAY, DAYS - 1)  # a sender's clock may be ahead of ours
    delivered, failed = health.days[index]
    health.days[index] = (delivered + row["delivered"], failed + row["failed"])
    health.total += row["total"]
    for name in ("last_success", "last_failure", "last_log"):
        setattr(health, name, row[name] or getattr(health, name))
