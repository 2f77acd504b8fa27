"""How lanes stand: annotations for subscriptions, whose cost is bounded however much waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Exists, IntegerField, OuterRef, QuerySet, Subquery

from ..counting import LIMIT, Count
from ..models import AuditAction, AuditEntry, Subscription, Turn, WaitingSkip, WebhookLog

SHOWN = ("name", "code", "company", "url", "trigger", "is_active", "is_placeholder", "we_deliver")
LANE = ("held_at", "held_log", "held_error", "is_draining", "holds_when_exhausted")


class CountUpTo(Subquery):
    """How many rows a subquery has. It is sliced, so that a long queue costs no more than its limit."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def with_heads(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Each with `has_due` (whether anything waits), `oldest_waiting` (when the first that waits came in), and, of a head that is
    between tries, `next_try` and `head_cause`; None where there is no such thing. A few steps in an index per subscription.
    """
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk"))
    head = due.filter(turn=Turn.BETWEEN_TRIES).order_by("position")
    waiting = due.filter(turn=Turn.WAITING).order_by("position")
    return subscriptions.annotate(
        has_due=Exists(due),
        oldest_waiting=Subquery(waiting.values("created_at")[:1]),
        next_try=Subquery(head.values("next_attempt_at")[:1]),
        head_cause=Subquery(head.values("cause")[:1]),
    )


def with_lanes(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """As `with_heads`, and each with `due_count` (at most LIMIT + 1), `held_by` (the name of the last person who put it on hold)
    and `skipped_so_far` while what waits is being skipped. Counting reads up to LIMIT rows of each.
    """
    due = WebhookLog.objects.due().filter(subscription=OuterRef("pk"))
    skips = WaitingSkip.objects.filter(subscription=OuterRef("pk"), ended_at=None)
    holds = AuditEntry.objects.filter(about=OuterRef("pk"), action=AuditAction.HELD)
    return with_heads(subscriptions).annotate(
        # Of a column of the index of what is due: so no row itself is read.
        due_count=CountUpTo(due.order_by().values("position")[: LIMIT + 1]),
        held_by=Subquery(holds.values("actor__username")[:1]),
        skipped_so_far=Subquery(skips.values("skipped")[:1]),
    )


def lanes_of(subscriptions: QuerySet[Subscription]) -> dict[str, Subscription]:
    """By id, with what a list shows of each. One query."""
    return {lane.pk: lane for lane in with_lanes(subscriptions.only(*SHOWN, *LANE))}


def is_blocked(lane) -> bool:
    """Whether its head waits for a retry or is on hold (domain.md, "Words"). `lane`: of `with_lanes`."""
    is_sent = lane.is_active or lane.is_draining
    return is_sent and (lane.held_at is not None or lane.next_try is not None)


def behind(lane) -> Count:
    """How many wait behind the head that blocks the lane. The exhausted log for which a lane is on hold is not due."""
    return Count(lane.due_count - (lane.next_try is not None), is_more=lane.due_count > LIMIT)


def waiting(*lanes) -> Count:
    """How many logs are due, now or later."""
    return Count(sum(lane.due_count for lane in lanes), is_more=any(lane.due_count > LIMIT for lane in lanes))


def waiting_together(lanes: Iterable[Any]) -> Count:
    """How many logs are due in all of these: one query, which reads no more than LIMIT rows however much waits."""
    due = WebhookLog.objects.due().filter(subscription__in=[lane.pk for lane in lanes])
    number = due.order_by().values("position")[: LIMIT + 1].count()
    return Count(min(number, LIMIT), is_more=number > LIMIT)


def oldest_waiting(lanes: Iterable[Any]) -> datetime | None:
    return min((lane.oldest_waiting for lane in lanes if lane.oldest_waiting), default=None)


def blocked(lanes: Iterable[Subscription]) -> list[Subscription]:
    """On hold first, then the longest queue."""
    return sorted(filter(is_blocked, lanes), key=_most_pressing)


def _most_pressing(lane) -> tuple:
    return (lane.held_at is None, -lane.due_count, lane.name)
