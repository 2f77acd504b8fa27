"""Counts attempts by cause for the metrics: first in the worker's memory, and every few seconds in the database."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import asdict, dataclass, field

import psycopg

from .http_client import SendOutcome

DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)  # seconds; a longer attempt is in no bucket

# Ordered by cause, so that two workers never deadlock.
_ADD = """
INSERT INTO logs_deliverycount AS stored (cause, attempts, seconds, buckets)
SELECT cause, attempts, seconds, buckets
FROM json_to_recordset(%s::json) AS counted (cause text, attempts bigint, seconds float8, buckets bigint[])
ORDER BY cause
ON CONFLICT (cause) DO UPDATE SET
    attempts = stored.attempts + excluded.attempts,
    seconds = stored.seconds + excluded.seconds,
    buckets = ARRAY(
        SELECT coalesce(before, 0) + coalesce(more, 0)
        FROM unnest(stored.buckets, excluded.buckets) WITH ORDINALITY AS bucket (before, more, place)
        ORDER BY place
    )
"""


@dataclass(slots=True)
class AttemptCount:
    """The attempts with one cause, which is "" for delivered ones.

    `buckets`: how many took at most as long as each of DURATION_BUCKETS. Each attempt is in one bucket only.
    """

    cause: str
    attempts: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * len(DURATION_BUCKETS))

    def add(self, other: AttemptCount) -> None:
        self.attempts += other.attempts
        self.seconds += other.seconds
        self.buckets = [mine + more for mine, more in zip(self.buckets, other.buckets, strict=True)]


class AttemptCounts:
    def __init__(self) -> None:
        self._by_cause: dict[str, AttemptCount] = {}

    def add(self, outcome: SendOutcome) -> None:
        count = self._of(str(outcome.cause))
        seconds = outcome.duration_ms / 1000
        count.attempts += 1
        count.seconds += seconds
        place = bisect_left(DURATION_BUCKETS, seconds)
        if place < len(DURATION_BUCKETS):
            count.buckets[place] += 1

    def take(self) -> list[AttemptCount]:
        """Return the counts since the last call, and start again from zero."""
        taken, self._by_cause = self._by_cause, {}
        return list(taken.values())

    def put_back(self, taken: list[AttemptCount]) -> None:
        for count in taken:
            self._of(count.cause).add(count)

    def _of(self, cause: str) -> AttemptCount:
        if cause not in self._by_cause:
            self._by_cause[cause] = AttemptCount(cause)
        return self._by_cause[cause]


async def store_counts(connection: psycopg.AsyncConnection, counts: AttemptCounts) -> None:
    """Add the counts to the database. Raises psycopg.Error, and then keeps the counts for the next call."""
    taken = counts.take()
    if not taken:
        return
    try:
        await connection.execute(_ADD, [json.dumps([asdict(count) for count in taken])])
    except BaseException:
        counts.put_back(taken)
        raise
