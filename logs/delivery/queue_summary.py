"""How lanes stand: annotations for subscriptions, whose cost is bounded however much waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, IntegerField, OuterRef, QuerySet, Subquery

from ..db.timeouts import COUNT_LIMIT, BoundedCount
from ..models import AuditAction, AuditEntry, Priority, Subscription, WaitingSkip, WebhookLog

BLOCKED_QUEUES_SHOWN = ("name", "code", "company", "url", "trigger", "is_active", "is_placeholder", "we_deliver")
LANE = ("held_at", "held_log", "held_error", "is_draining", "holds_when_exhausted")
_NEVER = datetime.max.replace(tzinfo=UTC)  # later than anything that waits


class CappedCount(Subquery):
    """How many rows a subquery has. It is sliced, so that a long queue costs no more than its limit."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def with_next_events(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Each with `has_due` (whether anything waits), `oldest_waiting` (when the first that waits came in), and, of a head that is
    between tries, `next_try` and `head_cause`; None where there is no such thing. A few steps in an index per subscription.
    """
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk"))
    head = due.filter(turn=Priority.BETWEEN_TRIES).order_by("position")
    waiting = due.filter(turn=Priority.WAITING).order_by("position")
    return subscriptions.annotate(
        has_due=Exists(due),
        oldest_waiting=Subquery(waiting.values("created_at")[:1]),
        next_try=Subquery(head.values("next_attempt_at")[:1]),
        head_cause=Subquery(head.values("cause")[:1]),
    )


def with_due_count(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Each with `due_count` (at most LIMIT + 1). Counting reads up to LIMIT rows of each."""
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk"))
    # Of a column of the index of what is due: so no row itself is read.
    return subscriptions.annotate(due_count=CappedCount(due.order_by().values("position")[: COUNT_LIMIT + 1]))


def with_queue_status(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """As `with_heads` and `with_due_count`, and each with `held_by` (the name of the last person who put it on hold) and
    `skipped_so_far` while what waits is being skipped.
    """
    skips = WaitingSkip.objects.filter(subscription=OuterRef("pk"), ended_at=None)
    holds = AuditEntry.objects.filter(about=OuterRef("pk"), action=AuditAction.HELD)
    return with_due_count(with_next_events(subscriptions)).annotate(
        held_by=Subquery(holds.values("actor__username")[:1]),
        skipped_so_far=Subquery(skips.values("skipped")[:1]),
    )


def subscriptions_with_queue(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """By id, with what a list shows of each. One query. It counts what waits in each: only for as many as a page shows."""
    return {lane.pk: lane for lane in with_queue_status(subscriptions.only(*BLOCKED_QUEUES_SHOWN, *LANE))}


def heads_of(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """By id, without a count of what waits: for all that somebody may see. One query. `count_due` counts what a page shows."""
    return {lane.pk: lane for lane in with_next_events(subscriptions.only(*BLOCKED_QUEUES_SHOWN, *LANE))}


def count_due(lanes: Collection[Any]) -> None:
    """Put `due_count` into these lanes. One query."""
    if not lanes:
        return
    counted = with_due_count(Subscription.objects.filter(pk__in={lane.pk for lane in lanes}))
    numbers = dict(counted.values_list("pk", "due_count"))  # type: ignore[misc]
    for lane in lanes:
        lane.due_count = numbers.get(lane.pk, 0)  # 0: deleted since they were read


def is_blocked(lane) -> bool:
    """Whether its head waits for a retry or is on hold (domain.md, "Words"). `lane`: of `with_heads`."""
    is_sent = lane.is_active or lane.is_draining
    return is_sent and (lane.held_at is not None or lane.next_try is not None)


def waiting_behind(lane) -> BoundedCount:
    """How many wait behind the head that blocks the lane. The exhausted log for which a lane is on hold is not due."""
    number = max(lane.due_count - (lane.next_try is not None), 0)  # the head may have been sent before the count
    return BoundedCount(min(number, COUNT_LIMIT), is_more=lane.due_count > COUNT_LIMIT)


def waiting_count(lane) -> BoundedCount:
    """How many logs are due, now or later."""
    return BoundedCount(min(lane.due_count, COUNT_LIMIT), is_more=lane.due_count > COUNT_LIMIT)


def total_waiting(lanes: Iterable[Any]) -> BoundedCount:
    """How many logs are due in all of these: one query, which reads no more than LIMIT rows however much waits."""
    due = WebhookLog.objects.due().filter(subscription__in=[lane.pk for lane in lanes])
    number = due.order_by().values("position")[: COUNT_LIMIT + 1].count()
    return BoundedCount(min(number, COUNT_LIMIT), is_more=number > COUNT_LIMIT)


def oldest_waiting_since(lanes: Iterable[Any]) -> datetime | None:
    return min((lane.oldest_waiting for lane in lanes if lane.oldest_waiting), default=None)


def blocked_queues(lanes: Iterable[Subscription]) -> list[Subscription]:
    """On hold first, then those that have waited the longest, as on the page of all lanes."""
    return sorted(filter(is_blocked, lanes), key=_most_pressing)


def _most_pressing(lane) -> tuple:
    return (lane.held_at is None, lane.held_at or lane.oldest_waiting or _NEVER, lane.name)
