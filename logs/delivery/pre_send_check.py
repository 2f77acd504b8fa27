"""Checks a log right before it is sent: whether it may still go. Also reads its payload if that wasn't read before.

A log may wait until there is room for its request. Meanwhile, a person may have skipped it, paused its queue, or stopped its
bulk redelivery. Or the subscription was deactivated, or has a new URL. One statement checks all logs that have arrived.
Or the queue itself has delivered a newer event of its object.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg

from . import outcome_repair
from .claim import EXPIRED, IS_SENT, MAY_GO, OVERRIDE, Delivery
from .http_client import SendOutcome
from .superseded import NEWER_WAS_DELIVERED

logger = logging.getLogger("logs.delivery")
CHECK_BATCH_SIZE = 500
CHECK_BATCH_BYTES = 4 * 1024 * 1024  # of payloads, in one result of the database

# Every relevant change of a queue raises its version. The log is checked as well.
_LOOK = f"""
SELECT log.id, item.recheck_superseded IS TRUE AND {NEWER_WAS_DELIVERED}, CASE WHEN delivery.is_fetched THEN
    convert_to((CASE WHEN override.is_edited THEN override.event ELSE payload.event END)::text, 'UTF8') END
FROM unnest(%(logs)s::text[], %(after)s::integer[], %(versions)s::bigint[], %(fetched)s::boolean[])
    AS delivery (log_id, after, queue_version, is_fetched)
JOIN logs_webhooklog log ON log.id = delivery.log_id AND coalesce(log.attempt_count, 0) = delivery.after
JOIN logs_subscription queue ON queue.queue_version = delivery.queue_version AND {IS_SENT} AND {MAY_GO}
LEFT JOIN logs_payload payload ON delivery.is_fetched AND payload.log_id = log.id
LEFT JOIN logs_bulkredeliveryitem item ON log.trigger = 'bulk' AND item.log_id = log.id AND item.outcome = 'queued'
LEFT JOIN LATERAL ({OVERRIDE}) override ON delivery.is_fetched
"""  # noqa: S608  nothing of it comes from outside


@dataclass(eq=False, slots=True)
class _Request:
    delivery: Delivery
    checked: asyncio.Future[Delivery | None]


class PreSendCheck:
    """`await check(delivery)` returns it ready to send. `run(connection)` does the work while a connection lasts."""

    def __init__(self) -> None:
        self._waiting: list[_Request] = []
        self._has_some = asyncio.Event()

    async def check(self, delivery: Delivery) -> Delivery | None:
        """Return the delivery with its payload. None if something has changed: then its queue must be read again."""
        request = _Request(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._has_some.set()
        return await request.checked

    async def run(self, connection: psycopg.AsyncConnection) -> None:
        """Raises psycopg.Error when the connection breaks. Unchecked logs wait for the next one."""
        while True:
            await self._has_some.wait()
            batch = self._next_batch()
            try:
                await self._check_all(connection, batch)
            except BaseException:
                self._waiting = [request for request in batch if not request.checked.done()] + self._waiting
                self._has_some.set()
                raise

    def _next_batch(self) -> list[_Request]:
        number = size = 0
        for request in self._waiting[:CHECK_BATCH_SIZE]:
            size += 0 if request.delivery.payload is not None else request.delivery.size
            if number and size > CHECK_BATCH_BYTES:
                break
            number += 1
        batch, self._waiting = self._waiting[:number], self._waiting[number:]
        if not self._waiting:
            self._has_some.clear()
        # The task of a queue may have been cancelled meanwhile.
        return [request for request in batch if not request.checked.done()]

    async def _check_all(self, connection: psycopg.AsyncConnection, batch: list[_Request]) -> None:
        """One payload that can't be read must not keep the others from being sent."""
        try:
            await self._check_batch(connection, batch)
        except Exception as error:
            if outcome_repair.is_server_error(error, connection):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._check_all(connection, batch[:middle])
                await self._check_all(connection, batch[middle:])
                return
            [request] = batch
            log_fields = {"log_id": request.delivery.log_id, "subscription_id": request.delivery.subscription_id}
            logger.error("could not read a payload: %s", outcome_repair.describe_refusal(error), extra=log_fields)
            if not request.checked.done():
                unreadable = replace(request.delivery, payload=b"", problem="The payload cannot be read.")
                request.checked.set_result(unreadable)

    async def _check_batch(self, connection: psycopg.AsyncConnection, batch: list[_Request]) -> None:
        deliveries = [request.delivery for request in batch]
        parameters = {
            "logs": [delivery.log_id for delivery in deliveries],
            "after": [delivery.number - 1 for delivery in deliveries],
            "versions": [delivery.queue_version for delivery in deliveries],
            "fetched": [delivery.payload is None for delivery in deliveries],
        }
        async with connection.cursor(binary=True) as cursor:
            rows = await (await cursor.execute(_LOOK, parameters)).fetchall()
        rows_by_log = {log_id: (is_superseded, payload) for log_id, is_superseded, payload in rows}
        for request in batch:
            if not request.checked.done():
                row = rows_by_log.get(request.delivery.log_id, (None, None))
                request.checked.set_result(_checked(request.delivery, *row))


def _checked(delivery: Delivery, is_superseded: bool | None, payload: bytes | None) -> Delivery | None:
    if is_superseded is None:
        return None
    if delivery.payload is not None:
        return replace(delivery, is_superseded=is_superseded)
    problem = delivery.problem if payload is not None else EXPIRED
    return replace(delivery, is_superseded=is_superseded, payload=payload or b"", problem=problem)


class DeliveredCache:
    """What a queue has delivered since its logs were read: the newest event of each object.

    Finds logs that become superseded by another log of the same read. The query itself finds those that already were.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[datetime | None, str]] = {}

    def note(self, delivery: Delivery, outcome: SendOutcome) -> None:
        if outcome.is_success and delivery.object_id and not delivery.has_custom_url:
            place = _place(delivery)
            self._newest[delivery.object_id] = max(place, self._newest.get(delivery.object_id, place))

    def supersedes(self, delivery: Delivery) -> bool:
        newest = self._newest.get(delivery.object_id)
        return delivery.recheck_superseded and newest is not None and newest > _place(delivery)


def _place(delivery: Delivery) -> tuple[datetime | None, str]:
    return delivery.created_at, delivery.log_id
