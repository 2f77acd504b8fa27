"""Where the waiting events of a queue begin: `waiting_from` in its row, a lower bound of their positions.

While an old snapshot is open (a backup), PostgreSQL keeps the index entries of delivered logs, before the waiting ones. So
this bound moves forward with the queue. It moves in steps, because PostgreSQL keeps old versions of the queue's row as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import psycopg

from .claim import Delivery

STEP = 500  # logs read of a queue, after which its bound moves forward

# Code that puts a log before waiting events (redelivery/enqueue.py) locks the queue and raises its version. Then the log that was
# read may not be the first any more. The bound of a locked queue moves forward the next time.
_MOVE_ON = """
WITH lane AS MATERIALIZED (
    SELECT lane.id, begins.position
    FROM unnest(%(lanes)s::text[], %(versions)s::bigint[], %(positions)s::bigint[]) AS begins (id, lane_version, position)
    JOIN logs_subscription lane ON lane.id = begins.id AND lane.lane_version = begins.lane_version
        AND lane.waiting_from < begins.position
    ORDER BY lane.id FOR NO KEY UPDATE OF lane SKIP LOCKED
)
UPDATE logs_subscription SET waiting_from = lane.position FROM lane WHERE logs_subscription.id = lane.id
RETURNING logs_subscription.id
"""


class Fronts:
    """Counts the logs read of each queue since its bound moved forward."""

    def __init__(self) -> None:
        self._read: Counter[str] = Counter()

    async def move_on(self, connection: psycopg.AsyncConnection, found: Mapping[str, Sequence[Delivery]]) -> None:
        """Move the bounds of queues of which enough was read. `found`: what a claim has just found. Raises psycopg.Error."""
        begins: list[Delivery] = []
        for lane, deliveries in found.items():
            self._read[lane] += len(deliveries)
            if self._read[lane] >= STEP:
                begins += [delivery for delivery in deliveries if delivery.position is not None][:1]
        if begins:
            parameters = {
                "lanes": [delivery.lane for delivery in begins],
                "versions": [delivery.lane_version for delivery in begins],
                "positions": [delivery.position for delivery in begins],
            }
            for (lane,) in await (await connection.execute(_MOVE_ON, parameters)).fetchall():
                del self._read[lane]
