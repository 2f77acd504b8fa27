"""How well the subscriptions did in the last seven days: three queries for all of them, each bounded by an index."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, Max, Min, Q

from .charts import Bar, stacked_bars
from .models import State, Turn, WebhookLog
from .overview import Percentile

DAYS = 7
DAY = timedelta(days=1)
FAILING_BELOW = 90  # percent: from here on the figure is red


@dataclass
class Health:
    """Of one subscription in the `DAYS` times 24 hours before `until`; `waiting` counts what is due, however old.
    `is_blocked`: it is the turn of one that failed and waits for its next try.

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
    is_blocked: bool = False

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
    logs = WebhookLog.objects.filter(subscription__in=found).order_by()
    recent = logs.since(now - DAY * DAYS)
    timed_ids = []
    for row in recent.values("subscription").annotate(**_figures(now)):
        found[row["subscription"]] = _health(row, now)
        if row["timed"]:
            timed_ids.append(row["subscription"])
    # A percentile sorts its rows. Few subscriptions have timed ones, since imported logs are not timed.
    timed = recent.filter(subscription__in=timed_ids, duration_ms__isnull=False).values("subscription")
    for pk, p95 in timed.annotate(p95=Percentile("duration_ms", 0.95)).values_list("subscription", "p95"):
        found[pk].p95_ms = p95
    due = logs.filter(next_attempt_at__isnull=False).values("subscription")
    figures = due.annotate(waiting=Count("*"), first=Min("turn")).values_list("subscription", "waiting", "first")
    for pk, waiting, first in figures:
        found[pk].waiting, found[pk].is_blocked = waiting, first == Turn.BETWEEN_TRIES
    return found


def _figures(now: datetime) -> dict[str, Aggregate]:
    """What is counted of each subscription, a column for each day: grouped by day, PostgreSQL would sort the logs."""
    delivered, failed = Q(state=State.SUCCEEDED), Q(state=State.FAILED)
    figures: dict[str, Aggregate] = {
        "total": Count("*"),
        "timed": Count("duration_ms"),
        "last_success": Max("created_at", filter=delivered),
        "last_failure": Max("created_at", filter=failed),
        "last_log": Max("created_at"),
    }
    for index in range(DAYS):
        day = Q(created_at__gte=now - DAY * (DAYS - index))
        if index < DAYS - 1:  # the last is open: a sender's clock may be ahead of ours
            day &= Q(created_at__lt=now - DAY * (DAYS - 1 - index))
        figures |= {
            f"delivered_{index}": Count("pk", filter=delivered & day),
            f"failed_{index}": Count("pk", filter=failed & day),
        }
    return figures


def _health(row: dict[str, Any], now: datetime) -> Health:
    return Health(
        until=now,
        days=[(row[f"delivered_{index}"], row[f"failed_{index}"]) for index in range(DAYS)],
        total=row["total"],
        last_failure=row["last_failure"],
        last_success=row["last_success"],
        last_log=row["last_log"],
    )
