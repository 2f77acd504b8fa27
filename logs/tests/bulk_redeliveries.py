"""Runs for tests, planned and started as the pages do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logs.models import ItemOutcome, RolloutPolicy, Run, SelectionSource, State, SupersededPolicy, WebhookLog
from logs.redelivery.drafts import build_plan, create_draft
from logs.redelivery.start import start_bulk

from .factories import make_log

CHOICES = {
    "reason": "the night's outage",
    "stale_choice": SupersededPolicy.LEAVE,
    "sends_received": False,
    "canary": RolloutPolicy.NONE,
    "tries": 1,
    "rate": None,
    "failure_percent": 100,
}


def make_object_log(number: int, object_id: str, **fields: Any) -> WebhookLog:
    """An imported log about that object; later numbers are newer."""
    return make_log(number, {"data": {"_id": object_id, "name": f"object {object_id[-2:]}"}}, **fields)


def make_received_log(number: int, object_id: str, **fields: Any) -> WebhookLog:
    return make_object_log(number, object_id, status=200, response="OK", retry=1, **fields)


def plan_logs(user, logs: Iterable[WebhookLog]) -> Run:
    run = create_draft(SelectionSource.CHOSEN, by=user)
    build_plan(run, [log.pk for log in logs])
    run.refresh_from_db()
    return run


def start_run(user, logs: Iterable[WebhookLog], **choices: Any) -> Run:
    """A run of these logs, with all their subscriptions."""
    run = plan_logs(user, logs)
    assert start_bulk(run, CHOICES | choices, run.lanes, by=user)
    return run


def outcomes(run: Run) -> dict[str, tuple[str, str]]:
    """By log, its outcome and why."""
    return {entry.log_id: (entry.outcome, entry.why) for entry in run.entries.all()}


def numbers(run: Run) -> dict[str, int]:
    """How many entries have which outcome."""
    found: dict[str, int] = {}
    for outcome in run.entries.values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found


DELIVERED, FAILED, SKIPPED, LEFT_OUT = (
    ItemOutcome.SUCCEEDED,
    ItemOutcome.FAILED,
    ItemOutcome.SKIPPED,
    ItemOutcome.LEFT_OUT,
)
RECEIVED = State.SUCCEEDED
