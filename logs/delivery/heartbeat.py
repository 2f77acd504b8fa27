"""The heartbeat of a worker: it shows that the worker is alive, and renews its leases.

It has its own thread and connection, so no payload and no statement of the delivery loop can delay it. It renews nothing while
the loop stalls, or while outcomes can't be recorded. Then another worker should take over the queues.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

import psycopg

from . import database
from .leases import HEARTBEATS_PER_LEASE, Leases

logger = logging.getLogger("logs.delivery")
STUCK_SECONDS = 5.0
RECONNECT_SECONDS = 0.5


class Heartbeat(threading.Thread):
    """Call `start()`, and `end()` once nothing is in flight any more: it gives the leases back.

    The loop keeps calling `loop_alive(stuck_seconds)`, with the seconds for which it couldn't record anything. The heartbeat
    calls `changed`, in this thread, when the queue shards that it holds have changed.
    """

    def __init__(
        self, leases: Leases, active_shards: Callable[[], Collection[int]], changed: Callable[[], object]
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.leases = leases
        self._active_shards = active_shards
        self._changed = changed
        self._ending = threading.Event()
        self._alive_at = time.monotonic()
        self._stuck_seconds = 0.0

    def loop_alive(self, stuck_seconds: float) -> None:
        self._alive_at, self._stuck_seconds = time.monotonic(), stuck_seconds

    def end(self) -> None:
        """Block until the leases are given back, for a few seconds at most."""
        self._ending.set()
        self.join(RECONNECT_SECONDS * 10)

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                self._beat_while_connected()
            except (psycopg.Error, OSError) as error:
                logger.warning("database error in the heartbeat, reconnecting: %s", type(error).__name__)
            except Exception:
                logger.exception("unexpected error in the heartbeat, restarting")
            self._ending.wait(RECONNECT_SECONDS)

    def _beat_while_connected(self) -> None:
        with database.connected() as connection:
            connection.execute(f"SET statement_timeout = {int(self.leases.seconds * 500)}")
            self.leases.register(connection)
            while not self._ending.is_set():
                self._beat(connection)
                self._ending.wait(self.leases.seconds / HEARTBEATS_PER_LEASE)
            self.leases.release_all(connection)

    def _beat(self, connection: psycopg.Connection) -> None:
        stalled_seconds = time.monotonic() - self._alive_at
        if stalled_seconds > self.leases.seconds:
            logger.error("delivery loop stalled for %.0f s: leases are not renewed", stalled_seconds)
            return
        stuck_seconds = self._stuck_seconds and self._stuck_seconds + stalled_seconds
        is_stuck = stuck_seconds > STUCK_SECONDS
        self.leases.report_alive(connection, stuck_seconds if is_stuck else None)
        if is_stuck:
            logger.error("could not record outcomes for %.0f s: leases are not renewed", stuck_seconds)
            return
        before = self.leases.epochs
        self.leases.renew(connection, self._active_shards)
        if self.leases.epochs != before:
            logger.info("leases changed: delivering %s queue shards", len(self.leases.at_work()))
            self._changed()
