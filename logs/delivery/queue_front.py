"""Where the events of a lane begin that wait: `waiting_from` of its row, a position before which none of them stands.

While an old snapshot is open (a backup), PostgreSQL keeps the index entries of what was delivered, before those that wait. So
this bound moves on with the lane. It does so in steps: versions of the lane's own row are kept as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import psycopg

from .claim import Delivery

STEP = 500  # logs of a lane, after which its bound moves on

# Whoever puts a log before events that wait (runs/lane_places.py) locks the lane and raises its version: what was read is not the
# beginning then. A lane that somebody has locked is moved on the next time.
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
    """Counts what was read of each lane since its bound moved on."""

    def __init__(self) -> None:
        self._read: Counter[str] = Counter()

    async def move_on(self, connection: psycopg.AsyncConnection, found: Mapping[str, Sequence[Delivery]]) -> None:
        """Of the lanes of which enough was read. `found`: what a claim has just found. Raises psycopg.Error."""
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
