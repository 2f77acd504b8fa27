"""The database pages that a worker reads to find what to send: a bounded number, even after many deliveries."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from cotadmin.database import connection_parameters
from logs.delivery import claim, database, pre_send_check, queue_front
from logs.delivery.claim import Delivery
from logs.delivery.leases import SHARD_COUNT
from logs.models import BulkRedeliveryItem, State, Subscription, WebhookLog
from logs.redelivery.dispatcher import dispatch

from ..buffers import buffers_of
from ..bulk_redeliveries import DELIVERED, outcomes, start_redelivery
from ..events import as_bytes, make_event, make_token, post
from ..factories import COMPANY, import_logs, log_document, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "62685990d918fb5557f90001"
OBJECT = "62742b7562f37034d939aaaa"
NEWER = datetime(2023, 1, 1, tzinfo=UTC)


def pages_of_claim(subscription: Subscription) -> tuple[int, int]:
    """The pages that a claim for this queue reads, and the logs that it finds."""
    parameters = {
        "groups": list(range(SHARD_COUNT)),
        "busy": [],
        "woken": [subscription.pk],
        "limit": 100,
        "ahead": claim.PREFETCH,
    }
    parameters |= {"ahead_bytes": 1 << 20, "measured_bytes": 4096, "small_bytes": 1 << 20, "latest": 35.0}
    return buffers_of(claim._CLAIM_WOKEN, parameters)


def pages_of_check(logs: list[str]) -> tuple[int, int]:
    subscription = Subscription.objects.get(logs=logs[0])
    parameters = {"logs": logs, "after": [1] * len(logs), "versions": [subscription.queue_version] * len(logs)}
    return buffers_of(pre_send_check._LOOK, parameters | {"fetched": [False] * len(logs)})


def add_logs(subscription: Subscription, number: int, state: State) -> None:
    """Newer logs of the object, finished."""
    first = WebhookLog.objects.count()
    WebhookLog.objects.bulk_create(
        WebhookLog(
            id=f"{int(NEWER.timestamp()) + n:08x}{n:016x}",
            subscription=subscription,
            company=COMPANY,
            created_at=NEWER + timedelta(seconds=n),
            object_id=OBJECT,
            state=state,
        )
        for n in range(first, first + number)
    )


@pytest.fixture
def no_new_statistics(transactional_db) -> Iterator[None]:
    """PostgreSQL doesn't look at the table of logs by itself in the middle of the test, and then choose other plans."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE logs_webhooklog SET (autovacuum_enabled = off)")
        yield
        cursor.execute("ALTER TABLE logs_webhooklog RESET (autovacuum_enabled)")


@pytest.mark.usefixtures("no_new_statistics")
def test_the_check_for_superseded_costs_the_same_for_an_object_with_many_logs(member):
    subscription, other = make_subscription(), make_subscription(OTHER)
    import_logs(*(log_document(n, {"data": {"_id": OBJECT}}, retry=1) for n in range(claim.PREFETCH)))
    start_redelivery(member("Operator"), WebhookLog.objects.all())
    dispatch()
    queued = list(BulkRedeliveryItem.objects.filter(outcome="queued").order_by("number").values_list("log", flat=True))
    assert len(queued) == claim.PREFETCH
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE logs_webhooklog")
    before = [pages_of_claim(subscription), pages_of_check(queued)]
    add_logs(subscription, 1500, State.FAILED)
    add_logs(other, 1500, State.DELIVERED)
    after = [pages_of_claim(subscription), pages_of_check(queued)]
    for (few, rows), (many, rows_of_many) in zip(before, after, strict=True):
        assert rows == rows_of_many == claim.PREFETCH
        assert many < few + 10 * claim.PREFETCH


@pytest.fixture
def old_snapshot(transactional_db) -> Iterator[None]:
    """An old snapshot, as of a backup: PostgreSQL keeps rows for it that others delete or change."""
    with psycopg.connect(**connection_parameters()) as backup:
        backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT FROM logs_company")
        yield


def accept(token: str, first: int, number: int) -> None:
    """Each with its own request, and so its own transaction."""
    client = Client()
    for n in range(first, first + number):
        assert len(post(client, "/api/v3/events", as_bytes(make_event(n)), token).json()["accepted"]) == 1


def add_delivered(log: WebhookLog, number: int) -> None:
    """As if so many events had been accepted and delivered, one after the other."""
    columns = (
        "subscription_id, company, created_at, attempt_count, state, cause, fingerprint, event_type, action, object_id"
    )
    columns += ", object_name, search, priority, attempts_left, trigger, is_test"
    # In one transaction: autovacuum must not take statistics while all of them are queued.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO logs_webhooklog ({columns}, id, sequence, next_attempt_at) SELECT {columns}, "
            "'62742b75' || lpad(to_hex(n), 16, '0'), nextval('logs_queue_sequence'), now() FROM logs_webhooklog log, "
            "generate_series(1, %s) n WHERE log.id = %s",
            [number, log.pk],
        )
        WebhookLog.objects.exclude(pk=log.pk).update(next_attempt_at=None, state=State.DELIVERED, attempt_count=1)


def test_an_old_snapshot_makes_no_claim_more_expensive(old_snapshot, receiver, deliver, monkeypatch):
    """Compared with a claim that reads all delivered logs. Each runs twice, since the first one tidies the catalog."""
    monkeypatch.setattr(queue_front, "STEP", 1)
    subscription, token = make_subscription(url=receiver.url), make_token()
    accept(token, 0, 1)
    add_delivered(WebhookLog.objects.get(), 20_000)
    accept(token, 1, 20)
    deliver()  # one read may take them all, from the first event on: that is where the queue begins then
    accept(token, 21, 20)
    deliver()
    accept(token, 41, 20)
    pages, logs = min(pages_of_claim(subscription) for _ in range(2))
    Subscription.objects.update(first_sequence=0)
    pages_of_all, logs_of_all = min(pages_of_claim(subscription) for _ in range(2))
    assert logs == logs_of_all == claim.PREFETCH
    assert 10 * pages < pages_of_all


def test_accepting_an_event_writes_no_new_row_version_of_its_queue():
    def version() -> tuple:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ctid::text, xmin::text FROM logs_subscription")
            return cursor.fetchone()

    make_subscription()
    before = version()
    accept(make_token(), 0, 2)
    assert WebhookLog.objects.count() == 2
    assert version() == before


def test_a_bulk_redelivery_takes_turns_with_events_while_the_queue_advances(
    member, receiver, deliver_bulk, monkeypatch
):
    monkeypatch.setattr(queue_front, "STEP", 1)
    subscription = make_subscription(url=receiver.url)
    import_logs(*(log_document(n) for n in range(30)))
    bulk = start_redelivery(member("Operator"), WebhookLog.objects.all())
    waiting = [make_waiting_log(subscription, 100 + n).pk for n in range(60)]
    deliver_bulk(bulk)
    assert set(outcomes(bulk).values()) == {(DELIVERED, "")}
    subscription.refresh_from_db()
    assert subscription.first_sequence >= WebhookLog.objects.get(pk=waiting[1]).sequence
    of_bulk = sorted(outcomes(bulk))
    assert [pk for pk in receiver.ids if pk in of_bulk] == of_bulk
    assert [pk for pk in receiver.ids if pk in waiting] == waiting[: len(receiver.ids) - 30]


def test_the_start_of_a_queue_changed_since_it_was_read_stays(monkeypatch):
    monkeypatch.setattr(queue_front, "STEP", 1)
    subscription = make_subscription()

    def move_on(queue_version: int) -> int:
        read = Delivery(
            "", subscription.pk, 0, 0, queue_version, "", None, 1, "auto", None, (), (), None, 0, sequence=9
        )

        async def update() -> None:
            async with AsyncExitStack() as stack:
                await queue_front.Fronts().move_on(await database.connect(stack), {subscription.pk: [read]})

        asyncio.run(update())
        return Subscription.objects.get(pk=subscription.pk).first_sequence

    subscription.notify_workers()
    assert move_on(queue_version=0) == 0
    assert move_on(queue_version=1) == 9
