"""What a plan consists of: its entries, those that share a fate together, counted once for any choices that somebody makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ..models import Run

_IN_ANOTHER = (
    "EXISTS (SELECT FROM logs_runentry other WHERE other.log_id = {log} AND other.outcome IN ('waiting', 'queued'))"
)
_PARTS = f"""
SELECT entry.subscription_id,
    CASE WHEN entry.outcome = 'planned' AND {_IN_ANOTHER.format(log="entry.log_id")} THEN 'other_run' ELSE entry.why END,
    entry.is_stale, entry.before_state = 'succeeded', count(*), min(entry.number), max(entry.number)
FROM logs_runentry entry WHERE entry.run_id = %(run)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
# As `starting` repairs: the newest received event of each object, where that is not in the run anyway.
_OBJECTS = f"""
SELECT object.subscription_id, object.is_wanted,
    coalesce(own.before_state = 'succeeded', false),
    {_IN_ANOTHER.format(log="newest.id")} OR coalesce(own.before_state <> 'succeeded', false), count(*)
FROM (
    SELECT log.subscription_id, log.object_id, bool_or(entry.before_state <> 'succeeded') AS is_wanted
    FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'planned' AND entry.is_stale
        AND NOT {_IN_ANOTHER.format(log="entry.log_id")}
    GROUP BY 1, 2
) object
CROSS JOIN LATERAL (
    SELECT id FROM logs_webhooklog log
    WHERE log.object_id = object.object_id AND log.object_id <> '' AND log.subscription_id = object.subscription_id
        AND log.state = 'succeeded'
    ORDER BY log.created_at DESC, log.id DESC LIMIT 1
) newest
LEFT JOIN logs_runentry own ON own.run_id = %(run)s AND own.log_id = newest.id AND own.outcome = 'planned'
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Part:
    """`count` entries of one lane that are alike. `first` and `last` are the numbers of the oldest and of the newest.

    `why`: why they cannot be sent, whatever is chosen; "" where they can.
    """

    lane: str
    why: str
    is_stale: bool
    was_received: bool
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class Objects:
    """`count` objects of one lane that have stale logs. `is_wanted`: one of these was not received before.

    `newest_in_plan`: the newest event of each is in the plan as one that was received.
    """

    lane: str
    is_wanted: bool
    newest_in_plan: bool
    is_sent_anyway: bool
    count: int


def parts_of(run: Run) -> list[Part]:
    return [Part(*row) for row in _ask(_PARTS, run)]


def stale_objects_of(run: Run) -> list[Objects]:
    return [Objects(*row) for row in _ask(_OBJECTS, run)]


def moments_of(run: Run, numbers: set[int]) -> dict[int, datetime]:
    """When the logs with these numbers were created."""
    return dict(run.entries.filter(number__in=numbers).values_list("number", "log__created_at"))


def _ask(statement: str, run: Run) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"run": run.pk})
        return cursor.fetchall()
