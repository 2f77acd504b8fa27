"""Recording outcomes in situations that a test receiver cannot cause."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from django.db import transaction

from logs.delivery import claim, database
from logs.delivery.http_client import SendOutcome
from logs.delivery.leases import Leases
from logs.delivery.outcome_writer import OutcomeWriter, RecordResult
from logs.models import Attempt, State, WebhookLog

from ..factories import make_subscription, make_waiting_log
from ..processes import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_outcome_that_postgresql_refuses_blocks_no_other():
    bad = make_waiting_log(make_subscription(), 0)
    good = make_waiting_log(make_subscription("62685990d918fb5557f90001"), 1)

    recorded = asyncio.run(_record_all(lambda log: SendOutcome(200, "a\0b" if log == bad.pk else "ab", "", 1)))
    assert [result.is_finished for result in recorded] == [True, True]
    for log, response in ((bad, ""), (good, "ab")):
        log.refresh_from_db()
        assert (log.state, log.status, log.response) == (State.DELIVERED, 200, response)
    assert Attempt.objects.get(log=bad).note == "the response could not be stored"


def test_outcomes_of_one_batch_are_locked_in_the_order_of_their_logs():
    """Stopping a bulk redelivery locks in the same order: who has the first log gets the others. So there is no deadlock."""
    logs = [make_waiting_log(make_subscription(f"62685990d918fb5557f9000{9 - n}"), n) for n in (2, 1, 0)]
    first = min(logs, key=lambda log: log.pk)
    recording = threading.Thread(target=lambda: asyncio.run(_record_all(lambda _log: SendOutcome(200, "ok", "", 1))))
    with transaction.atomic():
        WebhookLog.objects.select_for_update().get(pk=first.pk)
        recording.start()
        wait_until(somebody_waits_for_a_lock)
        assert len(WebhookLog.objects.select_for_update(nowait=True)) == 3
    recording.join()
    assert WebhookLog.objects.filter(state=State.DELIVERED).count() == 3


async def _record_all(outcome_of: Callable[[str], SendOutcome]) -> list[RecordResult | None]:
    """Record outcomes of all queued logs at the same time."""
    async with AsyncExitStack() as stack:
        connection = await database.connect(stack)
        leases = Leases("test")
        with database.connected() as beating:
            leases.register(beating)
            leases.renew(beating, lambda: set())
        claimed = await claim.claim(connection, leases, busy=[], limit=10, small_bytes=10**6)
        recorder = OutcomeWriter("test")
        outcomes = [
            recorder.record(delivery, outcome_of(delivery.log_id), started=asyncio.get_running_loop().time())
            for [delivery] in claimed.values()
        ]
        waiting = asyncio.gather(*outcomes)
        await asyncio.sleep(0)
        await recorder.write_waiting(connection)
        return await waiting
