"""Finds what a worker sends next: the first logs, in order, of each leased queue with something to send now."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import psycopg
from django.conf import settings

from ..signing import SecretDecryptionError, decrypt_secret
from .leases import SHARD_SQL, Leases, shard_of
from .superseded import NEWER_WAS_DELIVERED

PREFETCH = 20  # logs of a queue that are read at once
PREFETCH_BYTES = 64 * 1024  # of their payloads, uncompressed as they are sent
MEASURED_BYTES = 4 * 1024  # as stored; a payload compressed to more is only measured for the next event of its queue
CLOCK_SKEW_SECONDS = 5.0
EXPIRED = "The payload has expired."

# The next event of a queue is the first by (priority, sequence). If a bulk redelivery and an event have the same sequence, the
# older log goes first. A paused queue sends redeliveries only. It sends nothing at all while one of its outcomes can't be
# recorded.
MAY_GO = """
    log.subscription_id = queue.id AND log.next_attempt_at IS NOT NULL AND queue.blocking_error = ''
    AND log.priority <= CASE WHEN queue.paused_at IS NULL THEN 2 ELSE 1 END
    AND (queue.paused_at IS NULL OR log.trigger <> 'auto')
"""
IS_SENT = "(queue.is_active OR queue.is_draining) AND queue.url <> ''"
# If the trigger isn't `override`, the LIMIT keeps PostgreSQL from reading the table of overrides at all.
OVERRIDE = """
    SELECT * FROM logs_redeliveryoverride
    WHERE log.trigger = 'override' AND log_id = log.id AND number = coalesce(log.attempt_count, 0) + 1 LIMIT 1
"""
# The first logs of a queue. The search for waiting events starts at the first one (queue_front.py), not among delivered ones.
FIRST = """
    SELECT * FROM (
        (
            SELECT log.* FROM logs_webhooklog log WHERE {may_go} AND log.priority < 2
            ORDER BY log.priority, log.sequence, log.id LIMIT {limit}
        ) UNION ALL (
            SELECT log.* FROM logs_webhooklog log
            WHERE {may_go} AND log.priority = 2 AND log.sequence >= queue.first_sequence
            ORDER BY log.priority, log.sequence, log.id LIMIT {limit}
        )
    ) log ORDER BY log.priority, log.sequence, log.id LIMIT {limit}
"""
# A next attempt later than any retry can be was scheduled before a clock jumped back. So the log is sent now. Each queue brings
# its first logs whose payloads are small, with these payloads. Otherwise it brings only the first log, without its payload.
# PostgreSQL has to unpack a compressed payload to know its size.
_CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT queue.id, queue.queue_version, queue.paused_at, queue.blocking_error, queue.url, queue.timeout,
        queue.first_sequence, queue.encrypted_secret, queue.encrypted_headers,
        CASE WHEN queue.previous_secret_until > now() THEN queue.encrypted_previous_secret ELSE '' END
            AS previous_secret,
        first.due_at
    FROM logs_subscription queue
    CROSS JOIN LATERAL (SELECT next_attempt_at AS due_at FROM ({first_one}) log) first
    WHERE {which} AND {shard} = ANY(%(groups)s) AND {is_sent}
        AND (first.due_at <= now() OR first.due_at > now() + %(latest)s * interval '1 second')
    ORDER BY first.due_at LIMIT %(limit)s
), ahead AS (
    SELECT queue.*, log.id AS log_id, log.priority, log.sequence, log.attempt_count, log.trigger, log.requested_by_id,
        CASE WHEN override.is_edited THEN override.event ELSE payload.event END AS event, override.url AS other_url,
        log.object_id, log.created_at, item.id AS item_id,
        coalesce(item.recheck_superseded, false) AS recheck_superseded,
        item.recheck_superseded IS TRUE AND {newer_was_delivered} AS is_superseded,
        row_number() OVER (PARTITION BY queue.id ORDER BY log.priority, log.sequence, log.id) AS nth
    FROM ready queue
    CROSS JOIN LATERAL ({first}) log
    LEFT JOIN logs_payload payload ON payload.log_id = log.id
    LEFT JOIN logs_bulkredeliveryitem item ON log.trigger = 'bulk' AND item.log_id = log.id AND item.outcome = 'queued'
    LEFT JOIN LATERAL ({override}) override ON true
), measured AS (
    SELECT *, CASE
        WHEN event IS NULL THEN 0
        WHEN pg_column_compression(event) IS NULL THEN pg_column_size(event)
        WHEN nth = 1 OR pg_column_size(event) <= %(measured_bytes)s THEN octet_length(event::text)
    END AS size
    FROM ahead
), small AS (
    SELECT *, bool_and(size IS NOT NULL) OVER queue AND sum(size) OVER queue <= %(ahead_bytes)s AS is_small
    FROM measured WINDOW queue AS (PARTITION BY id ORDER BY nth)
), along AS (
    SELECT *, is_small AND sum(size) FILTER (WHERE is_small) OVER (ORDER BY due_at, id, nth) <= %(small_bytes)s AS is_along
    FROM small
)
SELECT log_id, id AS subscription_id, queue_version, url, timeout, attempt_count, trigger, requested_by_id, encrypted_secret,
    previous_secret, encrypted_headers, CASE WHEN is_along THEN event::text END AS event, event IS NULL AS has_expired, size,
    other_url, object_id, CASE WHEN priority = 2 THEN sequence END AS sequence, created_at, item_id, recheck_superseded,
    is_superseded
FROM along WHERE is_along OR nth = 1
ORDER BY due_at, id, nth
"""
# Not "= ANY(…)", which searches a long array for every queue.
_CLAIM_WOKEN, _CLAIM_ALL = (
    _CLAIM.format(
        first_one=FIRST.format(may_go=MAY_GO, limit=1),
        first=FIRST.format(may_go=MAY_GO, limit="%(ahead)s"),
        is_sent=IS_SENT,
        override=OVERRIDE,
        shard=SHARD_SQL,
        newer_was_delivered=NEWER_WAS_DELIVERED,
        which=which,
    )
    for which in (
        "queue.id IN (SELECT unnest(%(woken)s::text[]))",
        "queue.id NOT IN (SELECT unnest(%(busy)s::text[]))",
    )
)


class _Claimed(NamedTuple):
    """A row of the claim, its columns in this order. `event`: None if it isn't read along."""

    log_id: str
    subscription_id: str
    queue_version: int
    url: str
    timeout: int | None
    attempt_count: int | None
    trigger: str
    requested_by_id: int | None
    encrypted_secret: str
    previous_secret: str
    encrypted_headers: str
    event: str | None
    has_expired: bool
    size: int
    other_url: str | None
    object_id: str
    sequence: int | None
    created_at: datetime
    item_id: int | None
    recheck_superseded: bool
    is_superseded: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """All that one attempt needs. `problem`: why the request can't even be made; "" if it can.

    `number`: the number of the log's attempt, from 1. `queue_version`: as it was when the log was read. `item_id`: the item of
    the bulk redelivery that sends it. `is_superseded`: a newer event of its object was delivered, so it must not be sent.
    `recheck_superseded`: nor must it be sent if one is delivered before it. `has_custom_url`: it goes to another URL than its
    subscription's, and so without the secrets and headers. `payload` None: it is fetched right before sending, and has `size`
    bytes. `sequence`: only of a waiting event; else None.
    """

    log_id: str
    subscription_id: str
    shard: int
    epoch: int
    queue_version: int
    url: str
    timeout: int | None
    number: int
    trigger: str
    requested_by_id: int | None
    secrets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    payload: bytes | None
    size: int
    problem: str = ""
    object_id: str = ""
    sequence: int | None = None
    created_at: datetime | None = None
    item_id: int | None = None
    recheck_superseded: bool = False
    is_superseded: bool = False
    has_custom_url: bool = False


async def claim(
    connection: psycopg.AsyncConnection,
    leases: Leases,
    *,
    busy: Collection[str],
    limit: int,
    small_bytes: int,
    woken: Collection[str] | None = None,
) -> dict[str, list[Delivery]]:
    """Return what to send, by queue, for at most `limit` queues: those `woken`, or all that aren't `busy`.

    Small payloads come with it, at most `small_bytes` in total.
    Nothing is marked in the database: only the worker that leases a queue sends its logs.
    """
    parameters = {
        "groups": leases.at_work(),
        "busy": list(busy),
        "woken": list(woken or ()),
        "limit": limit,
        "ahead": PREFETCH,
        "ahead_bytes": PREFETCH_BYTES,
        "measured_bytes": MEASURED_BYTES,
        "small_bytes": small_bytes,
        "latest": settings.DELIVERY_RETRY_DELAY + CLOCK_SKEW_SECONDS,
    }
    claimed: dict[str, list[Delivery]] = {}
    statement = _CLAIM_ALL if woken is None else _CLAIM_WOKEN
    rows = await (await connection.execute(statement, parameters)).fetchall()
    for row in map(_Claimed._make, rows):
        claimed.setdefault(row.subscription_id, []).append(_delivery(leases, row))
    return claimed


def _delivery(leases: Leases, row: _Claimed) -> Delivery:
    has_custom_url = bool(row.other_url)
    problem = EXPIRED if row.has_expired else ""
    secrets: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    try:
        if not has_custom_url:  # only we and the subscription's receiver share them
            secrets = tuple(_decrypted(token) for token in (row.encrypted_secret, row.previous_secret) if token)
            headers = _headers(row.encrypted_headers)
    except SecretDecryptionError as error:
        problem = str(error)
    except ValueError as error:  # if raised, it would keep all other queues from being read
        problem = f"The request headers cannot be read: {type(error).__name__}"
    return Delivery(
        log_id=row.log_id,
        subscription_id=row.subscription_id,
        shard=(shard := shard_of(row.subscription_id)),
        epoch=leases.epochs.get(shard, 0),  # the lease may have been given up during the query
        queue_version=row.queue_version,
        url=row.other_url or row.url,
        timeout=row.timeout,
        number=(row.attempt_count or 0) + 1,
        trigger=row.trigger,
        requested_by_id=row.requested_by_id,
        secrets=secrets,
        headers=headers,
        payload=None if row.event is None and not row.has_expired else (row.event or "").encode(),
        size=row.size,
        problem=problem,
        object_id=row.object_id,
        sequence=row.sequence,
        created_at=row.created_at,
        item_id=row.item_id,
        recheck_superseded=row.recheck_superseded,
        is_superseded=row.is_superseded,
        has_custom_url=has_custom_url,
    )


@lru_cache(maxsize=10_000)
def _decrypted(token: str) -> str:
    return decrypt_secret(token, settings.FIELD_ENCRYPTION_KEYS)


@lru_cache(maxsize=10_000)
def _headers(token: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(_decrypted(token))) if token else ()
