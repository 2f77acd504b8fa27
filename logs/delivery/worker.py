"""The delivery loop of a worker: wakes when something is due, sends it, records it.

The log rows are the queue, so nothing is lost when a worker is killed: what was not recorded is still due. One worker
delivers at a time, whoever holds the lock of the listening connection; others stand by and take over when that connection
ends. No transaction is open while a receiver is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from ..models import DUE_CHANNEL
from . import lanes, recorder, signing
from .guard import Guard
from .policy import Cause
from .sender import Outcome, Sender

logger = logging.getLogger("logs.delivery")
LOCK = 0x636F7462
SWEEP_SECONDS = 1.0  # heals a notice that was lost
RECONNECT_SECONDS = 1.0
AT_ONCE = 100
DRAIN_SECONDS = 25.0


class DeliveryLoop:
    """`run()` until `stop()`; what is in flight then is finished and recorded."""

    def __init__(self) -> None:
        self.in_flight: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        async with Sender(Guard.from_settings(), timeout=settings.DELIVERY_TIMEOUT) as sender:
            while not self._stopping.is_set():
                try:
                    await self._hold_the_lock(sender)
                except (psycopg.Error, DatabaseError, OSError) as error:
                    logger.warning("the database is not reachable, trying again: %s", error)
                    await self._pause(RECONNECT_SECONDS)
            if self.in_flight:
                await asyncio.wait(self.in_flight.values(), timeout=DRAIN_SECONDS)

    async def _hold_the_lock(self, sender: Sender) -> None:
        """Deliver while the listening connection, and with it the lock, lasts."""
        parameters = await _in_thread(_connection_parameters)
        async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as connection:
            while not await _is_locked(connection):
                if await self._pause(SWEEP_SECONDS):
                    return
            await connection.execute(f"LISTEN {DUE_CHANNEL}")
            logger.info("delivering")
            listener = asyncio.create_task(self._listen(connection))
            try:
                while not self._stopping.is_set() and not listener.done():
                    await self._send_what_is_due(sender)
                    await self._pause_until_woken()
                if listener.done():
                    listener.result()
            finally:
                listener.cancel()

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        async for _notice in connection.notifies():
            self._wake.set()

    async def _send_what_is_due(self, sender: Sender) -> None:
        self._wake.clear()
        free = AT_ONCE - len(self.in_flight)
        for delivery in (
            await _in_thread(lanes.due_deliveries, busy_lanes=set(self.in_flight), limit=free) if free else ()
        ):
            self.in_flight[delivery.lane] = asyncio.create_task(self._deliver(sender, delivery))

    async def _deliver(self, sender: Sender, delivery: lanes.Delivery) -> None:
        try:
            outcome = await _attempt(sender, delivery)
            while True:
                try:
                    await _in_thread(recorder.record, delivery, outcome)
                    break
                except DatabaseError as error:
                    logger.warning("log %s: the outcome is not recorded yet: %s", delivery.log_id, type(error).__name__)
                    await asyncio.sleep(RECONNECT_SECONDS)
            logger.info(
                "log %s subscription %s: status %s cause %s in %s ms",
                delivery.log_id,
                delivery.lane,
                outcome.status,
                outcome.cause or "-",
                outcome.duration_ms,
            )
        finally:
            del self.in_flight[delivery.lane]
            self._wake.set()

    async def _pause_until_woken(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), SWEEP_SECONDS)

    async def _pause(self, seconds: float) -> bool:
        """Wait; True where the worker is to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def _attempt(sender: Sender, delivery: lanes.Delivery) -> Outcome:
    now = datetime.now(UTC)
    if delivery.problem:
        return Outcome(None, delivery.problem, Cause.OTHER, started_at=now, duration_ms=0)
    headers = signing.headers_for(delivery.log_id, delivery.payload, delivery.secret, now)
    return await sender.post(delivery.url, delivery.payload, headers)


async def _is_locked(connection: psycopg.AsyncConnection) -> bool:
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])).fetchone()
    return bool(row and row[0])


def _connection_parameters() -> dict:
    wanted = ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "options")
    parameters = connections["default"].get_connection_params()
    return {key: parameters[key] for key in wanted if key in parameters}


async def _in_thread(function, *args, **kwargs):
    """Run database work off the event loop, and give its connection back."""

    def work():
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(work, thread_sensitive=False)()
