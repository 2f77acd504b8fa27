"""Skips the logs that wait for an inactive subscription: a few at once, many in a job, so that no request waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from ..models import AuditAction, AuditEntry, BulkSkip, Subscription
from ..models.queue import RESUMED_FIELDS

QUICK_SKIP_LIMIT = 5_000  # logs; skipping them takes a fraction of a second
SKIP_BATCH_SIZE = 2_000
_LOST = """
SELECT id FROM logs_bulkskip skip WHERE ended_at IS NULL AND NOT EXISTS (
    SELECT FROM procrastinate_jobs job
    WHERE job.task_name = 'logs.tasks.skip_waiting' AND job.status IN ('todo', 'doing')
        AND job.args ->> 'skip_id' = skip.id::text
)
"""
# Does the same as `QueueMixin.skip_waiting`, for the next batch in the order of the queue. Each row is checked again after the
# wait for its lock. A batch begins where the last one ended, so no row is read twice.
_SKIP = """
WITH next AS MATERIALIZED (
    SELECT id, priority, sequence FROM logs_webhooklog
    WHERE subscription_id = %(subscription)s AND next_attempt_at IS NOT NULL
        AND (priority, sequence) >= (%(priority)s, %(sequence)s)
    ORDER BY priority, sequence, id LIMIT %(limit)s
), locked AS MATERIALIZED (
    SELECT id FROM logs_webhooklog WHERE id IN (SELECT id FROM next) ORDER BY id FOR NO KEY UPDATE
), skipped AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL,
        state = CASE WHEN log.state = 'delivered' OR log.trigger = 'override' THEN log.state ELSE 'skipped' END
    FROM locked WHERE log.id = locked.id AND log.next_attempt_at IS NOT NULL
    RETURNING log.id
), item AS (
    UPDATE logs_bulkredeliveryitem item SET outcome = 'skipped', skip_reason = 'removed', finished_at = now()
    FROM skipped WHERE item.log_id = skipped.id AND item.outcome = 'queued'
)
SELECT (SELECT count(*) FROM skipped), priority, sequence FROM next ORDER BY priority DESC, sequence DESC LIMIT 1
"""
STARTING = (-1, -1)


@dataclass(frozen=True)
class BulkSkipStatus:
    """`number`: how many logs were skipped. `goes_on`: there are many, and a job is skipping them."""

    number: int = 0
    goes_on: bool = False


def skip_waiting(subscription: Subscription, *, by, reason: str) -> BulkSkipStatus:
    """Skip the logs that wait for a subscription. Does nothing if it is active, or if no log waits."""
    if subscription.waiting().order_by()[: QUICK_SKIP_LIMIT + 1].count() <= QUICK_SKIP_LIMIT:
        return BulkSkipStatus(subscription.skip_waiting(by=by, reason=reason))
    with transaction.atomic():
        # The update locks the queue, so only one of several concurrent requests starts a job.
        idle = Subscription.objects.filter(pk=subscription.pk, is_active=False)
        if not idle.update(queue_version=F("queue_version") + 1, is_draining=False, **RESUMED_FIELDS):
            return BulkSkipStatus()
        values = {"reason": reason, "requested_by": by}
        skip, is_new = BulkSkip.objects.get_or_create(subscription=subscription, ended_at=None, defaults=values)
        if is_new:
            app.configure_task("logs.tasks.skip_waiting", allow_unknown=False).defer(skip_id=skip.pk)
    return BulkSkipStatus(goes_on=True)


def run(pk: int, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Do the work of the job; it is safe to run again. Returns False if it was stopped before its end."""
    place = STARTING
    while not should_stop():
        with transaction.atomic():
            skip = BulkSkip.objects.select_for_update().filter(pk=pk, ended_at=None).first()
            if skip is None:
                return True
            after = _skip_batch(skip, place)
            if after is None and place == STARTING:
                _end(skip)
                return True
        place = after or STARTING  # at the end, start once more: somebody may have queued a redelivery meanwhile
    return False


def lost() -> list[int]:
    """Return the ids of the skips that haven't ended and have no job, whatever happened to the job."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def _skip_batch(skip: BulkSkip, place: tuple[int, int]) -> tuple[int, int] | None:
    """Return `priority` and `sequence` of the last log read. None: no log is left, or the subscription sends again."""
    priority, sequence = place
    parameters: dict[str, Any] = {
        "subscription": skip.subscription_id,
        "priority": priority,
        "sequence": sequence,
        "limit": SKIP_BATCH_SIZE,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SKIP, parameters)
        row = cursor.fetchone()
        if row is None:
            return None
        number, *after = row
        # Logs are locked before their queue. A queue that was activated meanwhile, or sends what waits, keeps the rest.
        idle = Subscription.objects.filter(pk=skip.subscription_id, is_active=False, is_draining=False)
        if not idle.update(queue_version=F("queue_version") + 1):
            transaction.set_rollback(True)
            return None
        BulkSkip.objects.filter(pk=skip.pk).update(skipped=F("skipped") + number)
    return after[0], after[1]


def _end(skip: BulkSkip) -> None:
    BulkSkip.objects.filter(pk=skip.pk).update(ended_at=Now())
    if skip.skipped:
        target = skip.subscription_id
        AuditEntry.record(skip.requested_by, AuditAction.SKIPPED_WAITING, target, f"{skip.skipped}: {skip.reason}")
