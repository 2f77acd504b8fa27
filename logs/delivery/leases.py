"""Which queues this worker may send: queue shards, each leased to one worker at a time.

A lease is a row with its holder, its fencing token (`epoch`) and its end. A heartbeat renews it, and the database's clock
decides. The worker itself counts from when it asked, on a clock that can't be set. It stops sending before the lease ends. A
worker that takes a shard over raises the fencing token. So a worker that was paused or cut off can't overwrite what its successor
writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

import psycopg
from django.conf import settings

SHARD_COUNT = 16  # all workers must agree on it, so it isn't a setting
SHARD_SQL = f"('x' || right(queue.id, 2))::bit(8)::integer % {SHARD_COUNT}".replace("%", "%%")
HEARTBEATS_PER_LEASE = 7  # renewals within the time of a lease
LEASE_MARGIN = 1 / 7  # of the lease's time: without a renewal, the worker stops this long before its end
DEAD_WORKER_AFTER_SECONDS = 3600  # then the row of a killed worker is removed

_CREATE_SHARDS = """
INSERT INTO logs_queueshard (number, holder, epoch) SELECT number, '', 0 FROM generate_series(0, %s) number
ON CONFLICT DO NOTHING
"""
_HEARTBEAT = """
INSERT INTO logs_worker AS worker (id, started_at, seen_at, stuck_since)
VALUES (%(holder)s, now(), now(), now() - %(stuck_seconds)s * interval '1 second')
ON CONFLICT (id) DO UPDATE SET seen_at = now(),
    stuck_since = CASE WHEN excluded.stuck_since IS NOT NULL THEN coalesce(worker.stuck_since, excluded.stuck_since) END
"""
_DELETE_DEAD_WORKERS = "DELETE FROM logs_worker WHERE seen_at < now() - %s * interval '1 second'"
_RENEW = """
UPDATE logs_queueshard SET expires_at = now() + %s * interval '1 second' WHERE holder = %s AND number = ANY(%s)
RETURNING number, epoch
"""
_LIVE = """
SELECT greatest(count(*), 1) FROM logs_worker WHERE seen_at > now() - %s * interval '1 second' AND stuck_since IS NULL
"""
# An end further away than any lease was written before a clock jumped back: the shard may be taken.
_TAKE = """
UPDATE logs_queueshard SET holder = %(holder)s, epoch = epoch + 1, expires_at = now() + %(lease)s * interval '1 second'
WHERE number IN (
    SELECT number FROM logs_queueshard
    WHERE holder IN ('', %(holder)s) AND NOT number = ANY(%(kept)s) OR expires_at IS NULL OR expires_at < now()
        OR expires_at > now() + %(lease)s * interval '1.5 second'
    ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING number, epoch
"""
_GIVE_BACK = "UPDATE logs_queueshard SET holder = '', expires_at = NULL WHERE holder = %s AND number = ANY(%s)"


def shard_of(subscription_id: str) -> int:
    """Return the queue shard, as SHARD_SQL does. Ids that are made one after the other spread evenly."""
    return int(subscription_id[-2:], 16) % SHARD_COUNT


class Leases:
    """The leases of one worker, as far as it knows. `epochs`: the fencing token of each shard that it holds.

    The heartbeat's thread changes them, and the delivery loop reads them. So `epochs` and `leaving` are replaced, never modified.
    """

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.epochs: dict[int, int] = {}
        self.leaving: set[int] = set()
        self.deadline = 0.0
        self.seconds: float = settings.DELIVERY_LEASE_SECONDS

    def at_work(self) -> list[int]:
        """Return the shards whose queues may begin new requests."""
        return sorted(self.epochs.keys() - self.leaving) if self.is_sure() else []

    def is_sure(self) -> bool:
        """Whether no other worker can have taken a shard over by now."""
        return time.monotonic() < self.deadline

    def holds(self, shard: int, epoch: int) -> bool:
        """Whether a request may begin in a queue of this shard, which was leased with this fencing token."""
        return self.epochs.get(shard) == epoch and shard not in self.leaving and self.is_sure()

    def register(self, connection: psycopg.Connection) -> None:
        connection.execute(_CREATE_SHARDS, [SHARD_COUNT - 1])
        connection.execute(_DELETE_DEAD_WORKERS, [DEAD_WORKER_AFTER_SECONDS])

    def report_alive(self, connection: psycopg.Connection, stuck_seconds: float | None = None) -> None:
        """Report that this worker is alive. `stuck_seconds`: for how long it couldn't record anything; None if it can."""
        connection.execute(_HEARTBEAT, {"holder": self.holder, "stuck_seconds": stuck_seconds})

    def renew(self, connection: psycopg.Connection, active_shards: Callable[[], Collection[int]]) -> None:
        """Renew the held leases, then take or give back shards until this worker has its share.

        `active_shards` returns the shards with something in flight. They are given back only once it is done.
        """
        asked_at = time.monotonic()
        renewed = connection.execute(_RENEW, [self.seconds, self.holder, list(self.epochs)]).fetchall()
        kept = {number: epoch for number, epoch in renewed if self.epochs[number] == epoch}
        self.epochs = kept
        share = self._share(connection)
        if len(kept) < share:
            parameters = {"holder": self.holder, "lease": self.seconds, "kept": list(kept), "limit": share - len(kept)}
            self.epochs = kept | dict(connection.execute(_TAKE, parameters).fetchall())
        self.leaving = set(sorted(self.epochs)[share:])
        self._give_back(connection, self.leaving - set(active_shards()))
        self.deadline = asked_at + self.seconds * (1 - LEASE_MARGIN)

    def release_all(self, connection: psycopg.Connection) -> None:
        """Call this at the end, when nothing is in flight, so that others needn't wait for the leases to expire."""
        self._give_back(connection, set(self.epochs))
        connection.execute("DELETE FROM logs_worker WHERE id = %s", [self.holder])

    def _share(self, connection: psycopg.Connection) -> int:
        row = connection.execute(_LIVE, [self.seconds]).fetchone()
        return math.ceil(SHARD_COUNT / (row[0] if row else 1))

    def _give_back(self, connection: psycopg.Connection, shards: Collection[int]) -> None:
        if shards:
            connection.execute(_GIVE_BACK, [self.holder, list(shards)])
            self.epochs = {shard: epoch for shard, epoch in self.epochs.items() if shard not in shards}
            self.leaving = self.leaving - set(shards)
