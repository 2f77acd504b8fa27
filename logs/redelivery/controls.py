"""Controls for a bulk redelivery that has started: pause it, resume it, stop it, exclude a subscription.

Every function returns whether it changed anything, and writes an audit entry. It takes effect within the request:
logs that are not in flight at that moment are not sent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from ..models import (
    DISPATCH_SIGNAL,
    LAST_STAGE,
    AuditAction,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    SkipReason,
    notify_workers,
)

# Only the outcome writer finishes queued items. It locks the logs first and in the same order, so an outcome that is
# committed at this moment stands.
_LOCK_LOGS = """
SELECT log.id FROM logs_webhooklog log JOIN logs_bulkredeliveryitem item ON item.log_id = log.id
WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'queued'
    AND (%(subscription_ids)s::text[] IS NULL OR item.subscription_id = ANY(%(subscription_ids)s))
ORDER BY log.id FOR NO KEY UPDATE OF log
"""
# A request in flight is recorded when its outcome arrives. The other items had no attempt yet, or failed and would have been
# retried; those retries end here.
_DEQUEUE = """
WITH item AS (
    SELECT item.id, item.log_id FROM logs_bulkredeliveryitem item
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'queued'
        AND (%(subscription_ids)s::text[] IS NULL OR item.subscription_id = ANY(%(subscription_ids)s))
), log AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL, requested_by_id = NULL,
        state = CASE WHEN log.state IN ('pending', 'retrying') THEN 'failed' ELSE log.state END
    FROM item WHERE log.id = item.log_id AND log.trigger = 'bulk'
)
UPDATE logs_bulkredeliveryitem SET queued_at = NULL,
    outcome = CASE WHEN attempt_number IS NULL THEN 'waiting' ELSE 'failed' END,
    finished_at = CASE WHEN attempt_number IS NOT NULL THEN now() END
FROM item WHERE logs_bulkredeliveryitem.id = item.id
RETURNING logs_bulkredeliveryitem.subscription_id
"""
# A worker that has read ahead in one of these queues reads again before it sends the next event. Locked in the order of ids.
_NOTIFY_QUEUES = """
WITH queue AS (SELECT id FROM logs_subscription WHERE id = ANY(%(subscription_ids)s) ORDER BY id FOR NO KEY UPDATE)
UPDATE logs_subscription SET queue_version = queue_version + 1 FROM queue WHERE logs_subscription.id = queue.id
"""


def pause_bulk(bulk: BulkRedelivery, *, by, reason: PauseReason = PauseReason.PERSON) -> bool:
    """Send nothing more until somebody resumes it. Returns False if it isn't running. `by` is None for an auto-pause."""
    with transaction.atomic():
        if not _change(bulk, [BulkRedeliveryState.RUNNING], state=BulkRedeliveryState.PAUSED, pause_reason=reason):
            return False
        dequeue_items(bulk)
        AuditEntry.record(by, AuditAction.BULK_PAUSED, bulk.audit_target, str(reason), reason=str(reason))
    return True


def resume_bulk(bulk: BulkRedelivery, *, by) -> bool:
    """Let it continue. The person knows of the failures so far, so auto-pause ignores them. Returns False if it isn't paused."""
    with transaction.atomic():
        paused = BulkRedelivery.objects.select_for_update().filter(pk=bulk.pk, state=BulkRedeliveryState.PAUSED).first()
        if paused is None:
            return False
        stage = LAST_STAGE if paused.pause_reason == PauseReason.CANARY_DONE else paused.stage
        columns = {
            "state": BulkRedeliveryState.RUNNING,
            "pause_reason": "",
            "failures_counted_from": Now(),
            "stage": stage,
            "acting_user": by,
        }
        _change(bulk, [BulkRedeliveryState.PAUSED], **columns)
        AuditEntry.record(by, AuditAction.BULK_RESUMED, bulk.audit_target)
        notify_workers(DISPATCH_SIGNAL)
    return True


def stop_bulk(bulk: BulkRedelivery, *, by) -> bool:
    """Send nothing more, for good. Returns False if it has already ended."""
    with transaction.atomic():
        if not _change(
            bulk,
            [BulkRedeliveryState.RUNNING, BulkRedeliveryState.PAUSED],
            state=BulkRedeliveryState.STOPPED,
            pause_reason="",
            ended_at=Now(),
        ):
            return False
        dequeue_items(bulk)
        exclude_waiting(bulk, SkipReason.STOPPED)
        AuditEntry.record(by, AuditAction.BULK_STOPPED, bulk.audit_target)
    return True


def exclude_subscription(bulk: BulkRedelivery, subscription_id: str, *, by) -> bool:
    """Send nothing more of it to this subscription. Returns False if nothing was left to send."""
    with transaction.atomic():
        if not BulkRedelivery.objects.select_for_update().open().filter(pk=bulk.pk).exists():
            return False
        dequeue_items(bulk, [subscription_id])
        if not exclude_waiting(bulk, SkipReason.SUBSCRIPTION_EXCLUDED, [subscription_id]):
            return False
        AuditEntry.record(by, AuditAction.BULK_SUBSCRIPTION_EXCLUDED, subscription_id, bulk.audit_target, bulk=bulk.pk)
    return True


def dequeue_items(bulk: BulkRedelivery, subscription_ids: Collection[str] | None = None) -> None:
    """Take its unfinished logs out of their queues. `bulk` must be locked.

    Items without an attempt wait again; items with one have failed.
    """
    parameters = {
        "bulk": bulk.pk,
        "subscription_ids": None if subscription_ids is None else list(subscription_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_LOGS, parameters)
        cursor.execute(_DEQUEUE, parameters)
        changed = {subscription_id for (subscription_id,) in cursor.fetchall()}
        cursor.execute(_NOTIFY_QUEUES, {"subscription_ids": list(changed)})
    notify_workers(*changed)


def exclude_waiting(
    bulk: BulkRedelivery, skip_reason: SkipReason, subscription_ids: Collection[str] | None = None
) -> int:
    waiting = bulk.items.filter(outcome=ItemOutcome.WAITING)
    if subscription_ids is not None:
        waiting = waiting.filter(subscription__in=subscription_ids)
    return waiting.update(outcome=ItemOutcome.SKIPPED, skip_reason=skip_reason, finished_at=Now())


def _change(bulk: BulkRedelivery, states: list[BulkRedeliveryState], **columns: Any) -> bool:
    """Waits while a worker dispatches this bulk redelivery, because that worker has locked the row."""
    return BulkRedelivery.objects.filter(pk=bulk.pk, state__in=states).update(**columns) == 1
