"""Records the outcomes of attempts: always the attempts themselves, and what they change in their logs and queues.

All outcomes that have arrived go into one statement, so the outcomes of many queues commit together. The statement rejects an
outcome of a worker that no longer leases the queue. It writes no outcome twice. If the database refuses a statement, its batch is
halved until the refused outcome is alone (see outcome_repair.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

import msgspec
import psycopg
from django.conf import settings

from ..cotalker import objectid
from ..cotalker.outcomes import fingerprint
from ..db.search_vectors import response_vector
from ..payloads.masking import mask_text, masked_keys
from . import fingerprint_limit, outcome_repair
from .claim import Delivery
from .http_client import SendOutcome
from .outcome_sql import EXCLUDE_ITEM, PAUSE_QUEUE, RECORD_OUTCOMES

logger = logging.getLogger("logs.delivery")
OUTCOME_BATCH_SIZE = 500
LOCK_SECONDS = 0.25  # to wait for a row that another transaction has locked, while other outcomes wait to be written
RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What the queue needs to know. `is_finished`: it continues with the next log; else with a retry, or when it's resumed."""

    queue_version: int
    is_finished: bool
    known_at: float  # as `time.monotonic()`; later changes aren't known yet


@dataclass(eq=False, slots=True)
class PendingOutcome:
    """An outcome that waits to be written, and the future of its caller. `outcome` None: superseded, so it wasn't sent.

    `number` and `actor`: as they are written. `is_put_off`: it is written a little later, and doesn't keep others waiting.
    """

    delivery: Delivery
    outcome: SendOutcome | None
    started: float
    recorded: asyncio.Future[RecordResult | None]
    number: int
    actor: int | None
    since: float = field(default_factory=time.monotonic)
    is_put_off: bool = False


class OutcomeWriter:
    """`await record(…)` returns once the outcome is committed. `run(connection)` does the work as long as a connection lasts.

    It may run on several connections: the outcomes that they write at the same time are of different queues.
    """

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self._waiting: list[PendingOutcome] = []
        self._has_some = asyncio.Event()
        self._unwritten: dict[PendingOutcome, None] = {}  # the oldest first
        self._wrote_at = 0.0
        self._fingerprints = fingerprint_limit.DailyFingerprints()

    async def record(self, delivery: Delivery, outcome: SendOutcome | None, started: float) -> RecordResult | None:
        """Record an outcome. Returns None if it wasn't written: another worker has taken the queue over.

        `outcome` None: the log is excluded from its bulk redelivery, because a newer event of its object was delivered.
        `started`: as `time.monotonic()`.
        """
        recorded: asyncio.Future[RecordResult | None] = asyncio.get_running_loop().create_future()
        pending = PendingOutcome(delivery, outcome, started, recorded, delivery.number, delivery.requested_by_id)
        self._unwritten[pending] = None
        self._add(pending)
        return await recorded

    def stuck_seconds(self) -> float:
        """Return for how many seconds nothing could be written while an outcome waited; 0.0 if none waits."""
        since = next((pending.since for pending in self._unwritten if not pending.is_put_off), None)
        return 0.0 if since is None else time.monotonic() - max(since, self._wrote_at)

    async def run(self, connection: psycopg.AsyncConnection) -> None:
        """Raises psycopg.Error when the database can't be written to. Unwritten outcomes wait for the next connection."""
        await connection.execute(f"SET lock_timeout = {int(LOCK_SECONDS * 1000)}")
        while True:
            await self._has_some.wait()
            await self.write_waiting(connection)

    async def write_waiting(self, connection: psycopg.AsyncConnection) -> None:
        """Write the outcomes that have arrived. Raises psycopg.Error, and then keeps those that weren't written."""
        batch, self._waiting = self._waiting[:OUTCOME_BATCH_SIZE], self._waiting[OUTCOME_BATCH_SIZE:]
        if not self._waiting:
            self._has_some.clear()
        try:
            await self._write_all(connection, batch)
        except BaseException:
            left = [pending for pending in batch if pending in self._unwritten and not pending.is_put_off]
            self._waiting = left + self._waiting
            self._has_some.set()
            raise

    def _add(self, pending: PendingOutcome) -> None:
        pending.is_put_off = False
        self._waiting.append(pending)
        self._has_some.set()

    async def _write_all(self, connection: psycopg.AsyncConnection, batch: list[PendingOutcome]) -> None:
        """One outcome that the database refuses must not keep the others from being written."""
        try:
            await self._write(connection, batch)
        except Exception as error:
            if outcome_repair.is_server_error(error, connection):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write_all(connection, batch[:middle])
                await self._write_all(connection, batch[middle:])
            else:
                await self._write_refused(connection, batch[0], error)

    async def _write_refused(
        self, connection: psycopg.AsyncConnection, pending: PendingOutcome, error: Exception
    ) -> None:
        """Write what the database accepts of an outcome, or else pause its queue."""
        log_fields = {"log_id": pending.delivery.log_id, "subscription_id": pending.delivery.subscription_id}
        for repair in (outcome_repair.repair_references, outcome_repair.repair_response):
            if outcome_repair.is_transient(error):
                break
            logger.warning("database rejected an outcome: %s", outcome_repair.describe_refusal(error), extra=log_fields)
            try:
                await repair(connection, pending)
                await self._write(connection, [pending])
                return
            except Exception as other:
                if outcome_repair.is_server_error(other, connection):
                    raise
                error = other
        try:
            if not outcome_repair.is_transient(error):
                await self._pause_queue(connection, pending, error)
                logger.error("queue paused: could not record an outcome", extra=log_fields)
                return
        except Exception as other:
            if outcome_repair.is_server_error(other, connection):
                raise
            error = other
        logger.warning(
            "could not record an outcome, retrying later: %s", outcome_repair.describe_refusal(error), extra=log_fields
        )
        pending.is_put_off = True
        asyncio.get_running_loop().call_later(RETRY_AFTER_SECONDS, self._add, pending)

    async def _pause_queue(
        self, connection: psycopg.AsyncConnection, pending: PendingOutcome, error: Exception
    ) -> None:
        parameters = _place(pending.delivery) | {
            "subscription": pending.delivery.subscription_id,
            "error": outcome_repair.describe_refusal(error),
        }
        cursor = await connection.execute(PAUSE_QUEUE, parameters | {"holder": self.holder})
        rows = [(pending.delivery.log_id, *row[1:]) for row in await cursor.fetchall()]
        self._set_results([pending], rows, time.monotonic())

    async def _write(self, connection: psycopg.AsyncConnection, batch: list[PendingOutcome]) -> None:
        now = time.monotonic()
        # If one statement was refused, the other may have succeeded.
        batch = [pending for pending in batch if pending in self._unwritten]
        await self._learn_fingerprints(connection, batch)
        for statement, name, columns_of, part in (
            (RECORD_OUTCOMES, "outcomes", self._columns, [pending for pending in batch if pending.outcome]),
            (EXCLUDE_ITEM, "excluded", _place_of, [pending for pending in batch if not pending.outcome]),
        ):
            if part:
                parameters: dict[str, object] = {name: _json([columns_of(pending, now) for pending in part])}
                parameters |= {"holder": self.holder, "delay": settings.DELIVERY_RETRY_DELAY}
                written = await (await connection.execute(statement, parameters)).fetchall()
                self._set_results(part, written, now)

    async def _learn_fingerprints(self, connection: psycopg.AsyncConnection, batch: list[PendingOutcome]) -> None:
        """Read the known fingerprints, once for each day of a subscription that has failures."""
        days = (_day(pending.delivery) for pending in batch if pending.outcome and pending.outcome.cause)
        if parameters := self._fingerprints.unknown(days):
            cursor = await connection.execute(fingerprint_limit.KNOWN_FINGERPRINTS_SQL, parameters)
            self._fingerprints.learn(parameters, await cursor.fetchall())

    def _columns(self, pending: PendingOutcome, now: float) -> dict[str, object]:
        delivery, outcome, keys = pending.delivery, pending.outcome, masked_keys()
        assert outcome
        stored_fingerprint = ""
        if outcome.cause:  # fingerprints are shown, and must hold no secrets
            stored_fingerprint = fingerprint(mask_text(outcome.response, keys), outcome.status, outcome.cause)
            stored_fingerprint = self._fingerprints.keep(_day(delivery), stored_fingerprint)
        return _place(delivery) | {
            "after": delivery.number - 1,
            "number": pending.number,
            "trigger": delivery.trigger,
            "actor": pending.actor,
            "age": now - pending.started,
            "duration_ms": outcome.duration_ms,
            "url": delivery.url,
            "status": outcome.status,
            "is_success": outcome.is_success,
            "response": outcome.response,
            "headers": outcome.response_headers,
            "is_truncated": outcome.is_truncated,
            "cause": outcome.cause,
            "note": outcome.note[:200],
            "fingerprint": stored_fingerprint,
            "search": response_vector(outcome.response, keys),
            "has_custom_url": delivery.has_custom_url,
        }

    def _set_results(self, batch: list[PendingOutcome], rows: list[tuple], known_at: float) -> None:
        """Set the results. An outcome without a row was rejected: another worker has its queue, or it was written already."""
        self._wrote_at = time.monotonic()
        written = {
            log_id: RecordResult(queue_version, is_finished, known_at) for log_id, queue_version, is_finished in rows
        }
        for pending in batch:
            self._unwritten.pop(pending, None)
            if not pending.recorded.done():
                pending.recorded.set_result(written.get(pending.delivery.log_id))


def _json(rows: list[dict[str, object]]) -> str:
    return msgspec.json.encode(rows).decode()


def _place_of(pending: PendingOutcome, _now: float) -> dict[str, object]:
    return _place(pending.delivery)


def _place(delivery: Delivery) -> dict[str, object]:
    """Identify the log, its lease, and its item of a bulk redelivery."""
    return {
        "log_id": delivery.log_id,
        "shard_number": delivery.shard,
        "epoch": delivery.epoch,
        "item_id": delivery.item_id,
    }


def _day(delivery: Delivery) -> fingerprint_limit.SubscriptionDay:
    created_at = delivery.created_at or objectid.objectid_time(delivery.log_id)
    return fingerprint_limit.day_of(delivery.subscription_id, created_at)
