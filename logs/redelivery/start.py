"""Starts a planned bulk redelivery with a person's choices: what is excluded, what goes first, what is repaired at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from ..models import (
    DISPATCH_SIGNAL,
    FIRST_STAGE,
    LAST_STAGE,
    AuditAction,
    AuditEntry,
    BulkRedeliveryState,
    ItemOutcome,
    RolloutPolicy,
    Run,
    SupersededPolicy,
    notify_workers,
)

# Code that adds open items runs one at a time: two bulk redeliveries that want the same log must see each other.
START_LOCK = "SELECT pg_advisory_xact_lock(hashtext('cotadmin: start of a run'))"
_LEAVE_OUT = """
UPDATE logs_runentry entry SET outcome = 'left_out', why = judged.why
FROM (
    SELECT entry.id, CASE
        WHEN NOT entry.subscription_id = ANY(%(lanes)s) THEN 'not_chosen'
        WHEN EXISTS (
            SELECT FROM logs_runentry other WHERE other.log_id = entry.log_id AND other.outcome IN ('waiting', 'queued')
        ) THEN 'other_run'
        WHEN entry.before_state = 'succeeded' AND NOT %(sends_received)s THEN 'received'
        WHEN entry.is_stale AND %(leaves_stale)s THEN 'stale'
        ELSE ''
    END AS why
    FROM logs_runentry entry WHERE entry.run_id = %(run)s AND entry.outcome = 'planned'
) judged
WHERE entry.id = judged.id AND judged.why <> ''
"""
# Adds the newest delivered event of each object with superseded logs, unless it is included anyway. It goes after all others.
_REPAIR = """
INSERT INTO logs_runentry (run_id, log_id, subscription_id, number, step, outcome, why, is_stale, is_guarded, is_repair,
    before_state, before_status, before_cause, cause, fingerprint)
SELECT %(run)s, newest.id, object.subscription_id,
    %(last)s + row_number() OVER (ORDER BY newest.created_at, newest.id), 3, 'planned', '', false, true, true,
    newest.state, newest.status, newest.cause, '', ''
FROM (
    SELECT DISTINCT log.subscription_id, log.object_id FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'planned' AND entry.is_stale
) object
CROSS JOIN LATERAL (
    SELECT * FROM logs_webhooklog log
    WHERE log.object_id = object.object_id AND log.object_id <> '' AND log.subscription_id = object.subscription_id
        AND log.state = 'succeeded'
    ORDER BY log.created_at DESC, log.id DESC LIMIT 1
) newest
WHERE NOT EXISTS (
    SELECT FROM logs_runentry other WHERE other.log_id = newest.id
        AND (other.outcome IN ('waiting', 'queued') OR other.run_id = %(run)s AND other.outcome = 'planned')
)
"""
# The first log of each queue, then its first tenth, then the rest: so each queue keeps its order.
_WAIT = """
UPDATE logs_runentry entry SET outcome = 'waiting', is_guarded = NOT (entry.is_stale OR %(sends_stale)s) OR entry.is_repair,
    step = CASE
        WHEN entry.is_repair OR %(canary)s = 'none' THEN 3
        WHEN placed.place = 1 THEN 1
        WHEN %(canary)s = 'steps' AND placed.place <= ceil(placed.number_of / 10.0) THEN 2
        ELSE 3
    END
FROM (
    SELECT id, row_number() OVER lane AS place, count(*) OVER (PARTITION BY subscription_id) AS number_of
    FROM logs_runentry WHERE run_id = %(run)s AND outcome = 'planned'
    WINDOW lane AS (PARTITION BY subscription_id ORDER BY number)
) placed
WHERE entry.id = placed.id
"""
CHOICE_FIELDS = ("reason", "stale_choice", "sends_received", "canary", "tries", "rate", "failure_percent")


def start_bulk(run: Run, choices: Mapping[str, Any], lanes: Collection[str], *, by) -> bool:
    """Start sending the plan to these subscriptions. `choices` has a person's values for CHOICE_FIELDS.

    Returns False if it was already started, or can't be. However many calls there are, at most one starts it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(START_LOCK)
        first = LAST_STAGE if choices["canary"] == RolloutPolicy.NONE else FIRST_STAGE
        columns = {name: choices[name] for name in CHOICE_FIELDS} | {
            "state": BulkRedeliveryState.RUNNING,
            "step": first,
        }
        moments = {"started_at": Now(), "judged_from": Now()}
        planned = Run.objects.filter(pk=run.pk, state=BulkRedeliveryState.PLANNED, problem="")
        if not planned.update(started_by=by, responsible=by, **columns, **moments):
            return False
        run.refresh_from_db()
        number = _make_ready(cursor, run, lanes)
        AuditEntry.record(by, AuditAction.RUN_STARTED, run.record_key, f"{number}: {run.reason}")
        notify_workers(DISPATCH_SIGNAL)
    return True


def _make_ready(cursor, run: Run, lanes: Collection[str]) -> int:
    """Returns how many items wait now."""
    last = run.entries.order_by("-number").values_list("number", flat=True).first() or 0
    parameters = {
        "run": run.pk,
        "lanes": list(lanes),
        "last": last,
        "sends_received": run.sends_received,
        "leaves_stale": run.stale_choice == SupersededPolicy.LEAVE,
        "sends_stale": run.stale_choice == SupersededPolicy.SEND,
        "canary": run.canary,
    }
    cursor.execute(_LEAVE_OUT, parameters)
    if run.stale_choice == SupersededPolicy.REPAIR:
        cursor.execute(_REPAIR, parameters)
    cursor.execute(_WAIT, parameters)
    return run.entries.filter(outcome=ItemOutcome.WAITING).count()
