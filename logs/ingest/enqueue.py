"""Puts events at the end of queues: takes the next sequences, and stores logs and payloads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from ..cotalker import objectid
from ..db.payload_partitions import ensure_partitions_for
from ..db.search_vectors import OVERFLOW_VECTORS, event_vectors
from ..models import AttemptTrigger, Priority, State, notify_workers
from ..payloads.masking import masked_keys
from .events import IncomingEvent

# If somebody is just deactivating a subscription, this statement waits, and then the subscription gets nothing more. Locked in
# the order of ids. The time is taken once the queues are locked, so the age of a queue's logs agrees with their sequence.
_TAKE_PLACES = """
WITH lane AS MATERIALIZED (
    SELECT id FROM logs_subscription
    WHERE id = ANY(%(lanes)s) AND is_active AND url <> '' AND (we_deliver OR %(whoever_delivers)s)
    ORDER BY id FOR NO KEY UPDATE
), placed AS (
    SELECT lane.id, nextval('logs_position') AS position
    FROM lane JOIN unnest(%(lanes)s::text[], %(numbers)s::int[]) AS asked (id, number) USING (id)
    CROSS JOIN LATERAL generate_series(1, asked.number)
)
SELECT id, array_agg(position ORDER BY position), clock_timestamp() FROM placed GROUP BY id
"""
_LOGS = """
COPY logs_webhooklog (
    id, subscription_id, company, created_at, next_attempt_at, retry, state, cause, fingerprint, event_type, action, object_id,
    object_name, search, turn, position, tries_left, trigger, is_test
) FROM STDIN
"""
_PAYLOADS = f"COPY logs_payload (log_id, event, search, {', '.join(OVERFLOW_VECTORS)}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class NewLog:
    """An event that goes into a queue."""

    id: str
    lane: str
    event: IncomingEvent


def prepare_log() -> None:
    """Create what must exist before the transaction begins: this month's payload partition."""
    _prepare_month(timezone.now().strftime("%Y-%m"))


@lru_cache(maxsize=1)
def _prepare_month(month: str) -> None:
    ensure_partitions_for([objectid.new_objectid()])


def enqueue_logs(logs: Sequence[NewLog], *, whoever_delivers: bool = False, are_tests: bool = False) -> list[NewLog]:
    """Put logs into their queues, in the given order, and wake the workers of these queues.

    Returns the logs that were stored: those of subscriptions that accept events now. Nothing else can be put into these
    queues until the transaction ends.
    """
    places, now = _take_places(Counter(log.lane for log in logs), whoever_delivers)
    stored = [log for log in logs if log.lane in places]
    if stored:
        with connection.cursor() as cursor:
            _copy_logs(cursor, stored, places, now, are_tests)
            _copy_payloads(cursor, stored)
        notify_workers(*places)
    return stored


def _take_places(numbers: Counter[str], whoever_delivers: bool) -> tuple[dict[str, list[int]], datetime | None]:
    """The new sequences of each queue, in order, and the time by the database's clock."""
    if not numbers:
        return {}, None
    asked: dict[str, Any] = {
        "lanes": list(numbers),
        "numbers": list(numbers.values()),
        "whoever_delivers": whoever_delivers,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_PLACES, asked)
        rows = cursor.fetchall()
    return {lane: places for lane, places, _now in rows}, max((now for _lane, _places, now in rows), default=None)


def _copy_logs(
    cursor, logs: Sequence[NewLog], places: dict[str, list[int]], now: datetime | None, are_tests: bool
) -> None:
    untried = (now, now, 0, State.PENDING.value, "", "")
    first_round = (settings.DELIVERY_MAX_ATTEMPTS, AttemptTrigger.AUTO.value, are_tests)
    next_of = {lane: iter(positions) for lane, positions in places.items()}
    with cursor.copy(_LOGS) as copy:
        for log in logs:
            event, about = log.event, log.event.about
            told = (about.type, about.action, event.object_id, event.object_name, "")
            place = (Priority.WAITING.value, next(next_of[log.lane]))
            copy.write_row((log.id, log.lane, about.company, *untried, *told, *place, *first_round))


def _copy_payloads(cursor, logs: Sequence[NewLog]) -> None:
    keys = masked_keys()
    event: IncomingEvent | None = None
    vectors: list[str | None] = []
    with cursor.copy(_PAYLOADS) as copy:
        for log in logs:
            if log.event is not event:  # an event may go into several queues; its logs come one after another
                event, vectors = log.event, event_vectors(log.event.text, keys)
            copy.write_row((log.id, log.event.text, *vectors))
