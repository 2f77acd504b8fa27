"""Idempotency: the same event again within 24 hours makes no second log. The answer has the logs of the first.

All statements lock rows in the order of their keys, so that two batches never deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from ..models import AcceptedEvent

# Waits for a transaction that is just storing the same event, and then finds the key taken.
_CLAIM = """
INSERT INTO logs_acceptedevent (key, digest, logs, accepted_at)
SELECT key, digest, string_to_array(logs, ','), now()
FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (key, digest, logs)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET digest = EXCLUDED.digest, logs = EXCLUDED.logs, accepted_at = EXCLUDED.accepted_at
WHERE logs_acceptedevent.accepted_at < now() - interval '24 hours'
RETURNING key
"""
_KNOWN = """
SELECT key, digest, logs FROM logs_acceptedevent WHERE key = ANY(%s) AND accepted_at >= now() - interval '24 hours'
"""
# Locked rows are left for the next time.
_FORGET = """
DELETE FROM logs_acceptedevent WHERE key IN (
    SELECT key FROM logs_acceptedevent WHERE accepted_at < now() - interval '24 hours' LIMIT %s FOR UPDATE SKIP LOCKED
)
"""
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class AcceptedBefore:
    """An event that was accepted before, and the logs that were created for it then."""

    digest: str
    logs: list[str]


def reserve(events: Iterable[tuple[str, str, list[str]]]) -> set[str]:
    """Remember events, given as (key, digest, ids of logs). Returns the keys of the new ones. Keys must be distinct."""
    rows = [(key, digest, ",".join(logs)) for key, digest, logs in events]
    if not rows:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [list(column) for column in zip(*rows, strict=True)])
        return {key for (key,) in cursor.fetchall()}


def update_reserved(logs: dict[str, list[str]]) -> None:
    """Replace the logs of events that were just reserved, by key. Events without logs are deleted."""
    for key, ids in logs.items():
        claimed = AcceptedEvent.objects.filter(pk=key)
        claimed.update(logs=ids) if ids else claimed.delete()


def find_reserved(keys: Iterable[str]) -> dict[str, AcceptedBefore]:
    """The events among `keys` that were accepted in the last 24 hours, by key."""
    keys = list(keys)
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [keys])
        return {key: AcceptedBefore(digest, logs) for key, digest, logs in cursor.fetchall()}


def purge_idempotency_keys() -> int:
    """Delete keys older than 24 hours, a bounded number at a time. Returns how many."""
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FORGET, [_AT_ONCE])
            deleted += cursor.rowcount
            if cursor.rowcount < _AT_ONCE:
                return deleted
