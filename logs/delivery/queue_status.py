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
    """`head`: the next event, or the log that paused the queue; None if the queue is empty and no log paused it.

    `try_number`: the number of its next attempt, of `tries`. `waiting` counts the logs behind the next event.
    `held_by`: the name of the person who paused the queue; None if not known.
    """

    subscription: Subscription
    head: WebhookLog | None
    next_logs: list[WebhookLog]
    waiting: BoundedCount
    oldest: datetime | None
    held_by: str | None

    @property
    def is_held(self) -> bool:
        return self.subscription.held_at is not None

    @property
    def is_inactive(self) -> bool:
        """Whether the queue keeps its logs because the subscription is inactive."""
        return not self.subscription.is_active and not self.subscription.is_draining

    @property
    def is_empty(self) -> bool:
        return self.head is None

    @property
    def has_kept_events(self) -> bool:
        return self.is_inactive and not self.is_empty

    @property
    def is_blocked(self) -> bool:
        return self.head is not None and self.head.is_between_attempts

    @property
    def kept(self) -> BoundedCount:
        """How many logs wait in the queue of an inactive subscription, including the next event."""
        number = self.waiting.number
        return BoundedCount(None if number is None else number + (self.head is not None and self.head.is_due))

    @property
    def try_number(self) -> int:
        return (self.head.retry or 0) + 1 if self.head else 0

    @property
    def tries(self) -> int:
        """The attempts of the next event: those made, and those left."""
        return (self.head.retry or 0) + self.head.tries_left if self.head else 0

    @property
    def will_send_next(self) -> bool:
        """Whether the next event is sent when its time has come. A paused queue sends only requested redeliveries."""
        is_due = (
            self.head is not None and self.head.is_due and not self.is_inactive and not self.subscription.held_error
        )
        return is_due and (not self.is_held or self.head.trigger != AttemptTrigger.AUTO)  # type: ignore[union-attr]

    @property
    def seconds_to_attempt(self) -> int:
        """The seconds until the attempt of the next event; 0: it is made now."""
        if self.head is None or self.head.next_attempt_at is None:
            return 0
        return max(0, int((self.head.next_attempt_at - timezone.now()).total_seconds()))


def next_logs(subscription: Subscription) -> WebhookLogQuerySet:
    """Return the logs that a queue's page shows, unordered: those sent next, and the one that paused the queue."""
    first = subscription.waiting().for_list()[: NEXT_EVENTS_SHOWN + 1]
    return first.union(WebhookLog.objects.for_list().filter(pk=subscription.held_log), all=True)


def with_next_logs(lanes: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Add `first_logs` to each: the ids of the logs that are sent next, in order."""
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk")).order_by("turn", "position", "id")
    return lanes.annotate(first_logs=ArraySubquery(due.values("pk")[: NEXT_EVENTS_SHOWN + 1]))


def queue_statuses(lanes: Sequence[Any]) -> list[QueueStatus]:
    """Return the status of many queues, in one query. `lanes`: from `with_queue_status` and `with_next_logs`."""
    wanted = {lane.pk: {*lane.first_logs, lane.held_log} - {""} for lane in lanes}
    logs = WebhookLog.objects.for_list().in_bulk(set().union(*wanted.values()))
    return [queue_status(lane, [logs[pk] for pk in wanted[lane.pk] if pk in logs]) for lane in lanes]


def queue_status(subscription: Subscription, logs: Iterable[WebhookLog] | None = None) -> QueueStatus:
    """`subscription`: from `with_queue_status`. `logs`: those of `next_logs`, if they were read together with others."""
    found = {log.pk: log for log in (next_logs(subscription) if logs is None else logs)}
    first = sorted((log for log in found.values() if log.is_due), key=lambda log: (log.turn, log.position, log.pk))
    head = found.get(subscription.held_log) or (first[0] if first else None)
    behind = [log for log in first if head is None or log.pk != head.pk]
    number = subscription.due_count - (head is not None and head.is_due)  # type: ignore[attr-defined]
    return QueueStatus(
        subscription=subscription,
        head=head,
        next_logs=behind[:NEXT_EVENTS_SHOWN],
        waiting=BoundedCount(min(number, COUNT_LIMIT), is_more=number > COUNT_LIMIT),
        oldest=subscription.oldest_waiting,  # type: ignore[attr-defined]
        held_by=None if subscription.held_log else subscription.held_by,  # type: ignore[attr-defined]
    )


def queue_position(log: WebhookLog) -> BoundedCount:
    """Return how many logs are sent before this queued log."""
    earlier = Q(turn__lt=log.turn) | Q(turn=log.turn, position__lt=log.position)
    earlier |= Q(turn=log.turn, position=log.position, pk__lt=log.pk)
    others = WebhookLog.objects.on(log.subscription).due().exclude(pk=log.pk)
    return bounded_count(others.filter(earlier))


def poll_interval(log: WebhookLog) -> int:
    """Return how often, in seconds, the page of a queued log polls: rarely if the log can stay unchanged for hours."""
    lane = log.subscription
    is_inactive = lane.held_at is not None or not (lane.is_active or lane.is_draining)
    is_soon = log.next_attempt_at is not None and log.next_attempt_at < timezone.now() + FAST_POLL_WITHIN
    return 1 if is_soon and not is_inactive else 5
