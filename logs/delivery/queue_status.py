"""The status of queues, for their pages: the next event, what waits behind it, and why nothing is sent, if that is so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.utils import timezone

from ..db.timeouts import COUNT_LIMIT, BoundedCount, bounded_count
from ..models import AttemptTrigger, Subscription, WebhookLog
from ..models.querysets import WebhookLogQuerySet

NEXT_EVENTS_SHOWN = 4
FAST_POLL_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True)
class QueueStatus:
    """`next_event`: the next event, or the log that paused the queue; None if the queue is empty and no log paused it.

    `attempt_number`: the number of its next attempt, of `attempts`. `waiting` counts the logs behind the next event.
    `paused_by`: the name of the person who paused the queue; None if not known.
    """

    subscription: Subscription
    next_event: WebhookLog | None
    next_logs: list[WebhookLog]
    waiting: BoundedCount
    oldest: datetime | None
    paused_by: str | None

    @property
    def is_paused(self) -> bool:
        return self.subscription.paused_at is not None

    @property
    def is_inactive(self) -> bool:
        """Whether the queue keeps its logs because the subscription is inactive."""
        return not self.subscription.is_active and not self.subscription.is_draining

    @property
    def is_empty(self) -> bool:
        return self.next_event is None

    @property
    def has_kept_events(self) -> bool:
        return self.is_inactive and not self.is_empty

    @property
    def is_blocked(self) -> bool:
        return self.next_event is not None and self.next_event.is_between_attempts

    @property
    def kept(self) -> BoundedCount:
        """How many logs wait in the queue of an inactive subscription, including the next event."""
        number = self.waiting.number
        return BoundedCount(
            None if number is None else number + (self.next_event is not None and self.next_event.is_queued)
        )

    @property
    def attempt_number(self) -> int:
        return (self.next_event.attempt_count or 0) + 1 if self.next_event else 0

    @property
    def attempts(self) -> int:
        """The attempts of the next event: those made, and those left."""
        return (self.next_event.attempt_count or 0) + self.next_event.attempts_left if self.next_event else 0

    @property
    def will_send_next(self) -> bool:
        """Whether the next event is sent when its time has come. A paused queue sends only requested redeliveries."""
        is_queued = (
            self.next_event is not None
            and self.next_event.is_queued
            and not self.is_inactive
            and not self.subscription.blocking_error
        )
        return is_queued and (not self.is_paused or self.next_event.trigger != AttemptTrigger.AUTO)  # type: ignore[union-attr]

    @property
    def seconds_to_attempt(self) -> int:
        """The seconds until the attempt of the next event; 0: it is made now."""
        if self.next_event is None or self.next_event.next_attempt_at is None:
            return 0
        return max(0, int((self.next_event.next_attempt_at - timezone.now()).total_seconds()))


def next_logs(subscription: Subscription) -> WebhookLogQuerySet:
    """Return the logs that a queue's page shows, unordered: those sent next, and the one that paused the queue."""
    first = subscription.waiting().for_list()[: NEXT_EVENTS_SHOWN + 1]
    return first.union(WebhookLog.objects.for_list().filter(pk=subscription.blocking_log), all=True)


def with_next_logs(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add `first_logs` to each: the ids of the logs that are sent next, in order."""
    queued = WebhookLog.objects.queued().filter(subscription=OuterRef("pk")).order_by("priority", "sequence", "id")
    return subscriptions.annotate(first_logs=ArraySubquery(queued.values("pk")[: NEXT_EVENTS_SHOWN + 1]))


def queue_statuses(subscriptions: Sequence[Any]) -> list[QueueStatus]:
    """Return the status of many queues, in one query. They come from `with_queue_status` and `with_next_logs`."""
    ids = {queue.pk: {*queue.first_logs, queue.blocking_log} - {""} for queue in subscriptions}
    logs = WebhookLog.objects.for_list().in_bulk(set().union(*ids.values()))
    return [queue_status(queue, [logs[pk] for pk in ids[queue.pk] if pk in logs]) for queue in subscriptions]


def queue_status(subscription: Subscription, logs: Iterable[WebhookLog] | None = None) -> QueueStatus:
    """`subscription`: from `with_queue_status`. `logs`: those of `next_logs`, if they were read together with others."""
    by_id = {log.pk: log for log in (next_logs(subscription) if logs is None else logs)}
    queued = [log for log in by_id.values() if log.is_queued]
    first = sorted(queued, key=lambda log: (log.priority, log.sequence, log.pk))
    next_event = by_id.get(subscription.blocking_log) or (first[0] if first else None)
    behind = [log for log in first if next_event is None or log.pk != next_event.pk]
    number = subscription.queued_count - (next_event is not None and next_event.is_queued)  # type: ignore[attr-defined]
    return QueueStatus(
        subscription=subscription,
        next_event=next_event,
        next_logs=behind[:NEXT_EVENTS_SHOWN],
        waiting=BoundedCount(min(number, COUNT_LIMIT), is_more=number > COUNT_LIMIT),
        oldest=subscription.oldest_waiting,  # type: ignore[attr-defined]
        paused_by=None if subscription.blocking_log else subscription.paused_by,  # type: ignore[attr-defined]
    )


def queue_position(log: WebhookLog) -> BoundedCount:
    """Return how many logs are sent before this queued log."""
    earlier = Q(priority__lt=log.priority) | Q(priority=log.priority, sequence__lt=log.sequence)
    earlier |= Q(priority=log.priority, sequence=log.sequence, pk__lt=log.pk)
    others = WebhookLog.objects.on(log.subscription).queued().exclude(pk=log.pk)
    return bounded_count(others.filter(earlier))


def poll_interval(log: WebhookLog) -> int:
    """Return how often, in seconds, the page of a queued log polls: rarely if the log can stay unchanged for hours."""
    subscription = log.subscription
    is_inactive = subscription.paused_at is not None or not (subscription.is_active or subscription.is_draining)
    is_soon = log.next_attempt_at is not None and log.next_attempt_at < timezone.now() + FAST_POLL_WITHIN
    return 1 if is_soon and not is_inactive else 5
