"""When subscriptions delivered something, by our attempts, and by the times of imported logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

LOOKED_AT = 1_000  # logs; many may wait, which are neither delivered nor failed

_FIRST_DELIVERIES = """
SELECT asked.number, least(
    (SELECT started_at FROM logs_attempt
    WHERE subscription_id = asked.subscription_id AND cause = '' AND started_at > asked.moment
    ORDER BY started_at LIMIT 1),
    (SELECT min(created_at) FROM (
        SELECT created_at, state, sequence FROM logs_webhooklog
        WHERE subscription_id = asked.subscription_id AND created_at > asked.moment
        ORDER BY created_at, id LIMIT %s
    ) log WHERE state = 'delivered' AND sequence IS NULL)
)
FROM unnest(%s::text[], %s::timestamptz[]) WITH ORDINALITY AS asked (subscription_id, moment, number)
"""


def first_deliveries(asked: Sequence[tuple[str, datetime]]) -> list[datetime | None]:
    """For each subscription id and moment: when the subscription first delivered something after it. One query."""
    if not asked:
        return []
    found: list[datetime | None] = [None] * len(asked)
    with connection.cursor() as cursor:
        columns = [pk for pk, _moment in asked], [moment for _pk, moment in asked]
        cursor.execute(_FIRST_DELIVERIES, [LOOKED_AT, *columns])
        for number, delivered_at in cursor.fetchall():
            found[number - 1] = delivered_at
    return found


def has_delivered(subscription_id: str, start: datetime, end: datetime) -> bool:
    [delivered_at] = first_deliveries([(subscription_id, start)])
    return delivered_at is not None and delivered_at < end
