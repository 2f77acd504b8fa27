"""The memory that a worker uses for payloads: little, even for payloads that are stored highly compressed."""

import asyncio
import json
import subprocess
import threading
from contextlib import AsyncExitStack, suppress

import pytest

from logs.delivery import claim as claiming
from logs.delivery import database
from logs.delivery.claim import Delivery
from logs.delivery.leases import Leases
from logs.delivery.memory_budget import ByteBudget
from logs.models import Payload, Subscription, WebhookLog

from ..factories import make_subscription, make_waiting_log
from ..processes import Worker, wait_until

KIB = 1024


def make_queue_of(receiver_url: str, number: int, sizes: list[int]) -> list[str]:
    """The payloads of a queue's logs: so many bytes each. PostgreSQL compresses large ones to a hundredth."""
    subscription = make_subscription(f"62685990d918fb5557f9{number:04x}", url=receiver_url)
    events = [json.dumps({"data": {"_id": f"{n:024x}", "text": "x" * size}}) for n, size in enumerate(sizes)]
    for n, event in enumerate(events):
        log = make_waiting_log(subscription, 100 * number + n)
        Payload.objects.filter(pk=log.pk).update(event=event)
    return events


def claim(small_bytes: int) -> list[list[Delivery]]:
    """The deliveries that a worker reads, by queue."""

    async def read() -> list[list[Delivery]]:
        async with AsyncExitStack() as stack:
            connection = await database.connect(stack)
            leases = Leases("test")
            with database.connected() as beating:
                leases.register(beating)
                leases.renew(beating, lambda: set())
            claimed = await claiming.claim(connection, leases, busy=[], limit=100, small_bytes=small_bytes)
            return [claimed[subscription_id] for subscription_id in sorted(claimed)]

    return asyncio.run(read())


@pytest.mark.django_db(transaction=True)
def test_small_payloads_are_read_with_their_logs_and_large_ones_are_not():
    make_queue_of("http://127.0.0.1:9/", 0, [10] * 25)
    make_queue_of("http://127.0.0.1:9/", 1, [900 * KIB] * 3)
    make_queue_of("http://127.0.0.1:9/", 2, [10, 10, 900 * KIB, 10])
    make_queue_of("http://127.0.0.1:9/", 3, [40 * KIB] * 3)
    small, large, mixed, medium = claim(small_bytes=1024 * KIB)
    assert [delivery.payload is not None for delivery in small] == [True] * claiming.PREFETCH
    assert [(delivery.payload, delivery.size > 900 * KIB) for delivery in large] == [(None, True)]
    assert [delivery.payload is not None for delivery in mixed] == [True, True]
    assert [delivery.payload is not None for delivery in medium] == [True]


@pytest.mark.django_db(transaction=True)
def test_the_payloads_of_all_queues_together_have_a_limit():
    for number in range(4):
        make_queue_of("http://127.0.0.1:9/", number, [10 * KIB] * 5)
    claimed = claim(small_bytes=64 * KIB)
    assert sum(len(delivery.payload or b"") for deliveries in claimed for delivery in deliveries) <= 64 * KIB
    assert [deliveries[0].number for deliveries in claimed] == [1] * 4


@pytest.mark.django_db(transaction=True)
def test_payloads_of_every_size_arrive_unchanged_and_in_order(receiver, deliver, settings):
    settings.DELIVERY_MEMORY = 256 * KIB
    sizes = [10, 900 * KIB, 20, 20, 100 * KIB, 70 * KIB, 10]
    events = {f"/{number}": make_queue_of(f"{receiver.url}/{number}", number, sizes) for number in range(3)}
    deliver()
    for path, expected in events.items():
        arrived = [received.body.decode() for received in receiver.requests if received.path == f"/hook{path}"]
        assert arrived == expected


@pytest.mark.django_db(transaction=True)
def test_an_event_larger_than_all_the_memory_is_sent_alone(receiver, deliver, settings):
    settings.DELIVERY_MEMORY = 64 * KIB
    for number in range(4):
        make_queue_of(receiver.url, number, [200 * KIB] * 2)
    in_flight, most, lock = [0], [0], threading.Lock()

    def note() -> None:
        with lock:
            in_flight[0] += 1
            most[0] = max(most[0], in_flight[0])
        WebhookLog.objects.count()  # gives another request the time to arrive
        with lock:
            in_flight[0] -= 1

    receiver.on_arrival = note
    deliver()
    assert (len(receiver.ids), most[0]) == (8, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_uses_little_memory_for_many_queues_of_large_events(receiver):
    """108 MiB of events, stored in 1 MiB. The worker may keep 8 MiB of what it sends."""
    for number in range(20):
        make_queue_of(f"{receiver.url}/{number}", number, [0] * 6)
    Subscription.objects.update(is_active=False)
    Payload.objects.update(event=json.dumps({"data": {"text": "x" * 900 * KIB}}))
    receiver.gate = threading.Event()
    worker = Worker(DELIVERY_MEMORY="8")
    try:
        worker.read_until("queue shards")
        before = memory_of(worker)
        Subscription.objects.update(is_active=True)
        wait_until(lambda: len(receiver.ids) >= 6)  # three quarters of the limit hold no more of them
        assert memory_of(worker) - before < 48 * 1024 * KIB
    finally:
        receiver.gate.set()
        worker.kill()


def memory_of(worker: Worker) -> int:
    """Bytes."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(worker.process.pid)], capture_output=True, check=True)
    return int(done.stdout) * KIB


def test_bytes_are_granted_in_turn_and_returned_after_a_cancellation():
    async def run() -> list[str]:
        budget, order = ByteBudget(100), []
        go_on = asyncio.Event()

        async def take(name: str, size: int) -> None:
            async with budget.hold(size):
                order.append(name)
                await go_on.wait()

        first, large, given_up, small = (
            asyncio.create_task(take(name, size))
            for name, size in [("first", 60), ("large", 1000), ("given up", 10), ("small", 10)]
        )
        await asyncio.sleep(0)
        given_up.cancel()
        first.cancel()
        with suppress(asyncio.CancelledError):
            await given_up
        await asyncio.sleep(0)
        assert order == ["first", "large"]  # the small one waits behind the one that needs all
        go_on.set()
        await asyncio.gather(large, small)
        assert budget._free == budget._total == 75
        return order

    assert asyncio.run(run()) == ["first", "large", "small"]
