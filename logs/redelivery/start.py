"""Starts a planned bulk redelivery with a person's choices: what is excluded, what goes first, what is sent again at the end."""

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
    BulkRedelivery,
    BulkRedeliveryState,
    ItemOutcome,
    RolloutPolicy,
    SkipReason,
    SupersededPolicy,
    notify_workers,
)
from .recovery import NO_QUEUES, BlockedQueues, unblock
from .settle import settle

# Code that adds open items runs one at a time: two bulk redeliveries that want the same log must see each other.
START_LOCK = "SELECT pg_advisory_xact_lock(hashtext('cotadmin: start of a bulk redelivery'))"
_EXCLUDE = """
UPDATE logs_bulkredeliveryitem item SET outcome = 'excluded', skip_reason = judged.skip_reason
FROM (
    SELECT item.id, CASE
        WHEN NOT item.subscription_id = ANY(%(subscription_ids)s) THEN 'not_selected'
        WHEN EXISTS (
            SELECT FROM logs_bulkredeliveryitem other
            WHERE other.log_id = item.log_id AND other.outcome IN ('waiting', 'queued')
        ) THEN 'other_bulk_redelivery'
        WHEN item.before_state = 'delivered' AND NOT %(includes_delivered)s THEN 'delivered'
        WHEN item.is_superseded AND %(excludes_superseded)s THEN 'superseded'
        ELSE ''
    END AS skip_reason
    FROM logs_bulkredeliveryitem item WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'planned'
) judged
WHERE item.id = judged.id AND judged.skip_reason <> ''
"""
# Adds the newest delivered event of each object with superseded logs, unless it is included anyway. It goes after all others.
_RESEND_LATEST = """
INSERT INTO logs_bulkredeliveryitem (bulk_redelivery_id, log_id, subscription_id, number, stage, outcome, skip_reason,
    is_superseded, recheck_superseded, is_latest_resend, before_state, before_status, before_cause, cause, fingerprint)
SELECT %(bulk)s, newest.id, object.subscription_id,
    %(last)s + row_number() OVER (ORDER BY newest.created_at, newest.id), 3, 'planned', '', false, true, true,
    newest.state, newest.status, newest.cause, '', ''
FROM (
    SELECT DISTINCT log.subscription_id, log.object_id
    FROM logs_bulkredeliveryitem item JOIN logs_webhooklog log ON log.id = item.log_id
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'planned' AND item.is_superseded
) object
CROSS JOIN LATERAL (
    SELECT * FROM logs_webhooklog log
    WHERE log.object_id = object.object_id AND log.object_id <> '' AND log.subscription_id = object.subscription_id
        AND log.state = 'delivered'
    ORDER BY log.created_at DESC, log.id DESC LIMIT 1
) newest
WHERE NOT EXISTS (
    SELECT FROM logs_bulkredeliveryitem other WHERE other.log_id = newest.id
        AND (other.outcome IN ('waiting', 'queued')
            OR other.bulk_redelivery_id = %(bulk)s AND other.outcome = 'planned')
)
"""
# The first log of each queue, then its first tenth, then the rest: so each queue keeps its order.
_SET_WAITING = """
UPDATE logs_bulkredeliveryitem item SET outcome = 'waiting',
    recheck_superseded = NOT (item.is_superseded OR %(sends_superseded)s) OR item.is_latest_resend,
    stage = CASE
        WHEN item.is_latest_resend OR %(rollout)s = 'none' THEN 3
        WHEN placed.place = 1 THEN 1
        WHEN %(rollout)s = 'stages' AND placed.place <= ceil(placed.number_of / 10.0) THEN 2
        ELSE 3
    END
FROM (
    SELECT id, row_number() OVER queue AS place, count(*) OVER (PARTITION BY subscription_id) AS number_of
    FROM logs_bulkredeliveryitem WHERE bulk_redelivery_id = %(bulk)s AND outcome = 'planned'
    WINDOW queue AS (PARTITION BY subscription_id ORDER BY number)
) placed
WHERE item.id = placed.id
"""
CHOICE_FIELDS = (
    "reason",
    "superseded_policy",
    "includes_delivered",
    "rollout",
    "max_attempts",
    "rate",
    "failure_percent",
)


def start_bulk(
    bulk: BulkRedelivery,
    choices: Mapping[str, Any],
    subscription_ids: Collection[str],
    *,
    by,
    queues: BlockedQueues = NO_QUEUES,
) -> bool:
    """Start sending the plan to these subscriptions. `choices` has a person's values for CHOICE_FIELDS.

    `queues`: those to retry and resume with it. All of it happens, or nothing does. Returns False if it was already started,
    or can't be. However many calls there are, at most one starts it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(START_LOCK)
        first = LAST_STAGE if choices["rollout"] == RolloutPolicy.NONE else FIRST_STAGE
        columns = {name: choices[name] for name in CHOICE_FIELDS} | {
            "state": BulkRedeliveryState.RUNNING,
            "stage": first,
        }
        moments = {"started_at": Now(), "failures_counted_from": Now()}
        planned = BulkRedelivery.objects.filter(pk=bulk.pk, state=BulkRedeliveryState.PLANNED, problem="")
        if not planned.update(started_by=by, acting_user=by, **columns, **moments):
            return False
        bulk.refresh_from_db()
        number = _prepare_items(cursor, bulk, subscription_ids)
        if bulk.superseded_policy == SupersededPolicy.EXCLUDE:
            excluded = bulk.items.filter(outcome=ItemOutcome.EXCLUDED, skip_reason=SkipReason.SUPERSEDED)
            settle(excluded.values_list("log", flat=True), by=by, bulk_redelivery=bulk.pk)
        data = {"logs": number} | (unblock(queues, by=by) if queues.ids else {})
        AuditEntry.record(by, AuditAction.BULK_STARTED, bulk.audit_target, f"{number}: {bulk.reason}", **data)
        notify_workers(DISPATCH_SIGNAL)
    return True


def _prepare_items(cursor, bulk: BulkRedelivery, subscription_ids: Collection[str]) -> int:
    """Returns how many items wait now."""
    last = bulk.items.order_by("-number").values_list("number", flat=True).first() or 0
    parameters = {
        "bulk": bulk.pk,
        "subscription_ids": list(subscription_ids),
        "last": last,
        "includes_delivered": bulk.includes_delivered,
        "excludes_superseded": bulk.superseded_policy == SupersededPolicy.EXCLUDE,
        "sends_superseded": bulk.superseded_policy == SupersededPolicy.SEND,
        "rollout": bulk.rollout,
    }
    cursor.execute(_EXCLUDE, parameters)
    if bulk.superseded_policy == SupersededPolicy.RESEND_LATEST:
        cursor.execute(_RESEND_LATEST, parameters)
    cursor.execute(_SET_WAITING, parameters)
    return bulk.items.filter(outcome=ItemOutcome.WAITING).count()
