"""Checks once more that the next logs of a bulk redelivery can be sent, and gives them their sequence in the queues.

If events wait in a queue, they and the bulk redelivery take turns: one log of it follows each waiting event. So neither
blocks the other. A log of a bulk redelivery gets the sequence of a waiting event. It is older, so it goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from ..models import Run, notify_workers
from .start import START_LOCK

# A repair is sent when nothing else is left for its queue: by then the newest event has been delivered, or is yet to come.
_NEXT = """
SELECT entry.id, entry.log_id, entry.is_repair
FROM unnest(%(lanes)s::text[]) AS lane (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM logs_runentry entry
    WHERE entry.run_id = %(run)s AND entry.subscription_id = lane.id AND entry.outcome = 'queued'
) queued
CROSS JOIN LATERAL (
    SELECT * FROM logs_runentry entry
    WHERE entry.run_id = %(run)s AND entry.subscription_id = lane.id AND entry.outcome = 'waiting' AND entry.step <= %(step)s
        AND (NOT entry.is_repair OR NOT EXISTS (
            SELECT FROM logs_runentry other WHERE other.run_id = %(run)s AND other.subscription_id = lane.id
                AND other.outcome IN ('waiting', 'queued') AND NOT other.is_repair
        ))
    ORDER BY entry.number LIMIT CASE WHEN queued.number <= %(depth)s / 2 THEN %(depth)s - queued.number ELSE 0 END
) entry
ORDER BY entry.number LIMIT %(most)s
"""
_AIM_REPAIRS = """
UPDATE logs_runentry entry SET log_id = newest.id
FROM logs_webhooklog log CROSS JOIN LATERAL (
    SELECT id FROM logs_webhooklog other
    WHERE other.object_id = log.object_id AND other.object_id <> '' AND other.subscription_id = log.subscription_id
        AND other.state = 'succeeded'
    ORDER BY other.created_at DESC, other.id DESC LIMIT 1
) newest
WHERE entry.id = ANY(%(repairs)s) AND log.id = entry.log_id AND newest.id <> log.id AND NOT EXISTS (
    SELECT FROM logs_runentry other WHERE other.log_id = newest.id AND other.outcome IN ('waiting', 'queued')
)
"""
_LOCK_LOGS = """
SELECT log.id FROM logs_webhooklog log JOIN logs_runentry entry ON entry.log_id = log.id
WHERE entry.id = ANY(%(entries)s) ORDER BY log.id FOR NO KEY UPDATE OF log
"""
# Locked in the order of ids, as in all code that locks several queues.
_LOCK_LANES = """
SELECT lane.id FROM logs_subscription lane
WHERE lane.id IN (SELECT subscription_id FROM logs_runentry WHERE id = ANY(%(entries)s)) ORDER BY lane.id FOR NO KEY UPDATE
"""
_SKIP = """
WITH judged AS MATERIALIZED (
    SELECT entry.id, looked.why
    FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN log.next_attempt_at IS NOT NULL THEN 'due'
        WHEN NOT EXISTS (SELECT FROM logs_payload payload WHERE payload.log_id = log.id) THEN 'expired'
        WHEN log.state = 'succeeded' AND entry.before_state <> 'succeeded' THEN 'received'
    END AS why) looked
    WHERE entry.id = ANY(%(entries)s) AND entry.outcome = 'waiting' AND looked.why IS NOT NULL
)
UPDATE logs_runentry SET outcome = 'skipped', why = judged.why, settled_at = now() FROM judged WHERE logs_runentry.id = judged.id
"""
# Cotalker's outcome in an imported log becomes an attempt, before later outcomes overwrite it (docs/adr/0005).
_TRIES = "CASE WHEN log.position IS NULL THEN greatest(coalesce(log.retry, 1), 1) ELSE log.retry END"
_KEEP_COTALKERS = f"""
INSERT INTO logs_attempt (log_id, number, trigger, actor_id, started_at, duration_ms, url, status, response_headers, response,
    is_truncated, cause, note)
SELECT log.id, {_TRIES}, 'cotalker', NULL, log.created_at, NULL, '', log.status, '[]', coalesce(log.response, ''), false,
    log.cause, ''
FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
WHERE entry.id = ANY(%(entries)s) AND entry.outcome = 'waiting' AND log.position IS NULL
"""
# `queued` is counted from the few items of open bulk redeliveries. In the queue itself, a million events may wait.
# `nth` counts, from 1, the logs that enter the same queue now. The worker reads logs at the end of the queue when it gets
# there. For logs that go before those it has read ahead, `lane_version` makes it read again.
_PLACE = f"""
WITH next AS (
    SELECT entry.log_id, entry.subscription_id AS lane, row_number() OVER (PARTITION BY subscription_id ORDER BY number) AS nth
    FROM logs_runentry entry WHERE entry.id = ANY(%(entries)s) AND entry.outcome = 'waiting'
), lane AS (
    SELECT lane.id, lane.held_at, (
        SELECT count(*) FROM logs_run open JOIN logs_runentry entry ON entry.run_id = open.id
        JOIN logs_webhooklog log ON log.id = entry.log_id
        WHERE open.state IN ('running', 'paused') AND entry.subscription_id = lane.id AND entry.outcome = 'queued'
            AND log.next_attempt_at IS NOT NULL AND log.turn = 2 AND log.trigger = 'bulk'
    ) AS queued, (
        SELECT array_agg(position ORDER BY position) FROM (
            SELECT position FROM logs_webhooklog log
            WHERE log.subscription_id = lane.id AND log.next_attempt_at IS NOT NULL AND log.turn = 2 AND log.trigger <> 'bulk'
                AND log.position >= lane.waiting_from
            ORDER BY log.turn, log.position LIMIT 2 * %(depth)s + 1
        ) AS first
    ) AS waiting
    FROM logs_subscription lane WHERE lane.id IN (SELECT lane FROM next)
), placed AS MATERIALIZED (
    SELECT log_id, turn, coalesce(among, nextval('logs_position')) AS position
    FROM (
        SELECT next.log_id, CASE WHEN lane.held_at IS NULL THEN 2 ELSE 1 END AS turn,
            CASE WHEN lane.held_at IS NULL THEN lane.waiting[lane.queued + next.nth + 1] END AS among
        FROM next JOIN lane ON lane.id = next.lane ORDER BY next.lane, next.nth
    ) in_order
), moved AS (
    UPDATE logs_subscription moved SET lane_version = moved.lane_version + 1
    FROM lane WHERE moved.id = lane.id AND (lane.held_at IS NOT NULL OR lane.waiting IS NOT NULL)
), log AS (
    UPDATE logs_webhooklog log SET turn = placed.turn, position = placed.position,
        trigger = 'bulk', requested_by_id = %(by)s, tries_left = %(tries)s, next_attempt_at = now(), retry = {_TRIES}
    FROM placed WHERE log.id = placed.log_id
)
UPDATE logs_runentry SET outcome = 'queued', queued_at = now() WHERE id = ANY(%(entries)s) AND outcome = 'waiting'
RETURNING subscription_id
"""


def enqueue_items(run: Run, lanes: Sequence[str], *, depth: int, most: int) -> int:
    """Queue the next logs: at most `depth` in one queue at a time, and at most `most` now. Returns how many were queued.

    `run` must be locked. Logs that should no longer be sent are skipped, with the reason in the results.
    """
    asked = {"run": run.pk, "lanes": list(lanes), "step": run.step, "depth": depth, "most": most}
    rows = _ask(_NEXT, asked)
    if not rows:
        return 0
    entries = {"entries": [pk for pk, _log, _is_repair in rows]}
    if repairs := [pk for pk, _log, is_repair in rows if is_repair]:
        _do(START_LOCK, {})  # a bulk redelivery that starts at this moment may include the newest log
        _do(_AIM_REPAIRS, {"repairs": repairs})
    for statement in (_LOCK_LOGS, _LOCK_LANES, _SKIP, _KEEP_COTALKERS):
        _do(statement, entries)
    queued = _ask(_PLACE, entries | {"by": run.responsible_id, "tries": run.tries, "depth": depth})
    notify_workers(*{lane for (lane,) in queued})
    return len(queued)


def _ask(statement: str, parameters: dict[str, Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _do(statement: str, parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
