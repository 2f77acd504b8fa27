"""Bulk redeliveries for tests, planned and started as the pages do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logs.models import BulkRedelivery, ItemOutcome, RolloutPolicy, SelectionSource, SupersededPolicy, WebhookLog
from logs.redelivery.drafts import build_plan, create_draft
from logs.redelivery.start import start_bulk

from .factories import SUBSCRIPTION, make_log

CHOICES = {
    "reason": "the night's outage",
    "superseded_policy": SupersededPolicy.EXCLUDE,
    "includes_delivered": False,
    "rollout": RolloutPolicy.NONE,
    "max_attempts": 1,
    "rate": None,
    "failure_percent": 100,
}


def make_object_log(number: int, object_id: str, **fields: Any) -> WebhookLog:
    """An imported log about that object; later numbers are newer."""
    return make_log(number, {"data": {"_id": object_id, "name": f"object {object_id[-2:]}"}}, **fields)


def make_object_logs(numbers: Iterable[int], subscription: str = SUBSCRIPTION) -> list[WebhookLog]:
    """A log for each number, each about its own object."""
    return [make_object_log(number, f"{number:024x}", subscription=subscription) for number in numbers]


def make_delivered_log(number: int, object_id: str, **fields: Any) -> WebhookLog:
    return make_object_log(number, object_id, status=200, response="OK", retry=1, **fields)


def plan_logs(user, logs: Iterable[WebhookLog]) -> BulkRedelivery:
    bulk = create_draft(SelectionSource.SELECTED, by=user)
    build_plan(bulk, [log.pk for log in logs])
    bulk.refresh_from_db()
    return bulk


def start_redelivery(user, logs: Iterable[WebhookLog], **choices: Any) -> BulkRedelivery:
    """A bulk redelivery of these logs, with all their subscriptions."""
    bulk = plan_logs(user, logs)
    assert start_bulk(bulk, CHOICES | choices, bulk.selected_subscriptions, by=user)
    return bulk


def outcomes(bulk: BulkRedelivery) -> dict[str, tuple[str, str]]:
    """By log, its outcome and the reason."""
    return {item.log_id: (item.outcome, item.skip_reason) for item in bulk.items.all()}


def outcome_counts(bulk: BulkRedelivery) -> dict[str, int]:
    """How many items have which outcome."""
    counts: dict[str, int] = {}
    for outcome in bulk.items.values_list("outcome", flat=True):
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


DELIVERED, FAILED, SKIPPED, EXCLUDED = (
    ItemOutcome.DELIVERED,
    ItemOutcome.FAILED,
    ItemOutcome.SKIPPED,
    ItemOutcome.EXCLUDED,
)
