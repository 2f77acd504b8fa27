"""How long a run would take, at the speed at which its receivers answered last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from django.db import connection

LOOKED_AT = 200  # of the newest logs of a lane: those that wait were not timed
TIMED = 50
_MEANS = """
SELECT lane.id, (
    SELECT avg(timed.duration_ms) FROM (
        SELECT newest.duration_ms FROM (
            SELECT duration_ms, created_at, id FROM logs_webhooklog WHERE subscription_id = lane.id
            ORDER BY created_at DESC, id DESC LIMIT %(looked_at)s
        ) newest
        WHERE newest.duration_ms IS NOT NULL ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(timed)s
    ) timed
)::float8
FROM unnest(%(lanes)s::text[]) AS lane (id)
"""


def mean_durations(lanes: Collection[str]) -> dict[str, float]:
    """In milliseconds, of the last tries of each lane; without those of which none was timed. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MEANS, {"lanes": list(lanes), "looked_at": LOOKED_AT, "timed": TIMED})
        return {lane: mean for lane, mean in cursor.fetchall() if mean is not None}


def expected(numbers: Mapping[str, int], means: Mapping[str, float], rate: int | None) -> timedelta | None:
    """Of so many logs of each lane: lanes side by side, one log at a time in each; `rate`: at most so many in a second.

    None where one of the lanes was never timed.
    """
    if not numbers or any(lane not in means for lane in numbers):
        return None
    slowest = max(timedelta(milliseconds=means[lane] * number) for lane, number in numbers.items())
    return max(slowest, timedelta(seconds=sum(numbers.values()) / rate)) if rate else slowest
