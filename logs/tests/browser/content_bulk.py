"""Runs for the tests of all pages: each state once, with hostile reasons and names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from logs.models import BulkRedeliveryState, ItemOutcome, PauseReason, RolloutPolicy, Run, SelectionSource, WebhookLog
from logs.redelivery.controls import pause_bulk, resume_bulk, stop_bulk
from logs.redelivery.drafts import build_plan, create_draft

from ..bulk_redeliveries import plan_logs, start_run
from ..factories import import_logs, log_document

A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"
COUNT = 12  # logs of each run


@dataclass(frozen=True)
class Runs:
    """`plan` has stale and received logs, logs that cannot be sent, and ids that nobody knows."""

    plan: Run
    empty: Run
    problem: Run
    planning: Run
    running: Run
    paused: Run
    finished: Run
    stopped: Run


def make_runs(user, markup: str, reason: str) -> Runs:
    unsent = create_draft(SelectionSource.FILTER, by=user, query="state=failed&q=alert")
    return Runs(
        plan=_plan(user, markup),
        empty=plan_logs(user, []),
        problem=_problem(user),
        planning=unsent,
        running=_started(user, markup, 200, reason),
        paused=_paused(user, markup, reason),
        finished=_ended(user, markup, reason),
        stopped=_stopped(user, markup, reason),
    )


def _plan(user, markup: str) -> Run:
    stale = [_document(number, markup, A) for number in (100, 101)]
    received = [_document(number, markup, id_, status=200, retry=1) for number, id_ in ((102, A), (103, B))]
    due = _logs(104, markup, count=1)
    due[0].redeliver(by=user, expected_attempts=due[0].retry)
    import_logs(*stale, *received)
    logs = list(WebhookLog.objects.filter(pk__in=[one["_id"] for one in (*stale, *received)]))
    run = create_draft(SelectionSource.IDS, by=user)
    build_plan(run, [log.pk for log in (*logs, *due, *_logs(105, markup))] + [markup, "0" * 24])
    run.refresh_from_db()
    return run


def _problem(user) -> Run:
    run = create_draft(SelectionSource.FILTER, by=user, query="colour=red")
    build_plan(run)
    run.refresh_from_db()
    return run


def _started(user, markup: str, first: int, reason: str) -> Run:
    """Half of it was sent: one failed, the others were received."""
    run = start_run(user, _logs(first, markup), reason=reason, canary=RolloutPolicy.STEPS)
    now = timezone.now()
    for entry in run.entries.filter(number__lte=COUNT // 2):
        entry.outcome = ItemOutcome.FAILED if entry.number == 3 else ItemOutcome.SUCCEEDED
        entry.status, entry.cause = (500, "http_5xx") if entry.number == 3 else (200, "")
        entry.fingerprint = markup if entry.number == 3 else ""
        entry.attempt_number, entry.duration_ms = 4, 120 * entry.number
        entry.queued_at = entry.settled_at = now - timedelta(seconds=20 - entry.number)
        entry.save()
    Run.objects.filter(pk=run.pk).update(judged_from=now - timedelta(seconds=30), step=3)
    run.refresh_from_db()
    return run


def _paused(user, markup: str, reason: str) -> Run:
    run = _started(user, markup, 220, reason)
    pause_bulk(run, by=user)
    resume_bulk(run, by=user)
    pause_bulk(run, by=None, reason=PauseReason.CANARY_FAILED)
    run.refresh_from_db()
    return run


def _ended(user, markup: str, reason: str) -> Run:
    run = _started(user, markup, 240, reason)
    run.entries.open().update(outcome=ItemOutcome.SUCCEEDED, status=200, settled_at=timezone.now(), attempt_number=4)
    Run.objects.filter(pk=run.pk).update(state=BulkRedeliveryState.FINISHED, ended_at=timezone.now())
    run.refresh_from_db()
    return run


def _stopped(user, markup: str, reason: str) -> Run:
    run = _started(user, markup, 260, reason)
    stop_bulk(run, by=user)
    run.refresh_from_db()
    return run


def _logs(first: int, markup: str, count: int = COUNT) -> list[WebhookLog]:
    documents = [_document(number, markup, f"{number:024x}") for number in range(first, first + count)]
    import_logs(*documents)
    return list(WebhookLog.objects.filter(pk__in=[one["_id"] for one in documents]).order_by("created_at"))


def _document(number: int, markup: str, object_id: str, **fields) -> dict:
    return log_document(number, {"data": {"_id": object_id, "name": f"{number} {markup}"}}, **fields)
