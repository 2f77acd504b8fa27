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
    """What the queue needs to know. `is_settled`: it continues with the next log; else with a retry, or when it's resumed."""

    lane_version: int
    is_settled: bool
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
        self._kinds = fingerprint_limit.DailyFingerprints()

    async def record(self, delivery: Delivery, outcome: SendOutcome | None, started: float) -> RecordResult | None:
        """Record an outcome. Returns None if it wasn't written: another worker has taken the queue over.

        `outcome` None: the log is excluded from its bulk redelivery, because a newer event of its object was delivered.
        `started`: as `time.monotonic()`.
        """
        recorded: asyncio.Future[RecordResult | None] = asyncio.get_running_loop().create_future()
        told = PendingOutcome(delivery, outcome, started, recorded, delivery.number, delivery.requested_by_id)
        self._unwritten[told] = None
        self._add(told)
        return await recorded

    def stuck_seconds(self) -> float:
        """Return for how many seconds nothing could be written while an outcome waited; 0.0 if none waits."""
        since = next((told.since for told in self._unwritten if not told.is_put_off), None)
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
            left = [told for told in batch if told in self._unwritten and not told.is_put_off]
            self._waiting = left + self._waiting
            self._has_some.set()
            raise

    def _add(self, told: PendingOutcome) -> None:
        told.is_put_off = False
        self._waiting.append(told)
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

    async def _write_refused(self, connection: psycopg.AsyncConnection, told: PendingOutcome, error: Exception) -> None:
        """Write what the database accepts of an outcome, or else pause its queue."""
        about = {"log": told.delivery.log_id, "subscription": told.delivery.lane}
        for mend in (outcome_repair.repair_references, outcome_repair.repair_response):
            if outcome_repair.is_transient(error):
                break
            logger.warning("database rejected an outcome: %s", outcome_repair.describe_refusal(error), extra=about)
            try:
                await mend(connection, told)
                await self._write(connection, [told])
                return
            except Exception as other:
                if outcome_repair.is_server_error(other, connection):
                    raise
                error = other
        try:
            if not outcome_repair.is_transient(error):
                await self._stop_lane(connection, told, error)
                logger.error("queue paused: could not record an outcome", extra=about)
                return
        except Exception as other:
            if outcome_repair.is_server_error(other, connection):
                raise
            error = other
        logger.warning(
            "could not record an outcome, retrying later: %s", outcome_repair.describe_refusal(error), extra=about
        )
        told.is_put_off = True
        asyncio.get_running_loop().call_later(RETRY_AFTER_SECONDS, self._add, told)

    async def _stop_lane(self, connection: psycopg.AsyncConnection, told: PendingOutcome, error: Exception) -> None:
        parameters = _place(told.delivery) | {
            "lane": told.delivery.lane,
            "error": outcome_repair.describe_refusal(error),
        }
        cursor = await connection.execute(PAUSE_QUEUE, parameters | {"holder": self.holder})
        rows = [(told.delivery.log_id, *row[1:]) for row in await cursor.fetchall()]
        self._is_written([told], rows, time.monotonic())

    async def _write(self, connection: psycopg.AsyncConnection, batch: list[PendingOutcome]) -> None:
        now = time.monotonic()
        # If one statement was refused, the other may have succeeded.
        batch = [told for told in batch if told in self._unwritten]
        await self._learn_kinds(connection, batch)
        for statement, name, rows, told_of in (
            (RECORD_OUTCOMES, "outcomes", self._columns, [told for told in batch if told.outcome]),
            (EXCLUDE_ITEM, "left_out", _place_of, [told for told in batch if not told.outcome]),
        ):
            if told_of:
                parameters: dict[str, object] = {name: _json([rows(told, now) for told in told_of])}
                parameters |= {"holder": self.holder, "delay": settings.DELIVERY_RETRY_DELAY}
                written = await (await connection.execute(statement, parameters)).fetchall()
                self._is_written(told_of, written, now)

    async def _learn_kinds(self, connection: psycopg.AsyncConnection, batch: list[PendingOutcome]) -> None:
        """Read the known fingerprints, once for each day of a subscription that has failures."""
        days = (_day(told.delivery) for told in batch if told.outcome and told.outcome.cause)
        if asked := self._kinds.unknown(days):
            self._kinds.learn(
                asked, await (await connection.execute(fingerprint_limit.KNOWN_FINGERPRINTS_SQL, asked)).fetchall()
            )

    def _columns(self, told: PendingOutcome, now: float) -> dict[str, object]:
        delivery, outcome, keys = told.delivery, told.outcome, masked_keys()
        assert outcome
        like = ""
        if outcome.cause:  # fingerprints are shown, and must hold no secrets
            like = fingerprint(mask_text(outcome.response, keys), outcome.status, outcome.cause)
            like = self._kinds.keep(_day(delivery), like)
        return _place(delivery) | {
            "after": delivery.number - 1,
            "number": told.number,
            "trigger": delivery.trigger,
            "actor": told.actor,
            "age": now - told.started,
            "duration_ms": outcome.duration_ms,
            "url": delivery.url,
            "status": outcome.status,
            "is_success": outcome.is_success,
            "response": outcome.response,
            "headers": outcome.response_headers,
            "is_truncated": outcome.is_truncated,
            "cause": outcome.cause,
            "note": outcome.note[:200],
            "fingerprint": like,
            "search": response_vector(outcome.response, keys),
            "is_elsewhere": delivery.is_elsewhere,
        }

    def _is_written(self, batch: list[PendingOutcome], rows: list[tuple], asked_at: float) -> None:
        """Set the results. An outcome without a row was rejected: another worker has its queue, or it was written already."""
        self._wrote_at = time.monotonic()
        written = {
            log_id: RecordResult(lane_version, is_settled, asked_at) for log_id, lane_version, is_settled in rows
        }
        for told in batch:
            self._unwritten.pop(told, None)
            if not told.recorded.done():
                told.recorded.set_result(written.get(told.delivery.log_id))


def _json(rows: list[dict[str, object]]) -> str:
    return msgspec.json.encode(rows).decode()


def _place_of(told: PendingOutcome, _now: float) -> dict[str, object]:
    return _place(told.delivery)


def _place(delivery: Delivery) -> dict[str, object]:
    """Identify the log, its lease, and its item of a bulk redelivery."""
    return {
        "log_id": delivery.log_id,
        "group_number": delivery.group,
        "epoch": delivery.epoch,
        "entry": delivery.entry,
    }


def _day(delivery: Delivery) -> fingerprint_limit.SubscriptionDay:
    return fingerprint_limit.day_of(delivery.lane, delivery.created_at or objectid.objectid_time(delivery.log_id))
