"""What somebody may do with a run that is on its way: pause it, let it go on, stop it, leave a subscription out.

Every verb says whether it won, is on record, and takes effect in the request: what is not in flight at that moment is not sent.
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

# What is queued is settled by the recorder alone, who locks the logs first, and in the same order: an outcome that is committed
# in this moment stands.
_LOCK_LOGS = """
SELECT log.id FROM logs_webhooklog log JOIN logs_runentry entry ON entry.log_id = log.id
WHERE entry.run_id = %(run)s AND entry.outcome = 'queued'
    AND (%(lanes)s::text[] IS NULL OR entry.subscription_id = ANY(%(lanes)s))
ORDER BY log.id FOR NO KEY UPDATE OF log
"""
# What is in flight is recorded when its outcome is there; the others were not tried, or failed in a round that ends here.
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
# A worker that has read ahead in one of these lanes reads again before it sends the next. Locked in the order of ids.
_NOTICE = """
WITH lane AS (SELECT id FROM logs_subscription WHERE id = ANY(%(lanes)s) ORDER BY id FOR NO KEY UPDATE)
UPDATE logs_subscription SET lane_version = lane_version + 1 FROM lane WHERE logs_subscription.id = lane.id
"""


def pause_bulk(run: Run, *, by, reason: PauseReason = PauseReason.PERSON) -> bool:
    """Send nothing more until somebody lets it go on; False where it does not run. `by` None: it pauses by itself."""
    with transaction.atomic():
        if not _change(run, [BulkRedeliveryState.RUNNING], state=BulkRedeliveryState.PAUSED, pause_reason=reason):
            return False
        dequeue_items(run)
        AuditEntry.record(by, AuditAction.RUN_PAUSED, run.record_key, reason)
    return True


def resume_bulk(run: Run, *, by) -> bool:
    """Whatever failed until now is known to the person; False where it is not paused."""
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
    """Send nothing more, for good; False where it has ended."""
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
    """Send nothing more of it to this subscription; False where nothing was left to send."""
    with transaction.atomic():
        if not Run.objects.select_for_update().open().filter(pk=run.pk).exists():
            return False
        dequeue_items(run, [lane])
        if not exclude_waiting(run, SkipReason.LANE_LEFT, [lane]):
            return False
        AuditEntry.record(by, AuditAction.RUN_LANE_LEFT, lane, run.record_key)
    return True


def dequeue_items(run: Run, lanes: Collection[str] | None = None) -> None:
    """Take out of the lanes what the run has put there, and is not settled: it waits again. The run must be locked."""
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
    """In this order with a worker that feeds the run: it holds the row while it does."""
    return Run.objects.filter(pk=run.pk, state__in=states).update(**columns) == 1
