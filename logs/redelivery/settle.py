"""Settles failed logs as superseded: they need not be sent, because a newer event of their object was delivered.

A settled log no longer counts as failed. It can be unsettled, and redelivered like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db import connection

from ..delivery.superseded import NEWER_WAS_DELIVERED
from ..models import AuditAction, State

# Not what is queued, waits in a bulk redelivery, or blocks its queue. PostgreSQL checks the conditions on the log itself again,
# should it have to wait for the row. Locked in the order of ids, as everywhere.
_SETTLE = f"""
WITH chosen AS MATERIALIZED (
    SELECT log.id FROM logs_webhooklog log
    WHERE log.id = ANY(%(ids)s) AND log.state = 'failed' AND log.next_attempt_at IS NULL AND {NEWER_WAS_DELIVERED}
        AND NOT EXISTS (
            SELECT FROM logs_bulkredeliveryitem item
            WHERE item.log_id = log.id AND item.outcome IN ('waiting', 'queued')
        )
        AND NOT EXISTS (
            SELECT FROM logs_subscription queue
            WHERE queue.id = log.subscription_id AND queue.blocking_log = log.id
        )
    ORDER BY log.id FOR NO KEY UPDATE OF log
), changed AS (
    UPDATE logs_webhooklog log SET state = '{State.SUPERSEDED}' FROM chosen WHERE log.id = chosen.id RETURNING log.id
)
"""
_UNSETTLE = f"""
WITH chosen AS MATERIALIZED (
    SELECT log.id FROM logs_webhooklog log
    WHERE log.id = ANY(%(ids)s) AND log.state = '{State.SUPERSEDED}' AND log.next_attempt_at IS NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
), changed AS (
    UPDATE logs_webhooklog log SET state = '{State.FAILED}' FROM chosen WHERE log.id = chosen.id RETURNING log.id
)
"""
_RECORD = """
, entry AS (
    INSERT INTO logs_auditentry (at, actor_id, action, target, detail, data)
    SELECT now(), %(actor)s, %(action)s, id, '', %(data)s FROM changed
)
SELECT count(*) FROM changed
"""


def settle(ids: Iterable[str], *, by, **data: Any) -> int:
    """Settle those of these logs that are superseded. Returns how many. `data`: for the audit entry of each."""
    return _change(_SETTLE, ids, AuditAction.SETTLED, by, data)


def unsettle(ids: Iterable[str], *, by) -> int:
    """Let these logs count as failed again. Returns how many were settled."""
    return _change(_UNSETTLE, ids, AuditAction.UNSETTLED, by, {})


def _change(statement: str, ids: Iterable[str], action: AuditAction, by, data: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        parameters = {"ids": list(ids), "actor": by.pk if by else None, "action": action, "data": json.dumps(data)}
        cursor.execute(statement + _RECORD, parameters)
        return cursor.fetchone()[0]
