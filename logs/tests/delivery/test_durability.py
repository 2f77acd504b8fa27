"""Workers as processes that are killed, suspended and cut off. Nothing is lost and the order is kept: the receiver decides."""

import asyncio
import subprocess
import sys
import threading
from textwrap import dedent

import pytest
from django.db import connection, transaction

from logs.delivery.worker import RECORDERS, DeliveryLoop
from logs.models import Attempt, QueueShard, State, Subscription, WebhookLog

from ..factories import make_subscription, make_waiting_log
from ..processes import PATIENCE, PROJECT, environment, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def make_subscriptions(receiver, number: int) -> list[Subscription]:
    return [make_subscription(f"62685990d918fb5557f9{n:04x}", url=f"{receiver.url}/{n}") for n in range(number)]


def all_finished() -> bool:
    return not WebhookLog.objects.queued().exists()


def arrived_in_order(receiver) -> bool:
    """Whether the first arrivals of each queue came in the order of acceptance."""
    place = {
        pk: (subscription_id, sequence)
        for pk, subscription_id, sequence in WebhookLog.objects.values_list("pk", "subscription_id", "sequence")
    }
    first_arrivals = [place[pk] for pk in dict.fromkeys(receiver.ids)]
    return sorted(first_arrivals) == sorted(first_arrivals, key=lambda arrival: arrival[0])


def test_a_log_in_flight_in_a_killed_worker_is_sent_again_with_the_same_id(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.gate = threading.Event()
    killed = start_worker()
    assert receiver.arrived.wait(PATIENCE)
    killed.kill()
    receiver.gate.set()
    start_worker()
    wait_until(all_finished)
    assert receiver.ids == [log.pk, log.pk, behind.pk]
    assert list(Attempt.objects.order_by("id").values_list("log_id", "number")) == [(log.pk, 1), (behind.pk, 1)]


def test_another_worker_retries_after_the_first_was_killed_between_attempts(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.statuses = [500]
    killed = start_worker(DELIVERY_RETRY_DELAY="4")
    wait_until(lambda: Attempt.objects.exists())
    killed.kill()
    start_worker(DELIVERY_RETRY_DELAY="4")
    wait_until(all_finished)
    assert receiver.ids == [log.pk, log.pk, behind.pk]
    assert [(attempt.number, attempt.status) for attempt in log.attempts.all()] == [(1, 500), (2, 200)]


def test_killing_a_worker_with_many_queues_loses_nothing(start_worker, receiver):
    subscriptions = make_subscriptions(receiver, 20)
    logs = [make_waiting_log(subscription, number) for number in range(10) for subscription in subscriptions]
    killed = start_worker()
    wait_until(lambda: len(receiver.requests) >= 30)
    killed.kill()
    start_worker()
    wait_until(all_finished)
    assert set(receiver.ids) == {log.pk for log in logs}
    assert arrived_in_order(receiver)
    assert (
        WebhookLog.objects.filter(state=State.DELIVERED, attempt_count=1).count()
        == len(logs)
        == Attempt.objects.count()
    )


def test_two_workers_share_the_queues_and_send_everything_once(start_worker, receiver):
    subscriptions = make_subscriptions(receiver, 20)
    start_worker(), start_worker()
    wait_until(lambda: _shares() == [8, 8])
    logs = [make_waiting_log(subscription, number) for number in range(10) for subscription in subscriptions]
    wait_until(all_finished)
    assert sorted(receiver.ids) == sorted(log.pk for log in logs)
    assert arrived_in_order(receiver)


def _shares() -> list[int]:
    holders = QueueShard.objects.exclude(holder="").values_list("holder", flat=True)
    return sorted(list(holders).count(holder) for holder in set(holders))


def test_a_stopping_worker_hands_its_queues_over_at_once(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    first, second = start_worker(DELIVERY_LEASE_SECONDS="14"), start_worker(DELIVERY_LEASE_SECONDS="14")
    wait_until(lambda: _shares() == [8, 8])
    assert first.stop() == 0
    wait_until(lambda: _shares() == [16])
    log = make_waiting_log(subscription)
    wait_until(all_finished)
    assert receiver.ids == [log.pk]
    assert second.stop() == 0
    assert _shares() == []


def test_a_suspended_worker_overwrites_nothing_of_its_successor(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.gate = threading.Event()
    paused = start_worker()
    assert receiver.arrived.wait(PATIENCE)
    paused.pause()
    receiver.gate.set()
    start_worker()
    wait_until(all_finished)
    paused.resume()
    paused.read_until("queue shards")  # it has noticed, and has its share again
    assert receiver.ids == [log.pk, log.pk, behind.pk]
    assert list(Attempt.objects.order_by("id").values_list("log_id", "number")) == [(log.pk, 1), (behind.pk, 1)]


def test_a_worker_continues_after_its_database_connections_were_ended(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    worker = start_worker()
    first = make_waiting_log(subscription, 0)
    wait_until(all_finished)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [f"cotadmin worker {worker.process.pid}"],
        )
        assert len(cursor.fetchall()) == 4 + RECORDERS
    second = make_waiting_log(subscription, 1)
    wait_until(all_finished)
    assert receiver.ids == [first.pk, second.pk]


def test_an_outcome_is_written_once_the_database_is_back(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log = make_waiting_log(subscription, 0)
    receiver.gate = threading.Event()
    worker = start_worker()
    assert receiver.arrived.wait(PATIENCE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [f"cotadmin worker {worker.process.pid}"],
        )
    receiver.gate.set()
    wait_until(all_finished)
    assert receiver.ids == [log.pk]


def test_at_sigterm_requests_in_flight_finish_and_no_others_begin(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.gate = threading.Event()
    worker = start_worker()
    assert receiver.arrived.wait(PATIENCE)
    worker.process.terminate()
    worker.read_until("stopping")
    receiver.gate.set()
    assert worker.process.wait(PATIENCE) == 0
    assert receiver.ids == [log.pk]
    assert list(WebhookLog.objects.order_by("sequence").values_list("pk", "state")) == [
        (log.pk, State.DELIVERED),
        (behind.pk, State.PENDING),
    ]


def test_sigterm_does_not_wait_for_a_receiver_that_hangs_for_an_hour(start_worker, receiver):
    [subscription] = make_subscriptions(receiver, 1)
    log = make_waiting_log(subscription)
    receiver.gate = threading.Event()
    worker = start_worker(DELIVERY_TIMEOUT="3600", DELIVERY_DRAIN="1")
    assert receiver.arrived.wait(PATIENCE)
    assert worker.stop() == 0
    log.refresh_from_db()
    assert (log.state, log.is_queued, log.attempts.count()) == (State.PENDING, True, 0)


def test_a_receiver_that_hangs_blocks_only_its_own_queue(start_worker, receiver):
    hanging, subscription = make_subscriptions(receiver, 2)
    receiver.hanging = f"{receiver.path}/0"
    stuck = make_waiting_log(hanging, 0)
    Subscription.objects.filter(pk=hanging.pk).update(timeout=1)
    start_worker(DELIVERY_MAX_ATTEMPTS="3")
    logs = [make_waiting_log(subscription, number) for number in range(1, 6)]
    wait_until(all_finished)
    assert [pk for pk in receiver.ids if pk != stuck.pk] == [log.pk for log in logs]
    stuck.refresh_from_db()
    assert (stuck.state, stuck.cause, stuck.response) == (State.FAILED, "timeout", "timeout of 1000ms exceeded")


def test_a_worker_keeps_its_queues_while_their_logs_are_locked(start_worker, receiver):
    """Nothing that the delivery loop waits for delays the heartbeat."""
    [subscription] = make_subscriptions(receiver, 1)
    log = make_waiting_log(subscription)

    def is_true(query: str) -> bool:
        cursor.execute(query)
        return cursor.fetchone()[0]

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE logs_payload IN ACCESS EXCLUSIVE MODE")
        start_worker()
        wait_until(somebody_waits_for_a_lock)
        end = QueueShard.objects.latest("expires_at").expires_at.isoformat()
        wait_until(lambda: is_true(f"SELECT clock_timestamp() > '{end}'"))
        assert is_true("SELECT every(expires_at > clock_timestamp() AND epoch = 1) FROM logs_queueshard")
        assert receiver.ids == []
    wait_until(all_finished)
    assert receiver.ids == [log.pk]


def test_a_worker_with_a_wrong_clock_uses_the_time_of_the_database(receiver):
    [subscription] = make_subscriptions(receiver, 1)
    subscription.secret = "whsec_" + "A" * 32
    subscription.save()
    log = make_waiting_log(subscription)
    receiver.statuses = [500]
    program = dedent("""
        import runpy, sys, time, datetime
        real, day = time.time, 86400
        time.time = lambda: real() + day
        class Shifted(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return super().now(tz) + datetime.timedelta(seconds=day)
        datetime.datetime = Shifted
        sys.argv = ["manage.py", "run_worker"]
        runpy.run_path("manage.py", run_name="__main__")
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        wait_until(all_finished)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM now())")
        [now] = cursor.fetchone()
    stamps = [int(received.headers["webhook-timestamp"]) for received in receiver.requests]
    assert len(stamps) == 2 and all(abs(stamp - float(now)) < 120 for stamp in stamps)
    assert all(abs(attempt.started_at.timestamp() - float(now)) < 120 for attempt in log.attempts.all())


def test_log_lines_contain_no_payload_values(start_worker, receiver):
    receiver.status = 500
    receiver.body = b'{"echo":"Equipment sector 1"}'
    [subscription] = make_subscriptions(receiver, 1)
    Subscription.objects.update(url=f"{receiver.url}?token=geheim")
    log = make_waiting_log(subscription)
    worker = start_worker()
    wait_until(all_finished)
    worker.stop()
    assert log.pk in worker.output and subscription.pk in worker.output
    assert "Equipment" not in worker.output and "geheim" not in worker.output and "127.0.0.1" not in worker.output


def test_a_stopping_worker_waits_for_the_timeout_of_the_subscription(receiver, monkeypatch):
    monkeypatch.setattr("logs.delivery.worker.SHUTDOWN_SECONDS", 0.1)
    [subscription] = make_subscriptions(receiver, 1)
    Subscription.objects.update(timeout=60)
    log = make_waiting_log(subscription, 0)
    receiver.gate = threading.Event()

    async def run() -> bool:
        deliveries = DeliveryLoop()
        running = asyncio.create_task(deliveries.run())
        assert await asyncio.to_thread(receiver.arrived.wait, PATIENCE)
        deliveries.stop()
        given_up, _ = await asyncio.wait([running], timeout=1)
        receiver.gate.set()
        await running
        return bool(given_up)

    assert not asyncio.run(run())
    assert [attempt.status for attempt in log.attempts.all()] == [200]
