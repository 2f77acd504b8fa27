"""Writing outcomes down, in what a receiver cannot be made to do by a test."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from logs.delivery import connecting, lanes
from logs.delivery.leases import Leases
from logs.delivery.recorder import Recorder
from logs.delivery.sender import Outcome
from logs.models import Attempt, State

from .factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_that_postgresql_refuses_keeps_no_other_from_being_written():
    bad = make_waiting_log(make_subscription(), 0)
    good = make_waiting_log(make_subscription("62685990d918fb5557f90001"), 1)

    async def record() -> list:
        async with AsyncExitStack() as stack:
            connection = await connecting.connect(stack)
            leases = Leases("test")
            await leases.register(connection)
            await leases.renew(connection, lambda: set())
            claimed = await lanes.claim(connection, leases, busy=[], limit=10)
            recorder = Recorder("test")
            told = [
                recorder.record(
                    delivery, Outcome(200, "a\0b" if delivery.log_id == bad.pk else "ab", "", 1), time.monotonic()
                )
                for [delivery] in claimed.values()
            ]
            waiting = asyncio.gather(*told)
            await asyncio.sleep(0)
            await recorder.write_waiting(connection)
            return await waiting

    recorded = asyncio.run(record())
    assert [one.is_settled for one in recorded] == [True, True]
    for log, response in ((bad, ""), (good, "ab")):
        log.refresh_from_db()
        assert (log.state, log.status, log.response) == (State.SUCCEEDED, 200, response)
    assert Attempt.objects.get(log=bad).note == "the response cannot be stored"
