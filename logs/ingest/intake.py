"""Accepts events: the one place where they are stored, whichever way they came in.

A batch is stored in one transaction: once it is answered as accepted, its events are in their queues, and workers wake up.
All code locks rows in one order (accepted events by key, then subscriptions by id, then counts), so batches never deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from ..cotalker import objectid
from . import enqueue, idempotency, unmatched
from .enqueue import NewLog
from .events import IncomingEvent
from .matching import matching_subscriptions


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """What became of an event: the ids of its logs, none if it is unmatched.

    `is_known`: it was accepted before, and these are its logs from then. `problem`: why it was not accepted, else "".
    """

    event: IncomingEvent
    logs: Sequence[str] = ()
    is_known: bool = False
    problem: str = ""


def accept_events(events: Sequence[IncomingEvent]) -> list[AcceptResult]:
    """Store events in the given order. Returns what became of each, in that order."""
    if not events:
        return []
    enqueue.prepare_log()
    with transaction.atomic():
        logs = _build_logs(events)
        claimed = idempotency.reserve((key, new_logs[0].event.digest, _ids(new_logs)) for key, new_logs in logs.items())
        known = idempotency.find_reserved({event.key for event in events} - claimed)
        new = _stored({key: new_logs for key, new_logs in logs.items() if key in claimed})
        results = [_result(event, new.get(event.key), known.get(event.key)) for event in events]
        unmatched.count_unmatched(result.event.about for result in results if not result.logs and not result.problem)
    return results


def enqueue_test_event(event: IncomingEvent, subscription: str) -> str | None:
    """Put an event into this queue only, marked as a test. Returns the id of its log; None if the queue accepts none now."""
    enqueue.prepare_log()
    with transaction.atomic():
        log = NewLog(objectid.new_objectid(), subscription, event)
        return log.id if enqueue.enqueue_logs([log], whoever_delivers=True, are_tests=True) else None


def _build_logs(events: Sequence[IncomingEvent]) -> dict[str, list[NewLog]]:
    """The logs of events that match a subscription, by key, as if none had been accepted before."""
    distinct: dict[str, IncomingEvent] = {}
    for event in events:
        distinct.setdefault(event.key, event)
    matches = matching_subscriptions(event.about for event in distinct.values())
    return {
        key: [NewLog(objectid.new_objectid(), subscription_id, event) for subscription_id in subscription_ids]
        for (key, event), subscription_ids in zip(distinct.items(), matches, strict=True)
        if subscription_ids
    }


def _stored(logs: dict[str, list[NewLog]]) -> dict[str, list[NewLog]]:
    """Put logs into their queues. Returns the stored ones, without those of subscriptions that were just deactivated."""
    requested = [log for new_logs in logs.values() for log in new_logs]
    stored = enqueue.enqueue_logs(requested)
    if len(stored) == len(requested):
        return logs
    left: dict[str, list[NewLog]] = {key: [] for key in logs}
    for log in stored:
        left[log.event.key].append(log)
    idempotency.update_reserved(
        {key: _ids(new_logs) for key, new_logs in left.items() if len(new_logs) < len(logs[key])}
    )
    return left


def _ids(logs: Sequence[NewLog]) -> list[str]:
    return [log.id for log in logs]


def _result(event: IncomingEvent, new: list[NewLog] | None, known: idempotency.AcceptedBefore | None) -> AcceptResult:
    if new:
        return AcceptResult(event, _ids(new), is_known=new[0].event is not event)
    if known is None:
        return AcceptResult(event)
    if known.digest != event.digest:
        return AcceptResult(event, problem=_("another event was sent with this Idempotency-Key in the last 24 hours"))
    return AcceptResult(event, known.logs, is_known=True)
