"""Writes down what came of tries: the attempts, always, and what they change of their logs and lanes.

Whatever has come in meanwhile goes into one statement, so that the outcomes of many lanes commit together. An outcome of a
worker that no longer leases the lane is refused, and one that was written already is not written twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

import msgspec
import psycopg
from django.conf import settings

from ..masked_keys import masked_keys
from ..payloads.masking import mask_text
from ..search import response_vector
from .lanes import Delivery
from .policy import fingerprint
from .sender import Outcome

AT_ONCE = 500

# The lease is locked against who would take it over, not against its renewal. Logs are locked before their lanes and entries, in
# the order of ids, as by all who lock several: else two would wait for one another. What went to another URL is an attempt, and
# changes nothing that the log tells.
_RECORD = """
WITH told AS (
    SELECT * FROM json_to_recordset(%(outcomes)s::json) AS told (
        log_id text, group_number smallint, epoch bigint, number integer, trigger text, actor integer, age float8,
        duration_ms integer, url text, status integer, is_success boolean, response text, headers jsonb,
        is_truncated boolean, cause text, note text, fingerprint text, search text, entry bigint,
        is_elsewhere boolean
    )
), lease AS (
    SELECT number, epoch FROM logs_lanegroup WHERE holder = %(holder)s FOR KEY SHARE
), outcome AS MATERIALIZED (
    SELECT told.*, told.is_elsewhere OR log.state = 'succeeded' AND NOT told.is_success AS kept,
        NOT told.is_success AND log.tries_left > 1 AND log.next_attempt_at IS NOT NULL AS again
    FROM told
    JOIN lease ON lease.number = told.group_number AND lease.epoch = told.epoch
    JOIN logs_webhooklog log ON log.id = told.log_id AND coalesce(log.retry, 0) = told.number - 1
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET
        retry = outcome.number,
        tries_left = log.tries_left - 1,
        next_attempt_at = CASE WHEN again THEN now() + %(delay)s * interval '1 second' END,
        turn = CASE WHEN again THEN 0 ELSE log.turn END,
        requested_by_id = CASE WHEN again THEN log.requested_by_id END,
        state = CASE
            WHEN outcome.is_elsewhere THEN log.state
            WHEN outcome.is_success OR log.state = 'succeeded' THEN 'succeeded'
            WHEN again THEN 'retrying'
            WHEN log.next_attempt_at IS NULL THEN log.state
            ELSE 'failed'
        END,
        status = CASE WHEN kept THEN log.status ELSE outcome.status END,
        response = CASE WHEN kept THEN log.response ELSE outcome.response END,
        cause = CASE WHEN kept THEN log.cause ELSE outcome.cause END,
        fingerprint = CASE WHEN kept THEN log.fingerprint ELSE outcome.fingerprint END,
        duration_ms = CASE WHEN kept THEN log.duration_ms ELSE outcome.duration_ms END,
        search = CASE WHEN kept THEN log.search ELSE outcome.search::tsvector END
    FROM outcome WHERE log.id = outcome.log_id
    RETURNING outcome.*, log.subscription_id AS lane, log.state, log.next_attempt_at IS NULL AS is_settled,
        log.trigger = 'auto' AS is_event
), attempt AS (
    INSERT INTO logs_attempt (log_id, number, trigger, actor_id, started_at, duration_ms, url, status,
        response_headers, response, is_truncated, cause, note)
    SELECT log_id, number, trigger, actor, now() - age * interval '1 second', duration_ms, url, status,
        headers, response, is_truncated, cause, note
    FROM log
), entry AS (
    UPDATE logs_runentry entry SET attempt_number = log.number, status = log.status, cause = log.cause,
        fingerprint = log.fingerprint, duration_ms = log.duration_ms,
        outcome = CASE WHEN log.is_success THEN 'succeeded' WHEN log.is_settled THEN 'failed' ELSE entry.outcome END,
        settled_at = CASE WHEN log.is_settled THEN now() END, why = CASE WHEN log.is_settled THEN '' ELSE entry.why END
    FROM log WHERE entry.id = log.entry
), changed AS (
    SELECT lane.id, log.log_id, log.state FROM log JOIN logs_subscription lane ON lane.id = log.lane
    WHERE lane.holds_when_exhausted AND lane.held_at IS NULL AND log.is_event AND log.state = 'failed'
        OR lane.held_log = log.log_id AND log.state = 'succeeded'
    ORDER BY lane.id FOR NO KEY UPDATE OF lane
), lane AS (
    UPDATE logs_subscription lane SET
        held_at = CASE WHEN changed.state = 'failed' THEN now() END,
        held_log = CASE WHEN changed.state = 'failed' THEN changed.log_id ELSE '' END
    FROM changed WHERE lane.id = changed.id
    RETURNING lane.id, lane.held_at
)
SELECT log.log_id, stored.lane_version, log.is_settled AND lane.held_at IS NULL
FROM log JOIN logs_subscription stored ON stored.id = log.lane LEFT JOIN lane ON lane.id = stored.id
"""
# A log of a run that became stale while it stood in its lane: it is as it was, and the ledger says why.
_LEAVE_OUT = """
WITH told AS (
    SELECT * FROM json_to_recordset(%(left_out)s::json) AS told (log_id text, group_number smallint, epoch bigint, entry bigint)
), lease AS (
    SELECT number, epoch FROM logs_lanegroup WHERE holder = %(holder)s FOR KEY SHARE
), stale AS MATERIALIZED (
    SELECT log.id, told.entry
    FROM told
    JOIN lease ON lease.number = told.group_number AND lease.epoch = told.epoch
    JOIN logs_webhooklog log ON log.id = told.log_id AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL, requested_by_id = NULL,
        state = CASE WHEN log.state IN ('pending', 'retrying') THEN 'failed' ELSE log.state END
    FROM stale WHERE log.id = stale.id
    RETURNING stale.*, log.subscription_id AS lane
), entry AS (
    UPDATE logs_runentry entry SET outcome = 'skipped', why = 'stale', settled_at = now()
    FROM log WHERE entry.id = log.entry AND entry.outcome = 'queued'
)
SELECT log.id, lane.lane_version, true FROM log JOIN logs_subscription lane ON lane.id = log.lane
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the lane needs to know. `is_settled`: it goes on with the next log; else with a retry, or when it is released."""

    lane_version: int
    is_settled: bool


@dataclass(frozen=True, slots=True)
class _Told:
    """An outcome that waits to be written, and who waits for that. None: it was not sent, being stale."""

    delivery: Delivery
    outcome: Outcome | None
    started: float
    recorded: asyncio.Future[Recorded | None]


class Recorder:
    """`await record(…)` comes back once the outcome is committed; `run(connection)` does the work, while a connection lasts.

    It may run on several connections: what they write at a time is of different lanes.
    """

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self._waiting: list[_Told] = []
        self._has_some = asyncio.Event()

    async def record(self, delivery: Delivery, outcome: Outcome | None, started: float) -> Recorded | None:
        """None where it was not written: another worker has taken the lane over. `started`: as `time.monotonic()`.

        `outcome` None: it is left out of its run, since a newer event of its object was received.
        """
        recorded: asyncio.Future[Recorded | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Told(delivery, outcome, started, recorded))
        self._has_some.set()
        return await recorded

    async def run(self, connection: psycopg.AsyncConnection) -> None:
        """Raises psycopg.Error when the connection breaks; what was not written waits for the next one."""
        while True:
            await self._has_some.wait()
            await self.write_waiting(connection)

    async def write_waiting(self, connection: psycopg.AsyncConnection) -> None:
        """Write what has come in until now. Raises psycopg.Error, and nothing is forgotten then."""
        batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if not self._waiting:
            self._has_some.clear()
        try:
            written = await self._write_all(connection, batch)
        except BaseException:
            self._waiting = batch + self._waiting
            self._has_some.set()
            raise
        for told in batch:
            if not told.recorded.done():
                told.recorded.set_result(written.get(told.delivery.log_id))

    async def _write_all(self, connection: psycopg.AsyncConnection, batch: list[_Told]) -> dict[str, Recorded]:
        """An answer that PostgreSQL cannot store must not keep the others from being written, nor its own lane from going on."""
        try:
            return await self._write(connection, batch)
        except psycopg.DataError:
            if len(batch) > 1:
                written = [await self._write_all(connection, [told]) for told in batch]
                return {log_id: recorded for one in written for log_id, recorded in one.items()}
            [told] = batch
            if told.outcome is None:
                raise
            bare = replace(told.outcome, response="", response_headers=[], note="the response cannot be stored")
            return await self._write(connection, [replace(told, outcome=bare)])

    async def _write(self, connection: psycopg.AsyncConnection, batch: list[_Told]) -> dict[str, Recorded]:
        if not batch:
            return {}
        now = time.monotonic()
        outcomes = [_columns(told.delivery, told.outcome, now - told.started) for told in batch if told.outcome]
        left_out = [_place(told.delivery) for told in batch if not told.outcome]
        rows: list[tuple] = []
        if outcomes:
            parameters = {"outcomes": _json(outcomes), "holder": self.holder, "delay": settings.DELIVERY_RETRY_DELAY}
            rows += await (await connection.execute(_RECORD, parameters)).fetchall()
        if left_out:
            parameters = {"left_out": _json(left_out), "holder": self.holder}
            rows += await (await connection.execute(_LEAVE_OUT, parameters)).fetchall()
        return {log_id: Recorded(lane_version, is_settled) for log_id, lane_version, is_settled in rows}


def _json(rows: list[dict[str, object]]) -> str:
    return msgspec.json.encode(rows).decode()


def _place(delivery: Delivery) -> dict[str, object]:
    """Which log, under which lease, and of which run."""
    return {
        "log_id": delivery.log_id,
        "group_number": delivery.group,
        "epoch": delivery.epoch,
        "entry": delivery.entry,
    }


def _columns(delivery: Delivery, outcome: Outcome, age: float) -> dict[str, object]:
    keys = masked_keys()
    # A fingerprint is shown, and secrets are not.
    like = fingerprint(mask_text(outcome.response, keys), outcome.status, outcome.cause) if outcome.cause else ""
    return _place(delivery) | {
        "number": delivery.number,
        "trigger": delivery.trigger,
        "actor": delivery.requested_by_id,
        "age": age,
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
