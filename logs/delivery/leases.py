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

GROUPS = 16  # all workers must agree on it, so it is no setting
GROUP_OF_LANE = f"('x' || right(lane.id, 2))::bit(8)::integer % {GROUPS}".replace("%", "%%")
HEARTBEATS = 7  # in the time of a lease
MARGIN = 1 / 7  # of its time before the end of its lease a worker that could not renew it stops
FORGOTTEN_SECONDS = 3600  # until the row of a worker that was killed is removed

_MAKE_GROUPS = """
INSERT INTO logs_lanegroup (number, holder, epoch) SELECT number, '', 0 FROM generate_series(0, %s) number
ON CONFLICT DO NOTHING
"""
_HEARTBEAT = """
INSERT INTO logs_worker (id, started_at, seen_at) VALUES (%s, now(), now())
ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""
_FORGET = "DELETE FROM logs_worker WHERE seen_at < now() - %s * interval '1 second'"
_RENEW = """
UPDATE logs_lanegroup SET expires_at = now() + %s * interval '1 second' WHERE holder = %s AND number = ANY(%s)
RETURNING number, epoch
"""
_LIVE = "SELECT greatest(count(*), 1) FROM logs_worker WHERE seen_at > now() - %s * interval '1 second'"
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


def group_of(lane: str) -> int:
    """As GROUP_OF_LANE: ids that are made one after the other spread evenly."""
    return int(lane[-2:], 16) % GROUPS


class Leases:
    """The leases of one worker, as far as it knows. `epochs`: of each group that it holds."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.epochs: dict[int, int] = {}
        self.leaving: set[int] = set()
        self.deadline = 0.0
        self.seconds: float = settings.DELIVERY_LEASE

    def at_work(self) -> list[int]:
        """The groups whose lanes may begin something new."""
        return sorted(self.epochs.keys() - self.leaving) if self.is_sure() else []

    def is_sure(self) -> bool:
        """Whether no other worker can have taken a group over by now."""
        return time.monotonic() < self.deadline

    def holds(self, group: int, epoch: int) -> bool:
        """Whether something may begin in a lane of this group, which was leased with this epoch."""
        return self.epochs.get(group) == epoch and group not in self.leaving and self.is_sure()

    async def register(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(_MAKE_GROUPS, [GROUPS - 1])
        await connection.execute(_FORGET, [FORGOTTEN_SECONDS])

    async def renew(self, connection: psycopg.AsyncConnection, groups_at_work: Callable[[], Collection[int]]) -> None:
        """A heartbeat: renew what is held, and take or give back until this worker has its share of the groups.

        `groups_at_work` tells those of which something is in flight, which are given back once it is done.
        """
        asked_at = time.monotonic()
        await connection.execute(_HEARTBEAT, [self.holder])
        renewed = await connection.execute(_RENEW, [self.seconds, self.holder, list(self.epochs)])
        kept = {number: epoch for number, epoch in await renewed.fetchall() if self.epochs[number] == epoch}
        self.epochs = kept
        share = await self._share(connection)
        if len(kept) < share:
            wanted = {"holder": self.holder, "lease": self.seconds, "held": list(kept), "limit": share - len(kept)}
            self.epochs |= dict(await (await connection.execute(_TAKE, wanted)).fetchall())
        self.leaving = set(sorted(self.epochs)[share:])
        await self._give_back(connection, self.leaving - set(groups_at_work()))
        self.deadline = asked_at + self.seconds * (1 - MARGIN)

    async def give_all_back(self, connection: psycopg.AsyncConnection) -> None:
        """At the end, when nothing is in flight: others need not wait for the leases to run out."""
        await self._give_back(connection, set(self.epochs))
        await connection.execute("DELETE FROM logs_worker WHERE id = %s", [self.holder])

    async def _share(self, connection: psycopg.AsyncConnection) -> int:
        row = await (await connection.execute(_LIVE, [self.seconds])).fetchone()
        return math.ceil(GROUPS / (row[0] if row else 1))

    async def _give_back(self, connection: psycopg.AsyncConnection, groups: Collection[int]) -> None:
        if groups:
            await connection.execute(_GIVE_BACK, [self.holder, list(groups)])
            for group in groups:
                del self.epochs[group]
                self.leaving.discard(group)
