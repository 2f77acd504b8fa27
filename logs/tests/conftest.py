"""Fixtures of the tests: people in their roles, a subscription, receivers, workers, a web server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.db.models import QuerySet
from django.utils import timezone, translation

from logs.db.payload_partitions import existing_months, month_start, partition_name
from logs.delivery.worker import DeliveryLoop
from logs.models import BulkRedelivery, BulkRedeliveryState, Subscription, WebhookLog
from logs.redelivery.dispatcher import dispatch

from .factories import make_company, make_subscription
from .processes import Worker
from .raw_server import OK, RawServer
from .receiver import Receiver
from .web_server import WebServer

# The duration of an example depends on the machine more than on the code.
hypothesis.settings.register_profile("cotadmin", deadline=None)
hypothesis.settings.load_profile("cotadmin")


def pytest_collection_finish() -> None:
    """As a worker and a web server do when they start: thousands of tests are not garbage, so looking at them takes time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


@pytest.fixture
def member(django_user_model) -> Callable:
    """`member("Operator")`: a user with that role who belongs to the sample's company."""

    def make(role: str, company=None):
        user = django_user_model.objects.create_user(f"{role.lower()}-{django_user_model.objects.count()}")
        user.groups.add(Group.objects.get(name=role))
        (company or make_company()).users.add(user)
        return user

    return make


@pytest.fixture
def viewer(client, member):
    """Signed in."""
    return _sign_in(client, member("Viewer"))


@pytest.fixture
def operator(client, member):
    """Signed in."""
    return _sign_in(client, member("Operator"))


@pytest.fixture
def administrator(client, member):
    """Signed in."""
    return _sign_in(client, member("Administrator"))


def _sign_in(client, user):
    client.force_login(user)
    return user


@pytest.fixture
def subscription(db) -> Subscription:
    """The sample's."""
    return make_subscription()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    """A second receiver, of another team."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def raw_server(request: pytest.FixtureRequest) -> Iterator[RawServer]:
    """An indirect parameter is its answer."""
    server = RawServer(getattr(request, "param", OK))
    yield server
    server.close()


@pytest.fixture
def start_worker(transactional_db) -> Iterator[Callable[..., Worker]]:
    """`start_worker(DELIVERY_TIMEOUT="1")`: a process with this in its environment. It returns after the output has `until`."""
    workers: list[Worker] = []

    def start(command: list[str] | None = None, until: str = "queue shards", **environment: str) -> Worker:
        workers.append(Worker(command=command, **environment))
        if until:
            workers[-1].read_until(until)
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


@pytest.fixture
def serve(transactional_db) -> Iterator[Callable[..., WebServer]]:
    """`serve(workers=1, CLIENT_TIMEOUT="1")`: a web server with this in its environment."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> WebServer:
            server = WebServer(**options)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(autouse=True)
def no_months_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test with real transactions leaves the partitions that it created: Django does not drop them."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction")):
        with request.getfixturevalue("django_db_blocker").unblock(), connection.cursor() as cursor:
            for month in existing_months():
                if month < month_start(timezone.now()):
                    cursor.execute(f"DROP TABLE {partition_name(month)}")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """A request in Spanish leaves its language to the thread, and so to the next test."""
    with translation.override("en"):
        yield


@pytest.fixture
def deliver(transactional_db) -> Callable[..., None]:
    """`deliver()`: run a worker's delivery loop until nothing is queued, or until the given query finds some logs."""

    async def run(until: QuerySet | None) -> None:
        deliveries = DeliveryLoop()
        running = asyncio.create_task(deliveries.run())
        while not running.done():
            if until is not None:
                is_done = await until.aexists()
            else:
                is_done = not deliveries.running and not await WebhookLog.objects.queued().aexists()
            if is_done:
                deliveries.stop()
            await asyncio.sleep(0.01)
        running.result()
        await sync_to_async(connections.close_all)()  # that of the thread in which the queries ran

    return lambda until=None: asyncio.run(run(until))


@pytest.fixture
def deliver_bulk(transactional_db) -> Callable[..., BulkRedelivery]:
    """`deliver_bulk(bulk)`: run a worker's delivery loop, and dispatch bulk redeliveries, until this one no longer runs."""

    async def move_on(bulk: BulkRedelivery) -> None:
        deliveries = DeliveryLoop()
        running = asyncio.create_task(deliveries.run())
        while not running.done():
            await asyncio.to_thread(_dispatch_and_close)
            await bulk.arefresh_from_db()
            if bulk.state != BulkRedeliveryState.RUNNING and not deliveries.running:
                deliveries.stop()
            await asyncio.sleep(0.01)
        running.result()
        await sync_to_async(connections.close_all)()

    def deliver_bulk(bulk: BulkRedelivery) -> BulkRedelivery:
        asyncio.run(move_on(bulk))
        bulk.refresh_from_db()
        return bulk

    return deliver_bulk


def _dispatch_and_close() -> None:
    dispatch()
    connections.close_all()
