"""Which lanes this worker may send: groups of lanes, each leased to one worker at a time.

A lease is a row with its holder, its epoch and its end, renewed by a heartbeat; the database's clock decides. The worker itself
counts from the moment at which it asked, on a clock that cannot be set, and stops sending before the lease ends. Who takes a
group over raises its epoch, so a worker that was paused or cut off cannot write over its successor.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

import psycopg
from django.conf import settings

SHARD_COUNT = 16  # all workers must agree on it, so it is no setting
SHARD_SQL = f"('x' || right(lane.id, 2))::bit(8)::integer % {SHARD_COUNT}".replace("%", "%%")
HEARTBEATS_PER_LEASE = 7  # in the time of a lease
LEASE_MARGIN = 1 / 7  # of its time before the end of its lease a worker that could not renew it stops
DEAD_WORKER_AFTER_SECONDS = 3600  # until the row of a worker that was killed is removed

_MAKE_GROUPS = """
INSERT INTO logs_lanegroup (number, holder, epoch) SELECT number, '', 0 FROM generate_series(0, %s) number
ON CONFLICT DO NOTHING
"""
_HEARTBEAT = """
INSERT INTO logs_worker AS worker (id, started_at, seen_at, stuck_since)
VALUES (%(holder)s, now(), now(), now() - %(stuck_seconds)s * interval '1 second')
ON CONFLICT (id) DO UPDATE SET seen_at = now(),
    stuck_since = CASE WHEN excluded.stuck_since IS NOT NULL THEN coalesce(worker.stuck_since, excluded.stuck_since) END
"""
_FORGET = "DELETE FROM logs_worker WHERE seen_at < now() - %s * interval '1 second'"
_RENEW = """
UPDATE logs_lanegroup SET expires_at = now() + %s * interval '1 second' WHERE holder = %s AND number = ANY(%s)
RETURNING number, epoch
"""
_LIVE = """
SELECT greatest(count(*), 1) FROM logs_worker WHERE seen_at > now() - %s * interval '1 second' AND stuck_since IS NULL
"""
# An end further away than any lease was written by a clock that has jumped since.
_TAKE = """
UPDATE logs_lanegroup SET holder = %(holder)s, epoch = epoch + 1, expires_at = now() + %(lease)s * interval '1 second'
WHERE number IN (
    SELECT number FROM logs_lanegroup
    WHERE holder IN ('', %(holder)s) AND NOT number = ANY(%(held)s) OR expires_at IS NULL OR expires_at < now()
        OR expires_at > now() + %(lease)s * interval '1.5 second'
    ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING number, epoch
"""
_GIVE_BACK = "UPDATE logs_lanegroup SET holder = '', expires_at = NULL WHERE holder = %s AND number = ANY(%s)"


def shard_of(lane: str) -> int:
    """As GROUP_OF_LANE: ids that are made one after the other spread evenly."""
    return int(lane[-2:], 16) % SHARD_COUNT


class Leases:
    """The leases of one worker, as far as it knows. `epochs`: of each group that it holds.

    The heartbeat's thread changes them, and the delivery loop reads them: so `epochs` and `leaving` are replaced, never changed.
    """

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.epochs: dict[int, int] = {}
        self.leaving: set[int] = set()
        self.deadline = 0.0
        self.seconds: float = settings.DELIVERY_LEASE_SECONDS

    def at_work(self) -> list[int]:
        """The groups whose lanes may begin something new."""
        return sorted(self.epochs.keys() - self.leaving) if self.is_sure() else []

    def is_sure(self) -> bool:
        """Whether no other worker can have taken a group over by now."""
        return time.monotonic() < self.deadline

    def holds(self, group: int, epoch: int) -> bool:
        """Whether something may begin in a lane of this group, which was leased with this epoch."""
        return self.epochs.get(group) == epoch and group not in self.leaving and self.is_sure()

    def register(self, connection: psycopg.Connection) -> None:
        connection.execute(_MAKE_GROUPS, [SHARD_COUNT - 1])
        connection.execute(_FORGET, [DEAD_WORKER_AFTER_SECONDS])

    def tell(self, connection: psycopg.Connection, stuck_seconds: float | None = None) -> None:
        """That this worker is alive; `stuck_seconds`: the seconds for which it could not record anything, None where it can."""
        connection.execute(_HEARTBEAT, {"holder": self.holder, "stuck_seconds": stuck_seconds})

    def renew(self, connection: psycopg.Connection, active_shards: Callable[[], Collection[int]]) -> None:
        """Renew what is held, and take or give back until this worker has its share of the groups.

        `active_shards` tells those of which something is in flight, which are given back once it is done.
        """
        asked_at = time.monotonic()
        renewed = connection.execute(_RENEW, [self.seconds, self.holder, list(self.epochs)]).fetchall()
        kept = {number: epoch for number, epoch in renewed if self.epochs[number] == epoch}
        self.epochs = kept
        share = self._share(connection)
        if len(kept) < share:
            wanted = {"holder": self.holder, "lease": self.seconds, "held": list(kept), "limit": share - len(kept)}
            self.epochs = kept | dict(connection.execute(_TAKE, wanted).fetchall())
        self.leaving = set(sorted(self.epochs)[share:])
        self._give_back(connection, self.leaving - set(active_shards()))
        self.deadline = asked_at + self.seconds * (1 - LEASE_MARGIN)

    def release_all(self, connection: psycopg.Connection) -> None:
        """At the end, when nothing is in flight: others need not wait for the leases to run out."""
        self._give_back(connection, set(self.epochs))
        connection.execute("DELETE FROM logs_worker WHERE id = %s", [self.holder])

    def _share(self, connection: psycopg.Connection) -> int:
        row = connection.execute(_LIVE, [self.seconds]).fetchone()
        return math.ceil(SHARD_COUNT / (row[0] if row else 1))

    def _give_back(self, connection: psycopg.Connection, groups: Collection[int]) -> None:
        if groups:
            connection.execute(_GIVE_BACK, [self.holder, list(groups)])
            self.epochs = {group: epoch for group, epoch in self.epochs.items() if group not in groups}
            self.leaving = self.leaving - set(groups)
