"""How well subscriptions did in the last seven days, for their list: a few queries for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from ..delivery.queue_summary import count_due, heads_of, is_blocked, oldest_waiting_since
from ..models import Cell, State, Subscription, WebhookLog
from ..payloads.tokens import fold_accents
from .buckets import bucket_floor
from .period import Period
from .queries import TOTAL_WIDTH, log_counts, percentiles
from .receiver_state import last_failures, latest_of
from .traffic import Traffic, TrafficStats, traffic_by_subscription

HEALTH_RANGE = "7d"


@dataclass(frozen=True)
class SubscriptionRow:
    """`lane`: a subscription from `heads_of`, with `failed_at` (its last failed attempt) and `last_at` (its newest log)."""

    lane: Any
    traffic: Traffic

    @property
    def figures(self) -> TrafficStats:
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
class SubscriptionList:
    """The subscriptions that are shown, out of `count`, in the requested order. Those without a value to sort by come last."""

    rows: list[SubscriptionRow]
    count: int
    blocked: int
    companies: int

    @property
    def is_cut(self) -> bool:
        return len(self.rows) < self.count


def subscription_rows(found: QuerySet[Subscription], now: datetime, most: int, sort: str) -> SubscriptionList:
    """`sort`: one of `SUBSCRIPTION_SORTS`, ascending; with a minus before it, descending."""
    lanes = heads_of(_with_newest(found).select_related("company"))
    period = Period(HEALTH_RANGE, now)
    column = sort.removeprefix("-")
    figures: Mapping[str, TrafficStats] = {}
    if column == "success":
        figures = _figures(Cell.objects.filter(period.wide_buckets, subscription__in=lanes))
    elif column == "waiting" and (oldest := oldest_waiting_since(lanes.values())):
        figures = _figures(log_counts(bucket_floor(oldest), None, list(lanes)))
    p95s = percentiles(period.start, period.end, list(lanes), by="subscription") if column == "p95" else {}
    if column == "failure":
        _add_failures(lanes, lanes)
    order = _in_order(
        lanes.values(), lambda lane: SUBSCRIPTION_SORTS[column](lane, figures, p95s), is_descending=sort != column
    )
    shown = [lane.pk for lane in order[:most]]
    if column != "failure":
        _add_failures(lanes, shown)
    count_due([lanes[pk] for pk in shown])
    if column == "waiting":
        counted = _in_order(order[:most], lambda lane: lane.due_count or None, is_descending=sort != column)
        shown = [lane.pk for lane in counted]
    traffic = traffic_by_subscription(period, shown)
    return SubscriptionList(
        rows=[SubscriptionRow(lanes[pk], traffic[pk]) for pk in shown],
        count=len(lanes),
        blocked=sum(map(is_blocked, lanes.values())),
        companies=len({lane.company_id for lane in lanes.values()}),
    )


def _with_newest(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    logs = WebhookLog.objects.filter(subscription=OuterRef("pk")).newest_first()
    return subscriptions.annotate(
        failed_at=Subquery(logs.failed().values("created_at")[:1]),
        last_at=Subquery(logs.values("created_at")[:1]),
    )


def _add_failures(lanes: Mapping[str, Any], asked: Collection[str]) -> None:
    """The time of the newest failed log stays if no attempt of ours is newer, as with imported logs."""
    for pk, failed_at in last_failures(asked).items():
        lanes[pk].failed_at = latest_of(lanes[pk].failed_at, failed_at)


def _figures(cells_of_lanes: QuerySet[Cell]) -> dict[str, TrafficStats]:
    """Figures to sort the subscriptions by. Those that are shown are read step by step afterwards."""
    found: dict[str, TrafficStats] = {}
    for lane, state, number in cells_of_lanes.order_by().values_list("subscription", "state").annotate(n=TOTAL_WIDTH):
        found.setdefault(lane, TrafficStats(Counter())).states[state] += number
    return found


def _success(lane: Any, figures: Mapping[str, TrafficStats]) -> float | None:
    return figures[lane.pk].success_percent if lane.pk in figures else None


def _unsettled(lane: Any, figures: Mapping[str, TrafficStats]) -> int | None:
    """How many logs have no outcome yet, counted from the oldest event that waits in any of the queues.

    Counting the waiting logs of all queues would cost more the more of them there are.
    """
    states = figures[lane.pk].states if lane.pk in figures else Counter()
    return max(states[State.PENDING] + states[State.RETRYING], 1) if lane.has_due else None


# The value that each order sorts by; None if a subscription has none.
SUBSCRIPTION_SORTS: dict[str, Callable[[Any, Mapping[str, TrafficStats], Mapping[str, float | None]], Any]] = {
    "success": lambda lane, figures, _p95s: _success(lane, figures),
    "name": lambda lane, _figures, _p95s: fold_accents(lane.name),
    "p95": lambda lane, _figures, p95s: p95s.get(lane.pk),
    "failure": lambda lane, _figures, _p95s: lane.failed_at,
    "log": lambda lane, _figures, _p95s: lane.last_at,
    # Open logs decide which subscriptions are shown; waiting logs decide their order.
    "waiting": lambda lane, figures, _p95s: _unsettled(lane, figures),
}


def _in_order(lanes: Iterable[Any], value: Callable[[Any], Any], *, is_descending: bool) -> list[Any]:
    by_name = sorted(lanes, key=lambda lane: (lane.name, lane.pk))
    with_value = [lane for lane in by_name if value(lane) is not None]
    without = [lane for lane in by_name if value(lane) is None]
    return sorted(with_value, key=value, reverse=is_descending) + without
