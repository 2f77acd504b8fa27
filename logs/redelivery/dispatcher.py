"""Puts the logs of running bulk redeliveries into their queues.

It does so a few logs at a time, so that people can pause, stop and slow down a bulk redelivery. Before that, it takes
account of what others have changed about the subscriptions and users involved. The rule for auto-pause is here as well.
It looks only at items that finished since a person started or resumed the bulk redelivery.

All workers take turns. The one that locks a bulk redelivery moves it on in one transaction, and keeps nothing in memory.
So it doesn't matter which worker is killed, or when.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from cotadmin.database import is_connection_lost

from ..models import (
    FAILURE_WINDOW,
    LAST_STAGE,
    BulkRedelivery,
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    RolloutPolicy,
    SkipReason,
    Subscription,
)
from .controls import dequeue_items, exclude_waiting, pause_bulk
from .enqueue import enqueue_items

# A paused queue sends redeliveries, but nothing with normal priority. All code that locks several logs uses this order.
_LET_PAUSED_QUEUES_SEND = """
WITH paused AS (
    SELECT log.id FROM logs_bulkredeliveryitem item JOIN logs_webhooklog log ON log.id = item.log_id
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'queued'
        AND item.subscription_id = ANY(%(subscription_ids)s)
        AND log.priority = 2 AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
)
UPDATE logs_webhooklog log SET priority = 1 FROM paused WHERE log.id = paused.id AND log.priority = 2
"""


def reconcile(bulk: BulkRedelivery) -> list[str]:
    """The subscriptions to which more may be sent. Items of all others are skipped. `bulk` must be locked."""
    subscriptions = Subscription.objects.filter(pk__in=bulk.selected_subscriptions)
    selected = set(bulk.selected_subscriptions)
    user = bulk.acting_user
    visible = set(subscriptions.visible_to(user).values_list("pk", flat=True)) if user else selected
    sendable = subscriptions.filter(is_active=True).exclude(url="")
    active = {pk: paused_at for pk, paused_at in sendable.values_list("pk", "paused_at")}
    for skip_reason, gone in (
        (SkipReason.INVISIBLE, selected - visible),
        (SkipReason.INACTIVE, visible - active.keys()),
    ):
        if gone and bulk.items.open().filter(subscription__in=gone).exists():
            dequeue_items(bulk, gone)
            exclude_waiting(bulk, skip_reason, gone)
    if paused := [pk for pk, paused_at in active.items() if paused_at]:
        with connection.cursor() as cursor:
            cursor.execute(_LET_PAUSED_QUEUES_SEND, {"bulk": bulk.pk, "subscription_ids": paused})
    return sorted(visible & active.keys())


def auto_pause_reason(
    stage: int, last_failed: Sequence[bool], has_failed: bool, failure_percent: int
) -> PauseReason | None:
    """`last_failed`: whether each of the last logs failed, at most FAILURE_WINDOW. `has_failed`: whether any log failed at all.

    In the canary, no log may fail. In the rest, it pauses if more than `failure_percent` of FAILURE_WINDOW failed.
    """
    if stage < LAST_STAGE and has_failed:
        return PauseReason.CANARY_FAILED
    if sum(last_failed) * 100 > failure_percent * FAILURE_WINDOW:
        return PauseReason.FAILURES
    return None


logger = logging.getLogger("logs.redelivery")
QUEUE_DEPTH = 20  # logs of a bulk redelivery in one queue at a time; as many as a worker reads ahead
MAX_DISPATCHED = 1_000  # logs; keeps the wait short for a person who stops a bulk redelivery
BURST = timedelta(seconds=1)  # with a rate: unused capacity is made up for at most this long


@dataclass(frozen=True)
class DispatchBudget:
    """How many logs may be put into queues now: in one queue, and in all."""

    depth: int
    total: int


def dispatch() -> int | None:
    """Move all running bulk redeliveries on. Returns how many logs were put into queues, None if none is running.

    A bulk redelivery that fails does not block the others: it is paused, for a person to look at. Raises OperationalError
    if the next call may succeed; the others have been moved on by then.
    """
    running = list(
        BulkRedelivery.objects.filter(state=BulkRedeliveryState.RUNNING).order_by("pk").values_list("pk", flat=True)
    )
    number, problem = 0, None
    for pk in running:
        try:
            number += _dispatch_one(pk)
        except OperationalError as error:
            if is_connection_lost(error):
                raise
            problem = error  # perhaps a deadlock: the next call may succeed
        except Exception:
            logger.exception("could not dispatch bulk redelivery %s, pausing it", pk)
            _pause_after_error(pk)
    if problem:
        raise problem
    return number if running else None


def _dispatch_one(pk: int) -> int:
    with transaction.atomic():
        running = BulkRedelivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            pk=pk, state=BulkRedeliveryState.RUNNING
        )
        bulk = running.first()
        return _advance(bulk) if bulk else 0


def _pause_after_error(pk: int) -> None:
    """Pause it. If its logs can't be taken out of their queues either, change only its state."""
    try:
        pause_bulk(BulkRedelivery.objects.get(pk=pk), by=None, reason=PauseReason.FAULT)
    except Exception:
        logger.exception("could not remove the logs of bulk redelivery %s from their queues", pk)
        running = BulkRedelivery.objects.filter(pk=pk, state=BulkRedeliveryState.RUNNING)
        running.update(state=BulkRedeliveryState.PAUSED, pause_reason=PauseReason.FAULT)


def _advance(bulk: BulkRedelivery) -> int:
    """Returns how many logs were put into queues."""
    subscription_ids = reconcile(bulk)
    # Read first: a failure at the very end of a stage then counts for auto-pause before the next stage begins.
    is_done = _is_stage_done(bulk)
    if reason := _why_to_pause(bulk):
        pause_bulk(bulk, by=None, reason=reason)
        return 0
    while is_done:
        if bulk.stage == LAST_STAGE:
            BulkRedelivery.objects.filter(pk=bulk.pk).update(state=BulkRedeliveryState.FINISHED, ended_at=Now())
            return 0
        if bulk.rollout == RolloutPolicy.ASK:
            pause_bulk(bulk, by=None, reason=PauseReason.CANARY_DONE)
            return 0
        bulk.stage += 1
        bulk.save(update_fields=["stage"])
        is_done = _is_stage_done(bulk)
    return _enqueue_next(bulk, subscription_ids)


def _is_stage_done(bulk: BulkRedelivery) -> bool:
    return not bulk.items.open().filter(stage__lte=bulk.stage).exists()


def _why_to_pause(bulk: BulkRedelivery) -> PauseReason | None:
    user = bulk.acting_user
    if user is None or not user.is_active or not user.has_perm("logs.redeliver_webhooklog"):
        return PauseReason.ACCOUNT
    finished = bulk.items.filter(
        finished_at__gte=bulk.failures_counted_from, outcome__in=[ItemOutcome.DELIVERED, ItemOutcome.FAILED]
    )
    last = list(finished.order_by("-finished_at").values_list("outcome", flat=True)[:FAILURE_WINDOW])
    has_failed = bulk.stage < LAST_STAGE and finished.filter(outcome=ItemOutcome.FAILED).exists()
    return auto_pause_reason(
        bulk.stage, [outcome == ItemOutcome.FAILED for outcome in last], has_failed, bulk.failure_percent
    )


def _enqueue_next(bulk: BulkRedelivery, subscription_ids: list[str]) -> int:
    now = _database_time()
    budget = _budget(bulk, now)
    if budget.total < 1:
        return 0
    number = enqueue_items(bulk, subscription_ids, depth=budget.depth, most=budget.total)
    if bulk.rate and number:
        beginning = max(bulk.rate_limited_until or now, now - BURST)
        BulkRedelivery.objects.filter(pk=bulk.pk).update(
            rate_limited_until=beginning + timedelta(seconds=number / bulk.rate)
        )
    return number


def _budget(bulk: BulkRedelivery, now: datetime) -> DispatchBudget:
    if not bulk.rate:
        return DispatchBudget(QUEUE_DEPTH, MAX_DISPATCHED)
    unused = min(now - bulk.rate_limited_until, BURST) if bulk.rate_limited_until else BURST
    return DispatchBudget(depth=1, total=min(int(unused.total_seconds() * bulk.rate), MAX_DISPATCHED))


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]
