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
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    RolloutPolicy,
    Run,
    SkipReason,
    Subscription,
)
from .controls import dequeue_items, exclude_waiting, pause_bulk
from .enqueue import enqueue_items

# A paused queue sends redeliveries, but nothing with normal priority. All code that locks several logs uses this order.
_HELD = """
WITH held AS (
    SELECT log.id FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'queued' AND entry.subscription_id = ANY(%(lanes)s)
        AND log.turn = 2 AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
)
UPDATE logs_webhooklog log SET turn = 1 FROM held WHERE log.id = held.id AND log.turn = 2
"""


def reconcile(run: Run) -> list[str]:
    """The subscriptions to which more may be sent. Items of all others are skipped. `run` must be locked."""
    lanes = Subscription.objects.filter(pk__in=run.lanes)
    visible = set(lanes.visible_to(run.responsible).values_list("pk", flat=True)) if run.responsible else set(run.lanes)
    active = {pk: held_at for pk, held_at in lanes.filter(is_active=True).exclude(url="").values_list("pk", "held_at")}
    for why, gone in ((SkipReason.INVISIBLE, set(run.lanes) - visible), (SkipReason.INACTIVE, visible - active.keys())):
        if gone and run.entries.open().filter(subscription__in=gone).exists():
            dequeue_items(run, gone)
            exclude_waiting(run, why, gone)
    if held := [pk for pk, held_at in active.items() if held_at]:
        with connection.cursor() as cursor:
            cursor.execute(_HELD, {"run": run.pk, "lanes": held})
    return sorted(visible & active.keys())


def auto_pause_reason(
    step: int, last_failed: Sequence[bool], has_failed: bool, failure_percent: int
) -> PauseReason | None:
    """`last_failed`: whether each of the last logs failed, at most FAILURE_WINDOW. `has_failed`: whether any log failed at all.

    In the canary, no log may fail. In the rest, it pauses if more than `failure_percent` of FAILURE_WINDOW failed.
    """
    if step < LAST_STAGE and has_failed:
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
    running = list(Run.objects.filter(state=BulkRedeliveryState.RUNNING).order_by("pk").values_list("pk", flat=True))
    number, problem = 0, None
    for pk in running:
        try:
            number += _feed_one(pk)
        except OperationalError as error:
            if is_connection_lost(error):
                raise
            problem = error  # perhaps a deadlock: the next call may succeed
        except Exception:
            logger.exception("could not dispatch bulk redelivery %s, pausing it", pk)
            _set_aside(pk)
    if problem:
        raise problem
    return number if running else None


def _feed_one(pk: int) -> int:
    with transaction.atomic():
        run = Run.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            pk=pk, state=BulkRedeliveryState.RUNNING
        )
        found = run.first()
        return _move_on(found) if found else 0


def _set_aside(pk: int) -> None:
    """Pause it. If its logs can't be taken out of their queues either, change only its state."""
    try:
        pause_bulk(Run.objects.get(pk=pk), by=None, reason=PauseReason.FAULT)
    except Exception:
        logger.exception("could not remove the logs of bulk redelivery %s from their queues", pk)
        running = Run.objects.filter(pk=pk, state=BulkRedeliveryState.RUNNING)
        running.update(state=BulkRedeliveryState.PAUSED, pause_reason=PauseReason.FAULT)


def _move_on(run: Run) -> int:
    """Returns how many logs were put into queues."""
    lanes = reconcile(run)
    # Read first: a failure at the very end of a stage then counts for auto-pause before the next stage begins.
    is_done = _is_step_done(run)
    if reason := _why_to_pause(run):
        pause_bulk(run, by=None, reason=reason)
        return 0
    while is_done:
        if run.step == LAST_STAGE:
            Run.objects.filter(pk=run.pk).update(state=BulkRedeliveryState.FINISHED, ended_at=Now())
            return 0
        if run.canary == RolloutPolicy.ASK:
            pause_bulk(run, by=None, reason=PauseReason.CANARY_DONE)
            return 0
        run.step += 1
        run.save(update_fields=["step"])
        is_done = _is_step_done(run)
    return _feed(run, lanes)


def _is_step_done(run: Run) -> bool:
    return not run.entries.open().filter(step__lte=run.step).exists()


def _why_to_pause(run: Run) -> PauseReason | None:
    who = run.responsible
    if who is None or not who.is_active or not who.has_perm("logs.redeliver_webhooklog"):
        return PauseReason.ACCOUNT
    settled = run.entries.filter(
        settled_at__gte=run.judged_from, outcome__in=[ItemOutcome.SUCCEEDED, ItemOutcome.FAILED]
    )
    last = list(settled.order_by("-settled_at").values_list("outcome", flat=True)[:FAILURE_WINDOW])
    has_failed = run.step < LAST_STAGE and settled.filter(outcome=ItemOutcome.FAILED).exists()
    return auto_pause_reason(
        run.step, [outcome == ItemOutcome.FAILED for outcome in last], has_failed, run.failure_percent
    )


def _feed(run: Run, lanes: list[str]) -> int:
    now = _database_time()
    room = _room(run, now)
    if room.total < 1:
        return 0
    number = enqueue_items(run, lanes, depth=room.depth, most=room.total)
    if run.rate and number:
        beginning = max(run.fed_until or now, now - BURST)
        Run.objects.filter(pk=run.pk).update(fed_until=beginning + timedelta(seconds=number / run.rate))
    return number


def _room(run: Run, now: datetime) -> DispatchBudget:
    if not run.rate:
        return DispatchBudget(QUEUE_DEPTH, MAX_DISPATCHED)
    unused = min(now - run.fed_until, BURST) if run.fed_until else BURST
    return DispatchBudget(depth=1, total=min(int(unused.total_seconds() * run.rate), MAX_DISPATCHED))


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]
