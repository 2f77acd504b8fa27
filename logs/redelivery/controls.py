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
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    Run,
    SkipReason,
    notify_workers,
)

# Only the outcome writer finishes queued items. It locks the logs first and in the same order, so an outcome that is
# committed at this moment stands.
_LOCK_LOGS = """
SELECT log.id FROM logs_webhooklog log JOIN logs_runentry entry ON entry.log_id = log.id
WHERE entry.run_id = %(run)s AND entry.outcome = 'queued'
    AND (%(lanes)s::text[] IS NULL OR entry.subscription_id = ANY(%(lanes)s))
ORDER BY log.id FOR NO KEY UPDATE OF log
"""
# A request in flight is recorded when its outcome arrives. The other items had no attempt yet, or failed and would have been
# retried; those retries end here.
_WITHDRAW = """
WITH entry AS (
    SELECT entry.id, entry.log_id FROM logs_runentry entry
    WHERE entry.run_id = %(run)s AND entry.outcome = 'queued'
        AND (%(lanes)s::text[] IS NULL OR entry.subscription_id = ANY(%(lanes)s))
), log AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL, requested_by_id = NULL,
        state = CASE WHEN log.state IN ('pending', 'retrying') THEN 'failed' ELSE log.state END
    FROM entry WHERE log.id = entry.log_id AND log.trigger = 'bulk'
)
UPDATE logs_runentry SET queued_at = NULL,
    outcome = CASE WHEN attempt_number IS NULL THEN 'waiting' ELSE 'failed' END,
    settled_at = CASE WHEN attempt_number IS NOT NULL THEN now() END
FROM entry WHERE logs_runentry.id = entry.id
RETURNING logs_runentry.subscription_id
"""
# A worker that has read ahead in one of these queues reads again before it sends the next event. Locked in the order of ids.
_NOTICE = """
WITH lane AS (SELECT id FROM logs_subscription WHERE id = ANY(%(lanes)s) ORDER BY id FOR NO KEY UPDATE)
UPDATE logs_subscription SET lane_version = lane_version + 1 FROM lane WHERE logs_subscription.id = lane.id
"""


def pause_bulk(run: Run, *, by, reason: PauseReason = PauseReason.PERSON) -> bool:
    """Send nothing more until somebody resumes it. Returns False if it isn't running. `by` is None for an auto-pause."""
    with transaction.atomic():
        if not _change(run, [BulkRedeliveryState.RUNNING], state=BulkRedeliveryState.PAUSED, pause_reason=reason):
            return False
        dequeue_items(run)
        AuditEntry.record(by, AuditAction.RUN_PAUSED, run.record_key, reason)
    return True


def resume_bulk(run: Run, *, by) -> bool:
    """Let it continue. The person knows of the failures so far, so auto-pause ignores them. Returns False if it isn't paused."""
    with transaction.atomic():
        paused = Run.objects.select_for_update().filter(pk=run.pk, state=BulkRedeliveryState.PAUSED).first()
        if paused is None:
            return False
        step = LAST_STAGE if paused.pause_reason == PauseReason.CANARY_DONE else paused.step
        columns = {
            "state": BulkRedeliveryState.RUNNING,
            "pause_reason": "",
            "judged_from": Now(),
            "step": step,
            "responsible": by,
        }
        _change(run, [BulkRedeliveryState.PAUSED], **columns)
        AuditEntry.record(by, AuditAction.RUN_RESUMED, run.record_key)
        notify_workers(DISPATCH_SIGNAL)
    return True


def stop_bulk(run: Run, *, by) -> bool:
    """Send nothing more, for good. Returns False if it has already ended."""
    with transaction.atomic():
        if not _change(
            run,
            [BulkRedeliveryState.RUNNING, BulkRedeliveryState.PAUSED],
            state=BulkRedeliveryState.STOPPED,
            pause_reason="",
            ended_at=Now(),
        ):
            return False
        dequeue_items(run)
        exclude_waiting(run, SkipReason.STOPPED)
        AuditEntry.record(by, AuditAction.RUN_STOPPED, run.record_key)
    return True


def exclude_subscription(run: Run, lane: str, *, by) -> bool:
    """Send nothing more of it to this subscription. Returns False if nothing was left to send."""
    with transaction.atomic():
        if not Run.objects.select_for_update().open().filter(pk=run.pk).exists():
            return False
        dequeue_items(run, [lane])
        if not exclude_waiting(run, SkipReason.LANE_LEFT, [lane]):
            return False
        AuditEntry.record(by, AuditAction.RUN_LANE_LEFT, lane, run.record_key)
    return True


def dequeue_items(run: Run, lanes: Collection[str] | None = None) -> None:
    """Take its unfinished logs out of their queues. `run` must be locked.

    Items without an attempt wait again; items with one have failed.
    """
    asked = {"run": run.pk, "lanes": None if lanes is None else list(lanes)}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_LOGS, asked)
        cursor.execute(_WITHDRAW, asked)
        touched = {lane for (lane,) in cursor.fetchall()}
        cursor.execute(_NOTICE, {"lanes": list(touched)})
    notify_workers(*touched)


def exclude_waiting(run: Run, why: SkipReason, lanes: Collection[str] | None = None) -> int:
    waiting = run.entries.filter(outcome=ItemOutcome.WAITING)
    if lanes is not None:
        waiting = waiting.filter(subscription__in=lanes)
    return waiting.update(outcome=ItemOutcome.SKIPPED, why=why, settled_at=Now())


def _change(run: Run, states: list[BulkRedeliveryState], **columns: Any) -> bool:
    """Waits while a worker dispatches this bulk redelivery, because that worker has locked the row."""
    return Run.objects.filter(pk=run.pk, state__in=states).update(**columns) == 1
