"""The state of queues: annotations for subscriptions. Their cost is bounded, however many logs wait."""

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
    """Counts the rows of a subquery. The subquery is sliced, so a long queue costs no more than its limit."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def with_next_events(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add `has_due` (whether any log waits) and `oldest_waiting` (when the first waiting event was accepted) to each.

    Also add `next_try` and `head_cause` of a next event that is between attempts. Each is None if there is no such log. The cost
    is a few steps in an index per subscription.
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
    """Add `due_count` (at most COUNT_LIMIT + 1) to each. Counting reads up to COUNT_LIMIT rows of each."""
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk"))
    # This column is in the index of queued logs, so PostgreSQL needn't read the rows themselves.
    return subscriptions.annotate(due_count=CappedCount(due.order_by().values("position")[: COUNT_LIMIT + 1]))


def with_queue_status(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add the same as `with_next_events` and `with_due_count`, and `held_by` (the name of the last person who paused the queue).

    Also add `skipped_so_far` while its waiting logs are being skipped.
    """
    skips = WaitingSkip.objects.filter(subscription=OuterRef("pk"), ended_at=None)
    holds = AuditEntry.objects.filter(about=OuterRef("pk"), action=AuditAction.HELD)
    return with_due_count(with_next_events(subscriptions)).annotate(
        held_by=Subquery(holds.values("actor__username")[:1]),
        skipped_so_far=Subquery(skips.values("skipped")[:1]),
    )


def subscriptions_with_queue(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """Return by id what a list shows of each. One query. It counts the waiting logs, so pass only as many as a page shows."""
    return {lane.pk: lane for lane in with_queue_status(subscriptions.only(*BLOCKED_QUEUES_SHOWN, *LANE))}


def heads_of(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """Return queues by id, without counts: for all that a user may see. One query. `count_due` adds counts for a page."""
    return {lane.pk: lane for lane in with_next_events(subscriptions.only(*BLOCKED_QUEUES_SHOWN, *LANE))}


def count_due(lanes: Collection[Any]) -> None:
    """Set `due_count` on these queues. One query."""
    if not lanes:
        return
    counted = with_due_count(Subscription.objects.filter(pk__in={lane.pk for lane in lanes}))
    numbers = dict(counted.values_list("pk", "due_count"))  # type: ignore[misc]
    for lane in lanes:
        lane.due_count = numbers.get(lane.pk, 0)  # 0: deleted since they were read


def is_blocked(lane) -> bool:
    """Whether its next event waits for a retry, or the queue is paused. `lane`: from `with_next_events`."""
    is_sent = lane.is_active or lane.is_draining
    return is_sent and (lane.held_at is not None or lane.next_try is not None)


def waiting_behind(lane) -> BoundedCount:
    """Return how many logs wait behind the blocking event. An exhausted log that paused the queue isn't queued."""
    number = max(lane.due_count - (lane.next_try is not None), 0)  # the next event may have been sent before the count
    return BoundedCount(min(number, COUNT_LIMIT), is_more=lane.due_count > COUNT_LIMIT)


def waiting_count(lane) -> BoundedCount:
    """Return how many logs are queued, for now or later."""
    return BoundedCount(min(lane.due_count, COUNT_LIMIT), is_more=lane.due_count > COUNT_LIMIT)


def total_waiting(lanes: Iterable[Any]) -> BoundedCount:
    """Return how many logs are queued in all of these. One query, which reads at most COUNT_LIMIT rows."""
    due = WebhookLog.objects.due().filter(subscription__in=[lane.pk for lane in lanes])
    number = due.order_by().values("position")[: COUNT_LIMIT + 1].count()
    return BoundedCount(min(number, COUNT_LIMIT), is_more=number > COUNT_LIMIT)


def oldest_waiting_since(lanes: Iterable[Any]) -> datetime | None:
    return min((lane.oldest_waiting for lane in lanes if lane.oldest_waiting), default=None)


def blocked_queues(lanes: Iterable[Subscription]) -> list[Subscription]:
    """Return paused queues first, then those that have waited longest, as on the page of all queues."""
    return sorted(filter(is_blocked, lanes), key=_most_pressing)


def _most_pressing(lane) -> tuple:
    return (lane.held_at is None, lane.held_at or lane.oldest_waiting or _NEVER, lane.name)
