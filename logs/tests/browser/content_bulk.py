"""Bulk redeliveries for the tests of all pages: each state once, with hostile reasons and names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from logs.models import (
    BulkRedelivery,
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    RolloutPolicy,
    SelectionSource,
    WebhookLog,
)
from logs.redelivery.controls import pause_bulk, resume_bulk, stop_bulk
from logs.redelivery.drafts import build_plan, create_draft

from ..bulk_redeliveries import plan_logs, start_redelivery
from ..factories import import_logs, log_document

A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"
COUNT = 12  # logs of each bulk redelivery


@dataclass(frozen=True)
class BulkRedeliveries:
    """`plan` has superseded and delivered logs, logs that cannot be sent, and unknown ids."""

    plan: BulkRedelivery
    empty: BulkRedelivery
    problem: BulkRedelivery
    planning: BulkRedelivery
    running: BulkRedelivery
    paused: BulkRedelivery
    finished: BulkRedelivery
    stopped: BulkRedelivery


def make_bulk_redeliveries(user, markup: str, reason: str) -> BulkRedeliveries:
    planning = create_draft(SelectionSource.FILTER, by=user, query="state=failed&q=alert")
    return BulkRedeliveries(
        plan=_plan(user, markup),
        empty=plan_logs(user, []),
        problem=_problem(user),
        planning=planning,
        running=_started(user, markup, 200, reason),
        paused=_paused(user, markup, reason),
        finished=_ended(user, markup, reason),
        stopped=_stopped(user, markup, reason),
    )


def _plan(user, markup: str) -> BulkRedelivery:
    superseded = [_document(number, markup, A) for number in (100, 101)]
    delivered = [_document(number, markup, id_, status=200, retry=1) for number, id_ in ((102, A), (103, B))]
    queued = _logs(104, markup, count=1)
    queued[0].redeliver(by=user, expected_attempts=queued[0].attempt_count)
    import_logs(*superseded, *delivered)
    ids = [document["_id"] for document in (*superseded, *delivered)]
    logs = list(WebhookLog.objects.filter(pk__in=ids))
    bulk = create_draft(SelectionSource.IDS, by=user)
    build_plan(bulk, [log.pk for log in (*logs, *queued, *_logs(105, markup))] + [markup, "0" * 24])
    bulk.refresh_from_db()
    return bulk


def _problem(user) -> BulkRedelivery:
    bulk = create_draft(SelectionSource.FILTER, by=user, query="colour=red")
    build_plan(bulk)
    bulk.refresh_from_db()
    return bulk


def _started(user, markup: str, first: int, reason: str) -> BulkRedelivery:
    """Half of it was sent: one failed, the others were delivered."""
    bulk = start_redelivery(user, _logs(first, markup), reason=reason, rollout=RolloutPolicy.STAGES)
    now = timezone.now()
    for item in bulk.items.filter(number__lte=COUNT // 2):
        item.outcome = ItemOutcome.FAILED if item.number == 3 else ItemOutcome.DELIVERED
        item.status, item.cause = (500, "http_5xx") if item.number == 3 else (200, "")
        item.fingerprint = markup if item.number == 3 else ""
        item.attempt_number, item.duration_ms = 4, 120 * item.number
        item.queued_at = item.finished_at = now - timedelta(seconds=20 - item.number)
        item.save()
    BulkRedelivery.objects.filter(pk=bulk.pk).update(failures_counted_from=now - timedelta(seconds=30), stage=3)
    bulk.refresh_from_db()
    return bulk


def _paused(user, markup: str, reason: str) -> BulkRedelivery:
    bulk = _started(user, markup, 220, reason)
    pause_bulk(bulk, by=user)
    resume_bulk(bulk, by=user)
    pause_bulk(bulk, by=None, reason=PauseReason.CANARY_FAILED)
    bulk.refresh_from_db()
    return bulk


def _ended(user, markup: str, reason: str) -> BulkRedelivery:
    bulk = _started(user, markup, 240, reason)
    bulk.items.open().update(outcome=ItemOutcome.DELIVERED, status=200, finished_at=timezone.now(), attempt_number=4)
    BulkRedelivery.objects.filter(pk=bulk.pk).update(state=BulkRedeliveryState.FINISHED, ended_at=timezone.now())
    bulk.refresh_from_db()
    return bulk


def _stopped(user, markup: str, reason: str) -> BulkRedelivery:
    bulk = _started(user, markup, 260, reason)
    stop_bulk(bulk, by=user)
    bulk.refresh_from_db()
    return bulk


def _logs(first: int, markup: str, count: int = COUNT) -> list[WebhookLog]:
    documents = [_document(number, markup, f"{number:024x}") for number in range(first, first + count)]
    import_logs(*documents)
    return list(WebhookLog.objects.filter(pk__in=[document["_id"] for document in documents]).order_by("created_at"))


def _document(number: int, markup: str, object_id: str, **fields) -> dict:
    return log_document(number, {"data": {"_id": object_id, "name": f"{number} {markup}"}}, **fields)
