"""The delivery loop of a worker: it leases queues, sends their logs when it's time, and records the outcomes.

The log rows are the queue, so nothing is lost when a worker is killed: a log without a recorded outcome is still queued. Each
queue has one request in flight at a time. Its outcome is committed before the next is sent. No transaction is open while waiting
for a receiver.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, nullcontext, suppress

import psycopg
from django.conf import settings

from .. import signing
from ..cotalker import objectid
from ..cotalker.outcomes import Cause
from ..models import DISPATCH_SIGNAL, QUEUE_CHANNEL
from . import attempt_metrics, claim, database
from .claim import Delivery
from .database import DatabaseClock
from .heartbeat import RECONNECT_SECONDS, Heartbeat
from .http_client import Sender, SendOutcome
from .leases import Leases, shard_of
from .memory_budget import ByteBudget
from .outcome_writer import OutcomeWriter
from .pre_send_check import DeliveredCache, PreSendCheck
from .queue_front import Fronts
from .ssrf import DestinationFilter

logger = logging.getLogger("logs.delivery")
POLL_INTERVAL_SECONDS = 1.0  # recovers from a lost notification
BATCH_WINDOW_SECONDS = 0.005  # queues that run empty at about the same time are read together
CLOCK_SECONDS = 2.0  # between two readings of the database's clock
WATCH_INTERVAL_SECONDS = 0.5
SHUTDOWN_SECONDS = 2.0  # beyond the timeouts of requests in flight, to record their outcomes
SETTINGS_MAX_AGE_SECONDS = 0.25  # for so long after they were read, a log and its queue count as current
RECORDERS = 2  # connections: while one commits, the other writes


class DeliveryLoop:
    """`run()` works until `stop()`, then finishes and records what is in flight. `running`: a task for each queue at work.

    `dispatch_requested` is set when somebody starts or resumes a bulk redelivery.
    """

    def __init__(self) -> None:
        holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.leases = Leases(holder)
        self.recorder = OutcomeWriter(holder)
        self.clock = DatabaseClock()
        self.counts = attempt_metrics.AttemptCounts()
        self.running: dict[str, asyncio.Task[None]] = {}
        self.dispatch_requested = asyncio.Event()
        self.pre_send_check = PreSendCheck()
        self.fronts = Fronts()
        self.budget = ByteBudget(settings.DELIVERY_MEMORY)
        self._room = asyncio.Semaphore(settings.DELIVERY_CONCURRENCY)
        self._woken: set[str] = set()
        self._wake = asyncio.Event()
        self._sweep_at = 0.0
        self._stop_at: float | None = None
        self._in_flight: dict[str, float] = {}  # by queue: the time limit of its request

    def stop(self) -> None:
        now = time.monotonic()
        latest = max([now, *self._in_flight.values()]) + SHUTDOWN_SECONDS
        self._stop_at = self._stop_at or min(latest, now + settings.DELIVERY_DRAIN)
        self._wake.set()

    async def run(self) -> None:
        guard, timeout = DestinationFilter.from_settings(), settings.DELIVERY_TIMEOUT
        async with Sender(guard, timeout, settings.DELIVERY_CONNECT_TIMEOUT) as sender:
            heartbeat = self._heartbeat(asyncio.get_running_loop())
            heartbeat.start()
            watch = asyncio.create_task(self._watch_leases(heartbeat))
            while not self._is_done():
                try:
                    await self._work(sender)
                except* (psycopg.Error, OSError) as errors:
                    logger.warning("database error in the delivery loop, reconnecting: %s", errors.exceptions[0])
                except* Exception:
                    logger.exception("unexpected error in the delivery loop, restarting")
                await asyncio.sleep(0 if self._is_done() else RECONNECT_SECONDS)
            watch.cancel()
            await asyncio.to_thread(heartbeat.end)

    def _heartbeat(self, loop: asyncio.AbstractEventLoop) -> Heartbeat:
        return Heartbeat(
            self.leases,
            active_shards=lambda: {shard_of(subscription_id) for subscription_id in list(self.running)},
            changed=lambda: loop.call_soon_threadsafe(self._leases_changed),
        )

    def _is_done(self) -> bool:
        return self._stop_at is not None and (not self.running or time.monotonic() > self._stop_at)

    async def _work(self, sender: Sender) -> None:
        """Deliver as long as the connections last, or until the worker should stop and nothing is in flight."""
        async with AsyncExitStack() as stack:
            asking, listening, checking, *recording = [await database.connect(stack) for _ in range(3 + RECORDERS)]
            # Otherwise, logs would be sent again although their outcomes are about to be recorded.
            await self.recorder.write_waiting(recording[0])
            await listening.execute(f"LISTEN {QUEUE_CHANNEL}")
            async with asyncio.TaskGroup() as group:
                loops = [self._listen(listening), self._keep_time(asking), self.pre_send_check.run(checking)]
                loops += [self.recorder.run(connection) for connection in recording]
                tasks = [group.create_task(loop) for loop in loops]
                await self._send_queued(asking, sender)
                await self._drain()
                for task in tasks:
                    task.cancel()
            await attempt_metrics.store_counts(asking, self.counts)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        async for notice in connection.notifies():
            if notice.payload == DISPATCH_SIGNAL:
                self.dispatch_requested.set()
            else:
                self._wake_queue(notice.payload)

    def _wake_queue(self, subscription_id: str) -> None:
        if objectid.is_objectid(subscription_id) and shard_of(subscription_id) in self.leases.epochs:
            self._woken.add(subscription_id)
            self._wake.set()

    async def _keep_time(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            await self.clock.set(connection)
            await attempt_metrics.store_counts(connection, self.counts)
            await asyncio.sleep(CLOCK_SECONDS)

    def _leases_changed(self) -> None:
        self._give_up_without_lease([queue for queue in self.running if shard_of(queue) not in self.leases.epochs])
        self._sweep_at = 0.0
        self._wake.set()

    async def _watch_leases(self, heartbeat: Heartbeat) -> None:
        """Cancel requests in time: nothing may be in flight any more when another worker may begin."""
        while True:
            heartbeat.loop_alive(self.recorder.stuck_seconds())
            await asyncio.sleep(min(max(self.leases.deadline - time.monotonic(), 0.1), WATCH_INTERVAL_SECONDS))
            if self.running and not self.leases.is_sure():
                self._give_up_without_lease(list(self.running))

    def _give_up_without_lease(self, given_up: list[str]) -> None:
        if given_up:
            shards = sorted({shard_of(subscription_id) for subscription_id in given_up})
            logger.warning("requests cancelled because the leases of their queue shards expired: %s", shards)
        self._give_up(given_up)

    def _give_up(self, given_up) -> None:
        for subscription_id in list(given_up):
            self.running[subscription_id].cancel()

    async def _send_queued(self, connection: psycopg.AsyncConnection, sender: Sender) -> None:
        most = 2 * settings.DELIVERY_CONCURRENCY  # some queues wait in memory for room to send
        while self._stop_at is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_INTERVAL_SECONDS)
            self._wake.clear()
            free = most - len(self.running)
            if free < most // 2:
                continue  # a queue that ends wakes the loop again
            is_sweep = time.monotonic() >= self._sweep_at
            woken, self._woken = self._woken - self.running.keys(), set()
            known_at = time.monotonic()
            claimed = await claim.claim(
                connection,
                self.leases,
                busy=self.running,
                limit=free,
                small_bytes=self.budget.small,
                woken=None if is_sweep else woken,
            )
            if len(claimed) == free:
                self._sweep_at = 0.0  # there may be more
            elif is_sweep:
                self._sweep_at = time.monotonic() + POLL_INTERVAL_SECONDS
            for subscription_id, deliveries in claimed.items():
                if subscription_id not in self.running and self.leases.holds(deliveries[0].shard, deliveries[0].epoch):
                    work = self._run_queue(sender, deliveries, known_at)
                    self._start_queue(subscription_id, deliveries, work)
            await self.fronts.move_on(connection, claimed)
            await asyncio.sleep(BATCH_WINDOW_SECONDS)

    async def _drain(self) -> None:
        if self.running and self._stop_at:
            await asyncio.wait(self.running.values(), timeout=max(self._stop_at - time.monotonic(), 0))
        self._give_up(self.running)  # the logs are still queued, and the next worker sends them

    def _start_queue(self, subscription_id: str, deliveries: list[Delivery], work: Coroutine[None, None, None]) -> None:
        in_memory = sum(len(delivery.payload or b"") for delivery in deliveries)
        self.budget.small -= in_memory

        def end(_task: asyncio.Task[None]) -> None:  # also for a task that is cancelled before it has begun
            self.budget.small += in_memory
            del self.running[subscription_id]
            self._wake.set()

        self.running[subscription_id] = asyncio.create_task(work)
        self.running[subscription_id].add_done_callback(end)

    async def _run_queue(self, sender: Sender, deliveries: list[Delivery], known_at: float) -> None:
        """Send one log after the other, as long as each is finished and nobody has changed the queue.

        `known_at`: when they were read, as `time.monotonic()`.
        """
        delivered, subscription_id = DeliveredCache(), deliveries[0].subscription_id
        try:
            for delivery in deliveries:
                is_fetched = delivery.payload is None
                async with self.budget.hold(delivery.size) if is_fetched else nullcontext():
                    has_waited = is_fetched or self._room.locked()
                    async with self._room:
                        is_current = not has_waited and time.monotonic() - known_at <= SETTINGS_MAX_AGE_SECONDS
                        ready = delivery if is_current else await self.pre_send_check.check(delivery)
                        if self._stop_at or not self.leases.holds(delivery.shard, delivery.epoch):
                            return
                        if ready is None:
                            break
                        started = time.monotonic()
                        is_superseded = ready.is_superseded or delivered.supersedes(ready)
                        outcome = None if is_superseded else await self._attempt(sender, ready)
                        del ready
                recorded = await self.recorder.record(delivery, outcome, started)
                if outcome:
                    _log_outcome(delivery, outcome)
                if recorded is None:
                    return  # another worker has taken the queue over
                if outcome:
                    self.counts.add(outcome)
                    delivered.note(delivery, outcome)
                if not recorded.is_finished:
                    loop = asyncio.get_running_loop()
                    loop.call_later(settings.DELIVERY_RETRY_DELAY, self._wake_queue, subscription_id)
                    return
                if recorded.queue_version != delivery.queue_version:
                    break
                known_at = recorded.known_at
            self._woken.add(subscription_id)
        except Exception:
            logger.exception("queue task failed, rescheduling", extra={"subscription_id": subscription_id})

    async def _attempt(self, sender: Sender, delivery: Delivery) -> SendOutcome:
        if delivery.problem:
            return SendOutcome(None, delivery.problem, Cause.OTHER, duration_ms=0)
        payload = delivery.payload or b""
        try:
            signed = signing.signature_headers(delivery.log_id, payload, delivery.secrets, self.clock.now())
        except Exception as error:  # if raised, its queue would start again and again
            logger.exception("could not sign an event", extra={"subscription_id": delivery.subscription_id})
            return SendOutcome(
                None, f"The event could not be signed: {type(error).__name__}", Cause.OTHER, duration_ms=0
            )
        self._in_flight[delivery.subscription_id] = time.monotonic() + (delivery.timeout or settings.DELIVERY_TIMEOUT)
        try:
            return await sender.post(delivery.url, payload, dict(delivery.headers) | signed, delivery.timeout)
        finally:
            del self._in_flight[delivery.subscription_id]


def _log_outcome(delivery: Delivery, outcome: SendOutcome) -> None:
    level = logging.DEBUG if outcome.is_success else logging.INFO
    if logger.isEnabledFor(level):
        fields = {"log_id": delivery.log_id, "subscription_id": delivery.subscription_id, "attempt": delivery.number}
        fields |= {"status": outcome.status, "cause": outcome.cause or "-", "duration_ms": outcome.duration_ms}
        logger.log(level, "delivered" if outcome.is_success else "failed", extra=fields)
