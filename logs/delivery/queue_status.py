"""How lanes stand, for their pages: what is at the head, what waits behind it, and why nothing is sent where that is so."""

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
    """`head`: the log that is sent next, or for which the lane is on hold; None where the lane is empty and free.

    `try_number`: which try of its round is next, of `tries`. `waiting` counts those behind the head.
    `held_by`: the name of who put it on hold; None where nobody is known.
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
        """Whether the subscription's deactivation keeps what waits."""
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
        """What waits in the lane of a deactivated subscription, the head included."""
        number = self.waiting.number
        return BoundedCount(None if number is None else number + (self.head is not None and self.head.is_due))

    @property
    def try_number(self) -> int:
        return (self.head.retry or 0) + 1 if self.head else 0

    @property
    def tries(self) -> int:
        """Of the head: those made, and those that remain of its round."""
        return (self.head.retry or 0) + self.head.tries_left if self.head else 0

    @property
    def will_send_next(self) -> bool:
        """Whether the head goes out when its time has come: a lane on hold sends only what somebody asked for."""
        is_due = (
            self.head is not None and self.head.is_due and not self.is_inactive and not self.subscription.held_error
        )
        return is_due and (not self.is_held or self.head.trigger != AttemptTrigger.AUTO)  # type: ignore[union-attr]

    @property
    def seconds_to_attempt(self) -> int:
        """Until the next try of the head; 0: it is made now."""
        if self.head is None or self.head.next_attempt_at is None:
            return 0
        return max(0, int((self.head.next_attempt_at - timezone.now()).total_seconds()))


def next_logs(subscription: Subscription) -> WebhookLogQuerySet:
    """The logs that a lane's page shows: those that are sent next, and the one for which it is on hold. In no order."""
    first = subscription.waiting().for_list()[: NEXT_EVENTS_SHOWN + 1]
    return first.union(WebhookLog.objects.for_list().filter(pk=subscription.held_log), all=True)


def with_next_logs(lanes: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Each with `first_logs`: the ids of those that are sent next, in their order."""
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk")).order_by("turn", "position", "id")
    return lanes.annotate(first_logs=ArraySubquery(due.values("pk")[: NEXT_EVENTS_SHOWN + 1]))


def queue_statuses(lanes: Sequence[Any]) -> list[QueueStatus]:
    """Of many lanes, in one query. `lanes`: of `health.lanes.with_lanes` and `with_first_logs`."""
    wanted = {lane.pk: {*lane.first_logs, lane.held_log} - {""} for lane in lanes}
    logs = WebhookLog.objects.for_list().in_bulk(set().union(*wanted.values()))
    return [queue_status(lane, [logs[pk] for pk in wanted[lane.pk] if pk in logs]) for lane in lanes]


def queue_status(subscription: Subscription, logs: Iterable[WebhookLog] | None = None) -> QueueStatus:
    """`subscription`: of `health.lanes.with_lanes`. `logs`: those of `first_of_lane`, where they were read with others."""
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
    """How many are sent before this log, which is due."""
    earlier = Q(turn__lt=log.turn) | Q(turn=log.turn, position__lt=log.position)
    earlier |= Q(turn=log.turn, position=log.position, pk__lt=log.pk)
    others = WebhookLog.objects.on(log.subscription).due().exclude(pk=log.pk)
    return bounded_count(others.filter(earlier))


def poll_interval(log: WebhookLog) -> int:
    """How often the page of a log that is due asks for it: seldom, where it can stand like this for hours."""
    lane = log.subscription
    is_inactive = lane.held_at is not None or not (lane.is_active or lane.is_draining)
    is_soon = log.next_attempt_at is not None and log.next_attempt_at < timezone.now() + FAST_POLL_WITHIN
    return 1 if is_soon and not is_inactive else 5
