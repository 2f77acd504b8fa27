"""The worker as a process: it finishes what it has begun, nothing is lost when it is killed, and a second one stands by."""

import threading

import pytest
from django.db import connection

from logs.models import State

from .factories import make_log, make_subscription
from .processes import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start():
    workers: list[Worker] = []

    def start_worker(**environment: str) -> Worker:
        workers.append(Worker(**environment))
        return workers[-1]

    yield start_worker
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


def queue(log) -> None:
    assert log.redeliver(by=None, after_try=log.retry)


def test_it_sends_what_is_asked_for_while_it_runs_and_stops_on_sigterm(start, receiver):
    make_subscription(url=receiver.url)
    log = make_log()
    worker = start()
    worker.read_until("delivering")
    queue(log)
    worker.read_until(f"log {log.pk} subscription")
    assert worker.stop() == 0
    log.refresh_from_db()
    assert log.state == State.SUCCEEDED
    assert len(receiver.ledger) == 1


def test_what_is_in_flight_at_sigterm_is_finished_and_recorded(start, receiver):
    receiver.gate = threading.Event()
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log)
    worker = start()
    assert receiver.arrived.wait(20)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    receiver.gate.set()
    stopping.join()
    assert worker.process.returncode == 0
    log.refresh_from_db()
    assert (log.state, log.retry) == (State.SUCCEEDED, 4)


def test_what_was_in_flight_when_it_was_killed_is_sent_again_with_the_same_id(start, receiver):
    receiver.gate = threading.Event()
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log)
    killed = start()
    assert receiver.arrived.wait(20)
    killed.kill()
    receiver.gate.set()
    following = start()
    following.read_until(f"log {log.pk} subscription")
    assert following.stop() == 0
    assert [received.headers["webhook-id"] for received in receiver.ledger] == [log.pk, log.pk]
    log.refresh_from_db()
    assert (log.state, log.attempts.filter(trigger="manual").count()) == (State.SUCCEEDED, 1)


def test_of_two_workers_one_delivers_and_the_other_takes_over(start, receiver):
    make_subscription(url=receiver.url)
    logs = [make_log(number) for number in range(4)]
    first, second = start(), start()
    first.read_until("delivering")
    for log in logs[:2]:
        queue(log)
    first.read_until(f"log {logs[1].pk} subscription")
    first.kill()
    for log in logs[2:]:
        queue(log)
    second.read_until(f"log {logs[3].pk} subscription")
    assert second.stop() == 0
    assert [received.headers["webhook-id"] for received in receiver.ledger] == [log.pk for log in logs]


def test_it_goes_on_after_its_database_connections_were_cut(start, receiver):
    make_subscription(url=receiver.url)
    log = make_log()
    worker = start()
    worker.read_until("delivering")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    worker.read_until("delivering")
    queue(log)
    worker.read_until(f"log {log.pk} subscription")
    assert worker.stop() == 0
    assert len(receiver.ledger) == 1


def test_no_payload_value_gets_into_its_log_lines(start, receiver):
    receiver.status = 500
    receiver.body = b'{"echo":"Equipment sector 1"}'
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log)
    worker = start()
    worker.read_until(f"log {log.pk} subscription")
    worker.stop()
    assert "Equipment" not in worker.output
