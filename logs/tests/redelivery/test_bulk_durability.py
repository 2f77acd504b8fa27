"""Runs, sent by workers as processes that are killed, and steered while they send: judged by the receiver's ledger."""

import threading
from collections.abc import Callable, Iterator
from itertools import groupby

import pytest

from logs.models import BulkRedeliveryState, ItemOutcome, RolloutPolicy, Run, State, Subscription, WebhookLog
from logs.redelivery.controls import stop_bulk

from ..bulk_redeliveries import numbers, plan_logs, start_run
from ..factories import import_logs, log_document, make_company, make_subscription, make_waiting_log
from ..processes import Worker, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
LANES = 6
EACH = 40


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(**more: str) -> Worker:
        workers.append(Worker(**more))
        workers[-1].read_until("queue shards")
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


@pytest.fixture
def operator(member):
    return member("Operator")


def make_failed_logs(receiver, company=None, first: int = 0) -> list[WebhookLog]:
    """EACH failed logs in each of LANES lanes, and as many again that no run asks for."""
    lanes = [
        make_subscription(f"62685990d918fb5557f9{n:04x}", url=f"{receiver.url}/{n}", company=company)
        for n in range(first, first + LANES)
    ]
    documents = [
        log_document(
            number * LANES + n + first * 1000, {"data": {"_id": f"{first + n:012x}{number:012x}"}}, subscription=lane.pk
        )
        for number in range(2 * EACH)
        for n, lane in enumerate(lanes)
    ]
    import_logs(*documents)
    logs = WebhookLog.objects.filter(subscription__in=lanes).order_by("created_at", "id")
    return list(logs[: EACH * LANES])


def finished(run: Run) -> bool:
    run.refresh_from_db()
    return run.state == BulkRedeliveryState.FINISHED


def first_arrivals_by_lane(receiver) -> dict[str, list[str]]:
    lane_of = dict(WebhookLog.objects.values_list("pk", "subscription_id"))
    arrivals = sorted(dict.fromkeys(receiver.ids), key=lambda pk: lane_of[pk])  # sorted() keeps the order within a lane
    return {lane: list(those) for lane, those in groupby(arrivals, key=lambda pk: lane_of[pk])}


def test_after_crashes_exactly_the_planned_logs_have_arrived_each_at_least_once(start_worker, operator, receiver):
    planned = make_failed_logs(receiver)
    run = start_run(operator, planned, canary=RolloutPolicy.STEPS)
    for arrived in (20, 90):
        killed = start_worker()
        wait_until(lambda arrived=arrived: len(receiver.ledger) >= arrived)
        killed.kill()
    start_worker()
    wait_until(lambda: finished(run))
    assert set(receiver.ids) == {log.pk for log in planned}
    expected: dict[str, list[str]] = {}
    for log in planned:
        expected.setdefault(log.subscription_id, []).append(log.pk)
    assert first_arrivals_by_lane(receiver) == expected
    assert numbers(run) == {ItemOutcome.SUCCEEDED: len(planned)}
    assert WebhookLog.objects.filter(state=State.SUCCEEDED).count() == len(planned)


def test_the_stop_button_works_while_several_workers_send(start_worker, operator, receiver):
    planned = make_failed_logs(receiver)
    workers = [start_worker(), start_worker()]
    sent_at_stop: list[int] = []
    turn = threading.Lock()

    def stop_at_forty() -> None:
        with turn:
            if len(receiver.ledger) >= 40 and not sent_at_stop:
                assert stop_bulk(run, by=operator)
                sent_at_stop.append(len(receiver.ledger))

    receiver.when_it_arrives = stop_at_forty
    run = start_run(operator, planned)
    wait_until(lambda: bool(sent_at_stop))
    assert [worker.stop() for worker in workers] == [0, 0]  # and what was in flight is on record
    # One log of each lane may have been in flight, or have been read between a commit and the next request (docs/adr/0010).
    assert len(receiver.ledger) <= sent_at_stop[0] + 2 * LANES
    found = numbers(run)
    assert found[ItemOutcome.SUCCEEDED] == len(set(receiver.ids)) < len(planned)
    assert found[ItemOutcome.SUCCEEDED] + found[ItemOutcome.SKIPPED] == len(planned)
    assert not WebhookLog.objects.due().exists()


def test_two_companies_have_runs_side_by_side_that_never_mix(start_worker, operator, member, receiver):
    other_company = make_company("625be93a286ef83c1c0e0000", "Other")
    other = member("Operator", other_company)
    ours, theirs = make_failed_logs(receiver), make_failed_logs(receiver, other_company, first=100)
    mixed = plan_logs(operator, ours + theirs)
    assert {entry.log_id for entry in mixed.entries.all()} == {log.pk for log in ours}
    runs = [start_run(operator, ours), start_run(other, theirs)]
    start_worker(), start_worker()
    wait_until(lambda: all(finished(run) for run in runs))
    assert sorted(set(receiver.ids)) == sorted(log.pk for log in ours + theirs)
    for run, user, stranger in ((runs[0], operator, other), (runs[1], other, operator)):
        assert list(Run.objects.started().visible_to(user)) == [run]
        assert run not in Run.objects.visible_to(stranger)
        lanes = Subscription.objects.visible_to(user)
        assert set(run.entries.values_list("subscription", flat=True)) <= set(lanes.values_list("pk", flat=True))


def test_new_events_go_out_beside_a_run(start_worker, operator, receiver):
    """They do not wait for its end. That they take turns, log by log, is told in test_runs.py."""
    planned = make_failed_logs(receiver)
    lane = planned[0].subscription
    run = start_run(operator, planned)
    sent: list[str] = []
    turn = threading.Lock()

    def an_event_comes_in() -> None:
        with turn:
            if len(sent) < 5 and len(receiver.ledger) >= 10 * (1 + len(sent)):
                sent.append(make_waiting_log(lane, 5000 + len(sent)).pk)

    receiver.when_it_arrives = an_event_comes_in
    start_worker()
    wait_until(lambda: finished(run) and not WebhookLog.objects.due().exists())
    in_lane = [received.headers["webhook-id"] for received in receiver.ledger if received.path == "/hook/0"]
    assert set(sent) <= set(receiver.ids)
    last_of_run = max(in_lane.index(log.pk) for log in planned if log.subscription_id == lane.pk)
    assert in_lane.index(sent[0]) < last_of_run
