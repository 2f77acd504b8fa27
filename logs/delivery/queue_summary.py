"""The state of queues: annotations for subscriptions. Their cost is bounded, however many logs wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, IntegerField, OuterRef, QuerySet, Subquery

from ..db.timeouts import COUNT_LIMIT, BoundedCount
from ..models import AuditAction, AuditEntry, BulkSkip, Priority, Subscription, WebhookLog

SUBSCRIPTION_FIELDS = ("name", "code", "company", "url", "trigger", "is_active", "is_placeholder", "is_delivered_here")
QUEUE_FIELDS = ("paused_at", "blocking_log", "blocking_error", "is_draining", "pause_on_exhausted")
_NEVER = datetime.max.replace(tzinfo=UTC)  # later than anything that waits


class CappedCount(Subquery):
    """Counts the rows of a subquery. The subquery is sliced, so a long queue costs no more than its limit."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def with_next_events(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add `has_queued` (whether any log waits) and `oldest_waiting` (when the first waiting event was accepted) to each.

    Also add `next_retry_at` and `next_event_cause` of a next event that is between attempts. Each is None if there is no such
    log. The cost is a few steps in an index per subscription.
    """
    queued = WebhookLog.objects.queued().filter(subscription=OuterRef("pk"))
    head = queued.filter(priority=Priority.RETRY).order_by("sequence")
    waiting = queued.filter(priority=Priority.NORMAL).order_by("sequence")
    return subscriptions.annotate(
        has_queued=Exists(queued),
        oldest_waiting=Subquery(waiting.values("created_at")[:1]),
        next_retry_at=Subquery(head.values("next_attempt_at")[:1]),
        next_event_cause=Subquery(head.values("cause")[:1]),
    )


def with_queued_count(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add `queued_count` (at most COUNT_LIMIT + 1) to each. Counting reads up to COUNT_LIMIT rows of each."""
    queued = WebhookLog.objects.queued().filter(subscription=OuterRef("pk"))
    # This column is in the index of queued logs, so PostgreSQL needn't read the rows themselves.
    return subscriptions.annotate(queued_count=CappedCount(queued.order_by().values("sequence")[: COUNT_LIMIT + 1]))


def with_queue_status(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add the same as `with_next_events` and `with_queued_count`, and `paused_by`: the name of the last person who paused it.

    Also add `skipped_so_far` while its waiting logs are being skipped.
    """
    skips = BulkSkip.objects.filter(subscription=OuterRef("pk"), ended_at=None)
    pauses = AuditEntry.objects.filter(target=OuterRef("pk"), action=AuditAction.QUEUE_PAUSED)
    return with_queued_count(with_next_events(subscriptions)).annotate(
        paused_by=Subquery(pauses.values("actor__username")[:1]),
        skipped_so_far=Subquery(skips.values("skipped")[:1]),
    )


def subscriptions_with_queue(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """Return by id what a list shows of each. One query. It counts the waiting logs, so pass only as many as a page shows."""
    queues = with_queue_status(subscriptions.only(*SUBSCRIPTION_FIELDS, *QUEUE_FIELDS))
    return {subscription.pk: subscription for subscription in queues}


def next_events_of(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """Return queues by id, without counts: for all that a user may see. One query. `count_queued` adds a page's counts."""
    queues = with_next_events(subscriptions.only(*SUBSCRIPTION_FIELDS, *QUEUE_FIELDS))
    return {subscription.pk: subscription for subscription in queues}


def count_queued(subscriptions: Collection[Any]) -> None:
    """Set `queued_count` on these queues. One query."""
    if not subscriptions:
        return
    counted = with_queued_count(Subscription.objects.filter(pk__in={subscription.pk for subscription in subscriptions}))
    numbers = dict(counted.values_list("pk", "queued_count"))  # type: ignore[misc]
    for subscription in subscriptions:
        subscription.queued_count = numbers.get(subscription.pk, 0)  # 0: deleted since they were read


def is_blocked(subscription) -> bool:
    """Whether its next event waits for a retry, or the queue is paused. `subscription`: from `with_next_events`."""
    is_sent = subscription.is_active or subscription.is_draining
    return is_sent and (subscription.paused_at is not None or subscription.next_retry_at is not None)


def waiting_behind(subscription) -> BoundedCount:
    """Return how many logs wait behind the blocking event. An exhausted log that paused the queue isn't queued."""
    # The next event may have been sent before the count.
    number = max(subscription.queued_count - (subscription.next_retry_at is not None), 0)
    return BoundedCount(min(number, COUNT_LIMIT), is_more=subscription.queued_count > COUNT_LIMIT)


def waiting_count(subscription) -> BoundedCount:
    """Return how many logs are queued, for now or later."""
    return BoundedCount(min(subscription.queued_count, COUNT_LIMIT), is_more=subscription.queued_count > COUNT_LIMIT)


def total_waiting(subscriptions: Iterable[Any]) -> BoundedCount:
    """Return how many logs are queued in all of these. One query, which reads at most COUNT_LIMIT rows."""
    queued = WebhookLog.objects.queued().filter(subscription__in=[subscription.pk for subscription in subscriptions])
    number = queued.order_by().values("sequence")[: COUNT_LIMIT + 1].count()
    return BoundedCount(min(number, COUNT_LIMIT), is_more=number > COUNT_LIMIT)


def oldest_waiting_since(subscriptions: Iterable[Any]) -> datetime | None:
    times = (subscription.oldest_waiting for subscription in subscriptions)
    return min(filter(None, times), default=None)


def blocked_queues(subscriptions: Iterable[Subscription]) -> list[Subscription]:
    """Return paused queues first, then those that have waited longest, as on the page of all queues."""
    return sorted(filter(is_blocked, subscriptions), key=_most_pressing)


def _most_pressing(subscription) -> tuple:
    since = subscription.paused_at or subscription.oldest_waiting or _NEVER
    return (subscription.paused_at is None, since, subscription.name)
