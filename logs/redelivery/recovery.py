"""Recover: one plan that makes an incident green. It retries or resumes queues, and redelivers or settles failed logs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from ..delivery.queue_summary import is_blocked, next_events_of
from ..delivery.superseded import NEWER_WAS_DELIVERED
from ..models import Incident, Priority, State, Subscription, WebhookLog
from ..models.querysets import WebhookLogQuerySet

MAX_COUNTED = 10_000  # failed logs; more are shown as "at least"
# What the plan would do with the failed logs: see `drafts.py` and `preview.py`.
_COUNT = f"""
SELECT count(*) FILTER (WHERE NOT is_superseded), count(*) FILTER (WHERE is_superseded)
FROM (
    SELECT {NEWER_WAS_DELIVERED} AS is_superseded
    FROM logs_incidentlog member JOIN logs_webhooklog log ON log.id = member.log_id
    JOIN logs_subscription subscription ON subscription.id = log.subscription_id
    WHERE member.incident_id = %s AND member.state = 'failed' AND log.state = 'failed' AND log.next_attempt_at IS NULL
        AND subscription.is_active AND subscription.url <> ''
        AND EXISTS (SELECT FROM logs_payload payload WHERE payload.log_id = log.id)
        AND NOT EXISTS (
            SELECT FROM logs_bulkredeliveryitem item
            WHERE item.log_id = log.id AND item.outcome IN ('waiting', 'queued')
        )
    LIMIT {MAX_COUNTED}
) failed
"""


@dataclass(frozen=True)
class BlockedQueues:
    """`retried`: queues whose next event waits for its next attempt. `resumed`: paused queues."""

    retried: list[Any]
    resumed: list[Any]

    @property
    def ids(self) -> list[str]:
        return [subscription.pk for subscription in [*self.retried, *self.resumed]]

    def chosen(self, retry: Collection[str], resume: Collection[str]) -> BlockedQueues:
        """Those of these queues that a person chose. Who chose to retry a queue hasn't chosen to resume it, paused since."""
        return BlockedQueues(
            retried=[subscription for subscription in self.retried if subscription.pk in retry],
            resumed=[subscription for subscription in self.resumed if subscription.pk in resume],
        )


NO_QUEUES = BlockedQueues([], [])


@dataclass(frozen=True)
class Recovery:
    """What the plan of an incident does unless a person takes parts out. `redelivered`, `settled`: numbers of logs."""

    incident: Incident
    queues: BlockedQueues
    redelivered: int
    settled: int

    @property
    def is_empty(self) -> bool:
        return not (self.queues.ids or self.redelivered or self.settled)

    @property
    def is_cut(self) -> bool:
        return self.redelivered + self.settled >= MAX_COUNTED


def recovery_of(incident: Incident, user) -> Recovery:
    """Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [incident.pk])
        redelivered, settled = cursor.fetchone()
    return Recovery(incident, blocked_queues_of(incident, user), redelivered, settled)


def blocked_queues_of(incident: Incident, user) -> BlockedQueues:
    """One query."""
    visible = Subscription.objects.visible_to(user).filter(pk__in=incident.subscription_ids)
    blocked = sorted(filter(is_blocked, next_events_of(visible).values()), key=str)
    return BlockedQueues(
        retried=[subscription for subscription in blocked if subscription.paused_at is None],
        resumed=[subscription for subscription in blocked if subscription.paused_at is not None],
    )


def failed_logs_of(incident: Incident, user) -> WebhookLogQuerySet:
    return WebhookLog.objects.visible_to(user).filter(incident_log__incident=incident, state=State.FAILED)


def unblock(queues: BlockedQueues, *, by) -> dict[str, list[str]]:
    """Retry and resume these queues, within a transaction. One that goes on by itself, or was paused, stays as it is.

    Returns the ids of those it `retried` and `resumed`.
    """
    heads = [head for subscription in queues.retried if (head := _blocking_event(subscription))]
    # Logs before queues, each in the order of ids, as everywhere.
    list(WebhookLog.objects.select_for_update(of=("self",)).filter(pk__in=[head.pk for head in heads]).order_by("pk"))
    stored = Subscription.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=queues.ids).order_by("pk")
    paused = {subscription.pk for subscription in stored if subscription.paused_at is not None}
    retried = [head for head in heads if head.subscription_id not in paused and head.retry_now(by=by)]
    resumed = [subscription for subscription in queues.resumed if subscription.resume(by=by)]
    return {
        "retried": [head.subscription_id for head in retried],
        "resumed": [subscription.pk for subscription in resumed],
    }


def _blocking_event(subscription: Subscription) -> WebhookLog | None:
    return subscription.waiting().filter(priority=Priority.RETRY).order_by("sequence").first()


def proposed_reason(incident: Incident) -> str:
    """The reason that the plan's form starts with."""
    words = {"number": incident.pk, "receiver": incident.receiver_name, "cause": incident.cause_label}
    return _("Incident %(number)s: %(receiver)s, %(cause)s") % words
