"""Checks a log right before it is sent: whether it may still go. Also reads its payload if that wasn't read before.

A log may wait until there is room for its request. Meanwhile, a person may have skipped it, paused its queue, or stopped its
bulk redelivery. Or the subscription was deactivated, or has a new URL. One statement checks all logs that have arrived.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

import psycopg

from . import outcome_repair
from .claim import EXPIRED, IS_SENT, MAY_GO, VARIANT, Delivery
from .superseded import NEWER_WAS_DELIVERED

logger = logging.getLogger("logs.delivery")
CHECK_BATCH_SIZE = 500
CHECK_BATCH_BYTES = 4 * 1024 * 1024  # of payloads, in one result of the database

# Every relevant change of a queue raises its version. The log is checked as well.
_LOOK = f"""
SELECT log.id, entry.is_guarded IS TRUE AND {NEWER_WAS_DELIVERED}, CASE WHEN wanted.is_fetched THEN
    convert_to((CASE WHEN variant.is_edited THEN variant.event ELSE payload.event END)::text, 'UTF8') END
FROM unnest(%(logs)s::text[], %(after)s::integer[], %(versions)s::bigint[], %(fetched)s::boolean[])
    AS wanted (log_id, after, lane_version, is_fetched)
JOIN logs_webhooklog log ON log.id = wanted.log_id AND coalesce(log.retry, 0) = wanted.after
JOIN logs_subscription lane ON lane.lane_version = wanted.lane_version AND {IS_SENT} AND {MAY_GO}
LEFT JOIN logs_payload payload ON wanted.is_fetched AND payload.log_id = log.id
LEFT JOIN logs_runentry entry ON log.trigger = 'bulk' AND entry.log_id = log.id AND entry.outcome = 'queued'
LEFT JOIN LATERAL ({VARIANT}) variant ON wanted.is_fetched
"""  # noqa: S608  nothing of it comes from outside


@dataclass(eq=False, slots=True)
class _Asked:
    delivery: Delivery
    seen: asyncio.Future[Delivery | None]


class PreSendCheck:
    """`await look(delivery)` returns it ready to send. `run(connection)` does the work as long as a connection lasts."""

    def __init__(self) -> None:
        self._waiting: list[_Asked] = []
        self._has_some = asyncio.Event()

    async def look(self, delivery: Delivery) -> Delivery | None:
        """Return the delivery with its payload. None if something has changed: then its queue must be read again."""
        asked = _Asked(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._has_some.set()
        return await asked.seen

    async def run(self, connection: psycopg.AsyncConnection) -> None:
        """Raises psycopg.Error when the connection breaks. Unchecked logs wait for the next one."""
        while True:
            await self._has_some.wait()
            batch = self._next_batch()
            try:
                await self._look_all(connection, batch)
            except BaseException:
                self._waiting = [asked for asked in batch if not asked.seen.done()] + self._waiting
                self._has_some.set()
                raise

    def _next_batch(self) -> list[_Asked]:
        number = size = 0
        for asked in self._waiting[:CHECK_BATCH_SIZE]:
            size += 0 if asked.delivery.payload is not None else asked.delivery.size
            if number and size > CHECK_BATCH_BYTES:
                break
            number += 1
        batch, self._waiting = self._waiting[:number], self._waiting[number:]
        if not self._waiting:
            self._has_some.clear()
        # The task of a queue may have been cancelled meanwhile.
        return [asked for asked in batch if not asked.seen.done()]

    async def _look_all(self, connection: psycopg.AsyncConnection, batch: list[_Asked]) -> None:
        """One payload that can't be read must not keep the others from being sent."""
        try:
            await self._look(connection, batch)
        except Exception as error:
            if outcome_repair.is_server_error(error, connection):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._look_all(connection, batch[:middle])
                await self._look_all(connection, batch[middle:])
                return
            [asked] = batch
            about = {"log": asked.delivery.log_id, "subscription": asked.delivery.lane}
            logger.error("could not read a payload: %s", outcome_repair.describe_refusal(error), extra=about)
            if not asked.seen.done():
                asked.seen.set_result(replace(asked.delivery, payload=b"", problem="The payload cannot be read."))

    async def _look(self, connection: psycopg.AsyncConnection, batch: list[_Asked]) -> None:
        deliveries = [asked.delivery for asked in batch]
        parameters = {
            "logs": [delivery.log_id for delivery in deliveries],
            "after": [delivery.number - 1 for delivery in deliveries],
            "versions": [delivery.lane_version for delivery in deliveries],
            "fetched": [delivery.payload is None for delivery in deliveries],
        }
        async with connection.cursor(binary=True) as cursor:
            rows = await (await cursor.execute(_LOOK, parameters)).fetchall()
        seen = {log_id: (is_stale, payload) for log_id, is_stale, payload in rows}
        for asked in batch:
            if not asked.seen.done():
                asked.seen.set_result(_as_seen(asked.delivery, *seen.get(asked.delivery.log_id, (None, None))))


def _as_seen(delivery: Delivery, is_stale: bool | None, payload: bytes | None) -> Delivery | None:
    if is_stale is None:
        return None
    if delivery.payload is not None:
        return replace(delivery, is_stale=is_stale)
    problem = delivery.problem if payload is not None else EXPIRED
    return replace(delivery, is_stale=is_stale, payload=payload or b"", problem=problem)
