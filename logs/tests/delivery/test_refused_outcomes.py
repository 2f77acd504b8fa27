"""Outcomes that PostgreSQL refuses: worker processes still record the others."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.urls import reverse

from logs.models import Attempt, AttemptTrigger, RedeliveryOverride, State, WebhookLog, Worker

from ..factories import make_subscription, make_waiting_log
from ..processes import PATIENCE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "62685990d918fb5557f90001"


def nothing_queued() -> bool:
    return not WebhookLog.objects.queued().exists()


def run_sql(statement: str, parameters=()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.fixture
def refuses() -> Iterator[Callable[[str], None]]:
    """`refuses("NEW.status = 418")`: the database refuses attempts for which that is true."""

    def refuse(condition: str) -> None:
        run_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'the answer was Equipment sector 1'; END$$"
        )
        run_sql(
            f"CREATE TRIGGER refuse BEFORE INSERT ON logs_attempt FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"
        )

    yield refuse
    run_sql("DROP FUNCTION IF EXISTS refuse CASCADE")


def test_deleting_a_user_whose_redelivery_is_in_flight_stops_no_queue(admin_client, start_worker, receiver):
    subscription, other = make_subscription(url=receiver.url), make_subscription(OTHER, url=receiver.url)
    person = User.objects.create_user("ana")
    log = make_waiting_log(subscription, 0, trigger=AttemptTrigger.MANUAL, requested_by=person)
    receiver.gate = threading.Event()
    start_worker()
    assert receiver.arrived.wait(PATIENCE)
    page = reverse("admin:auth_user_delete", args=[person.pk])
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=person.pk).exists()
    behind, elsewhere = make_waiting_log(subscription, 1), make_waiting_log(other, 2)
    receiver.gate.set()
    wait_until(nothing_queued)
    assert sorted(receiver.ids) == sorted([log.pk, behind.pk, elsewhere.pk])
    attempts = Attempt.objects.filter(log=log).values_list("number", "status", "actor", "trigger")
    assert list(attempts) == [(1, 200, None, "manual")]


def test_an_attempt_whose_number_is_taken_gets_the_next_one_that_is_free(start_worker, receiver):
    subscription, other = make_subscription(url=receiver.url), make_subscription(OTHER, url=receiver.url)
    log = make_waiting_log(subscription, 0)
    for number in (1, 4):
        Attempt.objects.create(log=log, number=number, trigger="cotalker", started_at=log.created_at, status=500)
    behind, elsewhere = make_waiting_log(subscription, 1), make_waiting_log(other, 2)
    start_worker()
    wait_until(nothing_queued)
    assert sorted(receiver.ids) == sorted([log.pk, behind.pk, elsewhere.pk])
    assert list(log.attempts.values_list("number", "status")) == [(1, 500), (4, 500), (5, 200)]
    log.refresh_from_db()
    assert (log.state, log.attempt_count) == (State.DELIVERED, 5)


def test_an_override_keeps_its_attempt_when_its_number_is_taken(receiver, deliver):
    log = make_waiting_log(make_subscription(url=receiver.url), 0, trigger=AttemptTrigger.OVERRIDE, attempts_left=1)
    RedeliveryOverride.objects.create(log=log, number=1, url=receiver.url + "/elsewhere", reason="a trial")
    Attempt.objects.create(log=log, number=1, trigger="cotalker", started_at=log.created_at, status=500)
    deliver()
    assert RedeliveryOverride.objects.get().number == log.attempts.get(trigger="override").number == 2
    log.refresh_from_db()
    assert (log.state, log.attempt_count) == (State.PENDING, 2)


def test_an_outcome_that_cannot_be_recorded_pauses_only_its_queue(admin_client, start_worker, receiver, refuses):
    subscription, other = make_subscription(url=receiver.url), make_subscription(OTHER, url=receiver.url)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    refuses(f"NEW.log_id = '{log.pk}'")
    worker = start_worker()
    wait_until(lambda: type(subscription).objects.filter(pk=subscription.pk, blocking_log=log.pk).exists())
    elsewhere = make_waiting_log(other, 2)
    wait_until(lambda: not WebhookLog.objects.queued().filter(pk=elsewhere.pk).exists())
    assert receiver.ids == [log.pk, elsewhere.pk]

    for page in (subscription.get_absolute_url(), reverse("logs:queue_index")):
        shown = admin_client.get(page).content.decode()
        assert "The database rejected the outcome of an attempt (RaiseException P0001)" in shown
        assert "Paused" in shown and "Equipment" not in shown
    assert "could not be saved" in admin_client.get(reverse("logs:overview")).content.decode()
    assert "The queue is paused" in admin_client.get(log.get_absolute_url()).content.decode()

    run_sql("DROP FUNCTION refuse CASCADE")
    admin_client.post(reverse("logs:queue_resume", args=[subscription.pk]))
    wait_until(nothing_queued)
    assert receiver.ids == [log.pk, elsewhere.pk, log.pk, behind.pk]
    assert list(log.attempts.values_list("number", "status")) == [(1, 200)]
    worker.stop()
    assert "queue paused" in worker.output and "Equipment" not in worker.output


def test_a_paused_queue_continues_after_its_event_is_skipped(receiver, deliver, refuses):
    subscription = make_subscription(url=receiver.url)
    log, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    refuses(f"NEW.log_id = '{log.pk}'")
    deliver(type(subscription).objects.filter(blocking_log=log.pk))
    log.refresh_from_db()
    assert log.skip(by=None, reason="it has arrived")
    deliver()
    assert receiver.ids == [log.pk, behind.pk]
    subscription.refresh_from_db()
    assert (subscription.paused_at, subscription.blocking_log, subscription.blocking_error) == (None, "", "")


def test_a_locked_log_delays_no_other_queue(start_worker, receiver):
    subscription, other = make_subscription(url=receiver.url), make_subscription(OTHER, url=receiver.url)
    receiver.gate = threading.Event()
    log, free = make_waiting_log(subscription, 0), [make_waiting_log(other, number) for number in (1, 2)]
    start_worker()
    wait_until(lambda: len(receiver.ids) == 2)
    with transaction.atomic():
        WebhookLog.objects.select_for_update().get(pk=log.pk)
        receiver.gate.set()
        wait_until(lambda: not WebhookLog.objects.queued().filter(subscription=other).exists())
        assert not log.attempts.exists()
    wait_until(nothing_queued)
    assert sorted(receiver.ids) == sorted([log.pk, *(waiting.pk for waiting in free)])


def test_a_worker_that_cannot_record_outcomes_gives_its_queues_up_and_says_so(client, settings, start_worker, receiver):
    settings.METRICS_TOKEN = "token"
    log = make_waiting_log(make_subscription(url=receiver.url))
    receiver.gate = threading.Event()
    worker = start_worker()
    assert receiver.arrived.wait(PATIENCE)
    run_sql("ALTER TABLE logs_attempt RENAME TO logs_attempt_away")
    try:
        receiver.gate.set()
        worker.read_until("could not record outcomes")
        stuck = client.get("/readyz").json()["workers"]["cannot_record_seconds"]
        assert stuck >= 5
        metrics = client.get("/metrics", HTTP_AUTHORIZATION="Bearer token").content.decode()
        [line] = [line for line in metrics.splitlines() if line.startswith("cotadmin_worker_cannot_record_seconds{")]
        assert float(line.split()[-1]) >= 5
        wait_until(_leases_have_ended)
    finally:
        run_sql("ALTER TABLE logs_attempt_away RENAME TO logs_attempt")
    wait_until(nothing_queued)
    assert list(log.attempts.values_list("number", "status")) == [(1, 200)]
    wait_until(lambda: Worker.objects.filter(stuck_since=None).exists())
    assert json.loads(client.get("/readyz").content)["workers"]["cannot_record_seconds"] is None


def _leases_have_ended() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM logs_queueshard WHERE expires_at > now()")
        return cursor.fetchone()[0] == 0
