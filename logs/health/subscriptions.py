"""How well subscriptions did in the last seven days, for their list: three queries for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from ..models import Cell, Subscription, WebhookLog
from ..rollups.reading import TOTAL
from .lanes import is_blocked, lanes_of
from .period import Period
from .traffic import Figures, Traffic, traffic_of_each

RANGE = "7d"


@dataclass(frozen=True)
class Health:
    """`lane`: a subscription of `with_lanes`, with `failed_at` and `last_at`: when its newest failure and log came in."""

    lane: Any
    traffic: Traffic

    @property
    def figures(self) -> Figures:
        return self.traffic.now

    @property
    def success_percent(self) -> float | None:
        return self.figures.success_percent

    @property
    def is_blocked(self) -> bool:
        return is_blocked(self.lane)

    @property
    def last_failure(self) -> datetime | None:
        return self.lane.failed_at

    @property
    def last_log(self) -> datetime | None:
        return self.lane.last_at


@dataclass(frozen=True)
class Subscriptions:
    """Those that are shown, of `count`; lowest success first, then those without traffic."""

    rows: list[Health]
    count: int
    blocked: int
    companies: int

    @property
    def is_cut(self) -> bool:
        return len(self.rows) < self.count


def health_of(found: QuerySet[Subscription], now: datetime, most: int) -> Subscriptions:
    lanes = lanes_of(_with_newest(found).select_related("company"))
    period = Period(RANGE, now)
    figures = _figures(period, list(lanes))
    order = sorted(lanes.values(), key=lambda lane: _worst_first(lane, figures))
    shown = [lane.pk for lane in order[:most]]
    traffic = traffic_of_each(period, shown)
    return Subscriptions(
        rows=[Health(lanes[pk], traffic[pk]) for pk in shown],
        count=len(lanes),
        blocked=sum(map(is_blocked, lanes.values())),
        companies=len({lane.company_id for lane in lanes.values()}),
    )


def _with_newest(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    logs = WebhookLog.objects.filter(subscription=OuterRef("pk")).newest_first()
    return subscriptions.annotate(
        failed_at=Subquery(logs.failed().values("created_at")[:1]), last_at=Subquery(logs.values("created_at")[:1])
    )


def _figures(period: Period, lanes: Sequence[str]) -> dict[str, Figures]:
    """By these the subscriptions are put in order; those that are shown are read step by step after that."""
    cells = Cell.objects.filter(period.wide_buckets, subscription__in=lanes).order_by()
    found: dict[str, Figures] = {}
    for lane, state, number in cells.values_list("subscription", "state").annotate(n=TOTAL):
        found.setdefault(lane, Figures(Counter())).states[state] += number
    return found


def _worst_first(lane: Subscription, figures: Mapping[str, Figures]) -> tuple:
    success = figures[lane.pk].success_percent if lane.pk in figures else None
    return (success is None, success or 0, lane.name, lane.pk)
