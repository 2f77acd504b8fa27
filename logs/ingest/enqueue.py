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
_TAKE_SEQUENCES = """
WITH queue AS MATERIALIZED (
    SELECT id FROM logs_subscription
    WHERE id = ANY(%(subscription_ids)s) AND is_active AND url <> '' AND (is_delivered_here OR %(whoever_delivers)s)
    ORDER BY id FOR NO KEY UPDATE
), numbered AS (
    SELECT queue.id, nextval('logs_queue_sequence') AS sequence
    FROM queue JOIN unnest(%(subscription_ids)s::text[], %(numbers)s::int[]) AS requested (id, number) USING (id)
    CROSS JOIN LATERAL generate_series(1, requested.number)
)
SELECT id, array_agg(sequence ORDER BY sequence), clock_timestamp() FROM numbered GROUP BY id
"""
_LOGS = """
COPY logs_webhooklog (
    id, subscription_id, company, created_at, next_attempt_at, attempt_count, state, cause, fingerprint, event_type, action,
    object_id, object_name, search, priority, sequence, attempts_left, trigger, is_test
) FROM STDIN
"""
_PAYLOADS = f"COPY logs_payload (log_id, event, search, {', '.join(OVERFLOW_VECTORS)}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class NewLog:
    """An event that goes into a queue."""

    id: str
    subscription_id: str
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
    sequences, now = _take_sequences(Counter(log.subscription_id for log in logs), whoever_delivers)
    stored = [log for log in logs if log.subscription_id in sequences]
    if stored:
        with connection.cursor() as cursor:
            _copy_logs(cursor, stored, sequences, now, are_tests)
            _copy_payloads(cursor, stored)
        notify_workers(*sequences)
    return stored


def _take_sequences(numbers: Counter[str], whoever_delivers: bool) -> tuple[dict[str, list[int]], datetime | None]:
    """The new sequences of each queue, in order, and the time by the database's clock."""
    if not numbers:
        return {}, None
    params: dict[str, Any] = {
        "subscription_ids": list(numbers),
        "numbers": list(numbers.values()),
        "whoever_delivers": whoever_delivers,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_SEQUENCES, params)
        rows = cursor.fetchall()
    sequences = {subscription_id: numbers for subscription_id, numbers, _now in rows}
    return sequences, max((now for _subscription_id, _numbers, now in rows), default=None)


def _copy_logs(
    cursor, logs: Sequence[NewLog], sequences: dict[str, list[int]], now: datetime | None, are_tests: bool
) -> None:
    untried = (now, now, 0, State.PENDING.value, "", "")
    first_round = (settings.DELIVERY_MAX_ATTEMPTS, AttemptTrigger.AUTO.value, are_tests)
    next_of = {subscription_id: iter(numbers) for subscription_id, numbers in sequences.items()}
    with cursor.copy(_LOGS) as copy:
        for log in logs:
            event, about = log.event, log.event.about
            columns = (about.type, about.action, event.object_id, event.object_name, "")
            order = (Priority.NORMAL.value, next(next_of[log.subscription_id]))
            copy.write_row((log.id, log.subscription_id, about.company, *untried, *columns, *order, *first_round))


def _copy_payloads(cursor, logs: Sequence[NewLog]) -> None:
    keys = masked_keys()
    event: IncomingEvent | None = None
    vectors: list[str | None] = []
    with cursor.copy(_PAYLOADS) as copy:
        for log in logs:
            if log.event is not event:  # an event may go into several queues; its logs come one after another
                event, vectors = log.event, event_vectors(log.event.text, keys)
            copy.write_row((log.id, log.event.text, *vectors))
