"""Checks once more that the next logs of a bulk redelivery can be sent, and gives them their sequence in the queues.

If events wait in a queue, they and the bulk redelivery take turns: one log of it follows each waiting event. So neither
blocks the other. A log of a bulk redelivery gets the sequence of a waiting event. It is older, so it goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from ..models import BulkRedelivery, notify_workers
from .start import START_LOCK

# The newest event of an object is sent again when nothing else is left for its queue: by then that event has been delivered, or
# is yet to come.
_NEXT = """
SELECT item.id, item.log_id, item.is_latest_resend
FROM unnest(%(subscription_ids)s::text[]) AS queue (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM logs_bulkredeliveryitem item
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.subscription_id = queue.id AND item.outcome = 'queued'
) queued
CROSS JOIN LATERAL (
    SELECT * FROM logs_bulkredeliveryitem item
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.subscription_id = queue.id AND item.outcome = 'waiting'
        AND item.stage <= %(stage)s
        AND (NOT item.is_latest_resend OR NOT EXISTS (
            SELECT FROM logs_bulkredeliveryitem other
            WHERE other.bulk_redelivery_id = %(bulk)s AND other.subscription_id = queue.id
                AND other.outcome IN ('waiting', 'queued') AND NOT other.is_latest_resend
        ))
    ORDER BY item.number LIMIT CASE WHEN queued.number <= %(depth)s / 2 THEN %(depth)s - queued.number ELSE 0 END
) item
ORDER BY item.number LIMIT %(most)s
"""
_RETARGET_LATEST = """
UPDATE logs_bulkredeliveryitem item SET log_id = newest.id
FROM logs_webhooklog log CROSS JOIN LATERAL (
    SELECT id FROM logs_webhooklog other
    WHERE other.object_id = log.object_id AND other.object_id <> '' AND other.subscription_id = log.subscription_id
        AND other.state = 'delivered'
    ORDER BY other.created_at DESC, other.id DESC LIMIT 1
) newest
WHERE item.id = ANY(%(latest_resends)s) AND log.id = item.log_id AND newest.id <> log.id AND NOT EXISTS (
    SELECT FROM logs_bulkredeliveryitem other WHERE other.log_id = newest.id AND other.outcome IN ('waiting', 'queued')
)
"""
_LOCK_LOGS = """
SELECT log.id FROM logs_webhooklog log JOIN logs_bulkredeliveryitem item ON item.log_id = log.id
WHERE item.id = ANY(%(item_ids)s) ORDER BY log.id FOR NO KEY UPDATE OF log
"""
# Locked in the order of ids, as in all code that locks several queues.
_LOCK_QUEUES = """
SELECT queue.id FROM logs_subscription queue
WHERE queue.id IN (SELECT subscription_id FROM logs_bulkredeliveryitem WHERE id = ANY(%(item_ids)s))
ORDER BY queue.id FOR NO KEY UPDATE
"""
_SKIP = """
WITH judged AS MATERIALIZED (
    SELECT item.id, checked.skip_reason
    FROM logs_bulkredeliveryitem item JOIN logs_webhooklog log ON log.id = item.log_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN log.next_attempt_at IS NOT NULL THEN 'queued'
        WHEN NOT EXISTS (SELECT FROM logs_payload payload WHERE payload.log_id = log.id) THEN 'expired'
        WHEN log.state = 'delivered' AND item.before_state <> 'delivered' THEN 'delivered'
    END AS skip_reason) checked
    WHERE item.id = ANY(%(item_ids)s) AND item.outcome = 'waiting' AND checked.skip_reason IS NOT NULL
)
UPDATE logs_bulkredeliveryitem SET outcome = 'skipped', skip_reason = judged.skip_reason, finished_at = now()
FROM judged WHERE logs_bulkredeliveryitem.id = judged.id
"""
# Cotalker's outcome in an imported log becomes an attempt, before later outcomes overwrite it (docs/adr/0005).
_ATTEMPT_COUNT = (
    "CASE WHEN log.sequence IS NULL THEN greatest(coalesce(log.attempt_count, 1), 1) ELSE log.attempt_count END"
)
_KEEP_COTALKER_OUTCOMES = f"""
INSERT INTO logs_attempt (log_id, number, trigger, actor_id, started_at, duration_ms, url, status, response_headers,
    response, is_truncated, cause, note)
SELECT log.id, {_ATTEMPT_COUNT}, 'cotalker', NULL, log.created_at, NULL, '', log.status, '[]',
    coalesce(log.response, ''), false, log.cause, ''
FROM logs_bulkredeliveryitem item JOIN logs_webhooklog log ON log.id = item.log_id
WHERE item.id = ANY(%(item_ids)s) AND item.outcome = 'waiting' AND log.sequence IS NULL
"""
# `queued` is counted from the few items of open bulk redeliveries. In the queue itself, a million events may wait.
# `nth` counts, from 1, the logs that enter the same queue now. The worker reads logs at the end of the queue when it gets
# there. For logs that go before those it has read ahead, `queue_version` makes it read again.
_ENQUEUE = f"""
WITH next AS (
    SELECT item.log_id, item.subscription_id,
        row_number() OVER (PARTITION BY subscription_id ORDER BY number) AS nth
    FROM logs_bulkredeliveryitem item WHERE item.id = ANY(%(item_ids)s) AND item.outcome = 'waiting'
), queue AS (
    SELECT queue.id, queue.paused_at, (
        SELECT count(*) FROM logs_bulkredelivery open
        JOIN logs_bulkredeliveryitem item ON item.bulk_redelivery_id = open.id
        JOIN logs_webhooklog log ON log.id = item.log_id
        WHERE open.state IN ('running', 'paused') AND item.subscription_id = queue.id AND item.outcome = 'queued'
            AND log.next_attempt_at IS NOT NULL AND log.priority = 2 AND log.trigger = 'bulk'
    ) AS queued, (
        SELECT array_agg(sequence ORDER BY sequence) FROM (
            SELECT sequence FROM logs_webhooklog log
            WHERE log.subscription_id = queue.id AND log.next_attempt_at IS NOT NULL AND log.priority = 2
                AND log.trigger <> 'bulk' AND log.sequence >= queue.first_sequence
            ORDER BY log.priority, log.sequence LIMIT 2 * %(depth)s + 1
        ) AS first
    ) AS waiting
    FROM logs_subscription queue WHERE queue.id IN (SELECT subscription_id FROM next)
), placed AS MATERIALIZED (
    SELECT log_id, priority, coalesce(among, nextval('logs_queue_sequence')) AS sequence
    FROM (
        SELECT next.log_id, CASE WHEN queue.paused_at IS NULL THEN 2 ELSE 1 END AS priority,
            CASE WHEN queue.paused_at IS NULL THEN queue.waiting[queue.queued + next.nth + 1] END AS among
        FROM next JOIN queue ON queue.id = next.subscription_id ORDER BY next.subscription_id, next.nth
    ) in_order
), moved AS (
    UPDATE logs_subscription moved SET queue_version = moved.queue_version + 1
    FROM queue WHERE moved.id = queue.id AND (queue.paused_at IS NOT NULL OR queue.waiting IS NOT NULL)
), log AS (
    UPDATE logs_webhooklog log SET priority = placed.priority, sequence = placed.sequence,
        trigger = 'bulk', requested_by_id = %(by)s, attempts_left = %(max_attempts)s, next_attempt_at = now(),
        attempt_count = {_ATTEMPT_COUNT}
    FROM placed WHERE log.id = placed.log_id
)
UPDATE logs_bulkredeliveryitem SET outcome = 'queued', queued_at = now()
WHERE id = ANY(%(item_ids)s) AND outcome = 'waiting'
RETURNING subscription_id
"""


def enqueue_items(bulk: BulkRedelivery, subscription_ids: Sequence[str], *, depth: int, most: int) -> int:
    """Queue the next logs: at most `depth` in one queue at a time, and at most `most` now. Returns how many were queued.

    `bulk` must be locked. Logs that should no longer be sent are skipped, with the reason in the results.
    """
    parameters = {
        "bulk": bulk.pk,
        "subscription_ids": list(subscription_ids),
        "stage": bulk.stage,
        "depth": depth,
        "most": most,
    }
    rows = _fetch(_NEXT, parameters)
    if not rows:
        return 0
    next_items = {"item_ids": [pk for pk, _log, _is_latest_resend in rows]}
    if latest_resends := [pk for pk, _log, is_latest_resend in rows if is_latest_resend]:
        _execute(START_LOCK, {})  # a bulk redelivery that starts at this moment may include the newest log
        _execute(_RETARGET_LATEST, {"latest_resends": latest_resends})
    for statement in (_LOCK_LOGS, _LOCK_QUEUES, _SKIP, _KEEP_COTALKER_OUTCOMES):
        _execute(statement, next_items)
    options = {"by": bulk.acting_user_id, "max_attempts": bulk.max_attempts, "depth": depth}
    queued = _fetch(_ENQUEUE, next_items | options)
    notify_workers(*{subscription_id for (subscription_id,) in queued})
    return len(queued)


def _fetch(statement: str, parameters: dict[str, Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _execute(statement: str, parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
