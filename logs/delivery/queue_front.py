"""Where the waiting events of a queue begin: `first_sequence` in its row, a lower bound of their sequences.

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
WITH queue AS MATERIALIZED (
    SELECT queue.id, begins.sequence
    FROM unnest(%(subscriptions)s::text[], %(versions)s::bigint[], %(sequences)s::bigint[])
        AS begins (id, queue_version, sequence)
    JOIN logs_subscription queue ON queue.id = begins.id AND queue.queue_version = begins.queue_version
        AND queue.first_sequence < begins.sequence
    ORDER BY queue.id FOR NO KEY UPDATE OF queue SKIP LOCKED
)
UPDATE logs_subscription SET first_sequence = queue.sequence FROM queue WHERE logs_subscription.id = queue.id
RETURNING logs_subscription.id
"""


class Fronts:
    """Counts the logs read of each queue since its bound moved forward."""

    def __init__(self) -> None:
        self._read: Counter[str] = Counter()

    async def move_on(self, connection: psycopg.AsyncConnection, claimed: Mapping[str, Sequence[Delivery]]) -> None:
        """Move the bounds of queues of which enough was read. `claimed`: from `claim()`. Raises psycopg.Error."""
        begins: list[Delivery] = []
        for subscription_id, deliveries in claimed.items():
            self._read[subscription_id] += len(deliveries)
            if self._read[subscription_id] >= STEP:
                begins += [delivery for delivery in deliveries if delivery.sequence is not None][:1]
        if begins:
            parameters = {
                "subscriptions": [delivery.subscription_id for delivery in begins],
                "versions": [delivery.queue_version for delivery in begins],
                "sequences": [delivery.sequence for delivery in begins],
            }
            for (subscription_id,) in await (await connection.execute(_MOVE_ON, parameters)).fetchall():
                del self._read[subscription_id]
