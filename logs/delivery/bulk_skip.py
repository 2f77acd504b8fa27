"""Skips what waits for an inactive subscription: a few logs at once, many by a job, so that no request waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from ..models import AuditAction, AuditEntry, Subscription, WaitingSkip
from ..models.queue import RESUMED_FIELDS

QUICK_SKIP_LIMIT = 5_000  # logs, that take a fraction of a second
SKIP_BATCH_SIZE = 2_000
_LOST = """
SELECT id FROM logs_waitingskip skip WHERE ended_at IS NULL AND NOT EXISTS (
    SELECT FROM procrastinate_jobs job
    WHERE job.task_name = 'logs.tasks.skip_waiting' AND job.status IN ('todo', 'doing')
        AND job.args ->> 'skip_id' = skip.id::text
)
"""
# As Lane.skip_what_waits, of the next in their order. Each row is asked once more after the wait for its lock. What was looked at
# is not walked through again: a piece begins where the one before ended.
_SKIP = """
WITH next AS MATERIALIZED (
    SELECT id, turn, position FROM logs_webhooklog
    WHERE subscription_id = %(lane)s AND next_attempt_at IS NOT NULL AND (turn, position) >= (%(turn)s, %(position)s)
    ORDER BY turn, position, id LIMIT %(most)s
), locked AS MATERIALIZED (
    SELECT id FROM logs_webhooklog WHERE id IN (SELECT id FROM next) ORDER BY id FOR NO KEY UPDATE
), skipped AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL,
        state = CASE WHEN log.state = 'succeeded' OR log.trigger = 'variant' THEN log.state ELSE 'skipped' END
    FROM locked WHERE log.id = locked.id AND log.next_attempt_at IS NOT NULL
    RETURNING log.id
), entry AS (
    UPDATE logs_runentry entry SET outcome = 'skipped', why = 'taken_out', settled_at = now()
    FROM skipped WHERE entry.log_id = skipped.id AND entry.outcome = 'queued'
)
SELECT (SELECT count(*) FROM skipped), turn, position FROM next ORDER BY turn DESC, position DESC LIMIT 1
"""
STARTING = (-1, -1)


@dataclass(frozen=True)
class BulkSkipStatus:
    """`number`: of the logs that were skipped; `goes_on`: many are being skipped by a job."""

    number: int = 0
    goes_on: bool = False


def skip_waiting(subscription: Subscription, *, by, reason: str) -> BulkSkipStatus:
    """Nothing where the subscription is active, or nothing waits."""
    if subscription.waiting().order_by()[: QUICK_SKIP_LIMIT + 1].count() <= QUICK_SKIP_LIMIT:
        return BulkSkipStatus(subscription.skip_what_waits(by=by, reason=reason))
    with transaction.atomic():
        # The lane is locked by it, so that of many who ask one begins.
        idle = Subscription.objects.filter(pk=subscription.pk, is_active=False)
        if not idle.update(lane_version=F("lane_version") + 1, is_draining=False, **RESUMED_FIELDS):
            return BulkSkipStatus()
        values = {"reason": reason, "asked_by": by}
        skip, is_new = WaitingSkip.objects.get_or_create(subscription=subscription, ended_at=None, defaults=values)
        if is_new:
            app.configure_task("logs.tasks.skip_waiting", allow_unknown=False).defer(skip_id=skip.pk)
    return BulkSkipStatus(goes_on=True)


def run(pk: int, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """What the job does. Safe to do again. False where it was stopped before its end."""
    place = STARTING
    while not should_stop():
        with transaction.atomic():
            skip = WaitingSkip.objects.select_for_update().filter(pk=pk, ended_at=None).first()
            if skip is None:
                return True
            after = _skip_piece(skip, place)
            if after is None and place == STARTING:
                _end(skip)
                return True
        place = after or STARTING  # once more from there: somebody may have queued a re-delivery meanwhile
    return False


def lost() -> list[int]:
    """Those that have not ended and have no job, whatever became of it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def _skip_piece(skip: WaitingSkip, place: tuple[int, int]) -> tuple[int, int] | None:
    """The place of the last that was looked at; None where nothing is left, or the subscription sends again."""
    turn, position = place
    asked: dict[str, Any] = {"lane": skip.subscription_id, "turn": turn, "position": position, "most": SKIP_BATCH_SIZE}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SKIP, asked)
        found = cursor.fetchone()
        if found is None:
            return None
        number, *after = found
        # Logs are locked before their lane. One that was activated meanwhile, or sends what waits, keeps the rest.
        idle = Subscription.objects.filter(pk=skip.subscription_id, is_active=False, is_draining=False)
        if not idle.update(lane_version=F("lane_version") + 1):
            transaction.set_rollback(True)
            return None
        WaitingSkip.objects.filter(pk=skip.pk).update(skipped=F("skipped") + number)
    return after[0], after[1]


def _end(skip: WaitingSkip) -> None:
    WaitingSkip.objects.filter(pk=skip.pk).update(ended_at=Now())
    if skip.skipped:
        about = skip.subscription_id
        AuditEntry.record(skip.asked_by, AuditAction.SKIPPED_WAITING, about, f"{skip.skipped}: {skip.reason}")
