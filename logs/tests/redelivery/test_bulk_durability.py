"""Bulk redeliveries, sent by workers that are killed, and stopped while they send: judged by the requests of the receiver."""

import threading
from itertools import groupby

import pytest

from logs.models import BulkRedelivery, BulkRedeliveryState, ItemOutcome, RolloutPolicy, State, Subscription, WebhookLog
from logs.redelivery.controls import stop_bulk

from ..bulk_redeliveries import outcome_counts, plan_logs, start_redelivery
from ..factories import import_logs, log_document, make_company, make_subscription, make_waiting_log
from ..processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
QUEUES = 6
EACH = 40


def make_failed_logs(receiver, company=None, first: int = 0) -> list[WebhookLog]:
    """EACH failed logs in each of QUEUES queues, and as many more that no bulk redelivery selects."""
    subscriptions = [
        make_subscription(f"62685990d918fb5557f9{n:04x}", url=f"{receiver.url}/{n}", company=company)
        for n in range(first, first + QUEUES)
    ]
    documents = [
        log_document(
            number * QUEUES + n + first * 1000,
            {"data": {"_id": f"{first + n:012x}{number:012x}"}},
            subscription=subscription.pk,
        )
        for number in range(2 * EACH)
        for n, subscription in enumerate(subscriptions)
    ]
    import_logs(*documents)
    logs = WebhookLog.objects.filter(subscription__in=subscriptions).order_by("created_at", "id")
    return list(logs[: EACH * QUEUES])


def finished(bulk: BulkRedelivery) -> bool:
    bulk.refresh_from_db()
    return bulk.state == BulkRedeliveryState.FINISHED


def first_arrivals_by_subscription(receiver) -> dict[str, list[str]]:
    subscription_of = dict(WebhookLog.objects.values_list("pk", "subscription_id"))
    # sorted() keeps the order within a queue.
    arrivals = sorted(dict.fromkeys(receiver.ids), key=lambda pk: subscription_of[pk])
    return {pk: list(ids) for pk, ids in groupby(arrivals, key=lambda log: subscription_of[log])}


def test_every_planned_log_and_no_other_arrives_despite_crashes(start_worker, operator, receiver):
    planned = make_failed_logs(receiver)
    bulk = start_redelivery(operator, planned, rollout=RolloutPolicy.STAGES)
    for arrived in (20, 90):
        killed = start_worker()
        wait_until(lambda arrived=arrived: len(receiver.requests) >= arrived)
        killed.kill()
    start_worker()
    wait_until(lambda: finished(bulk))
    assert set(receiver.ids) == {log.pk for log in planned}
    expected: dict[str, list[str]] = {}
    for log in planned:
        expected.setdefault(log.subscription_id, []).append(log.pk)
    assert first_arrivals_by_subscription(receiver) == expected
    assert outcome_counts(bulk) == {ItemOutcome.DELIVERED: len(planned)}
    assert WebhookLog.objects.filter(state=State.DELIVERED).count() == len(planned)


def test_the_stop_button_works_while_several_workers_send(start_worker, operator, receiver):
    planned = make_failed_logs(receiver)
    workers = [start_worker(), start_worker()]
    sent_at_stop: list[int] = []
    lock = threading.Lock()

    def stop_at_forty() -> None:
        with lock:
            if len(receiver.requests) >= 40 and not sent_at_stop:
                assert stop_bulk(bulk, by=operator)
                sent_at_stop.append(len(receiver.requests))

    receiver.on_arrival = stop_at_forty
    bulk = start_redelivery(operator, planned)
    wait_until(lambda: bool(sent_at_stop))
    assert [worker.stop() for worker in workers] == [0, 0]  # and requests in flight are recorded
    # One log of each queue may have been in flight, or read between a commit and the next request (docs/adr/0010).
    assert len(receiver.requests) <= sent_at_stop[0] + 2 * QUEUES
    counts = outcome_counts(bulk)
    assert counts[ItemOutcome.DELIVERED] == len(set(receiver.ids)) < len(planned)
    assert counts[ItemOutcome.DELIVERED] + counts[ItemOutcome.SKIPPED] == len(planned)
    assert not WebhookLog.objects.queued().exists()


def test_bulk_redeliveries_of_two_companies_run_side_by_side_and_never_mix(start_worker, operator, member, receiver):
    other_company = make_company("625be93a286ef83c1c0e0000", "Other")
    other = member("Operator", other_company)
    ours, theirs = make_failed_logs(receiver), make_failed_logs(receiver, other_company, first=100)
    mixed = plan_logs(operator, ours + theirs)
    assert {item.log_id for item in mixed.items.all()} == {log.pk for log in ours}
    bulks = [start_redelivery(operator, ours), start_redelivery(other, theirs)]
    start_worker(), start_worker()
    wait_until(lambda: all(finished(bulk) for bulk in bulks))
    assert sorted(set(receiver.ids)) == sorted(log.pk for log in ours + theirs)
    for bulk, user, stranger in ((bulks[0], operator, other), (bulks[1], other, operator)):
        assert list(BulkRedelivery.objects.started().visible_to(user)) == [bulk]
        assert bulk not in BulkRedelivery.objects.visible_to(stranger)
        subscriptions = Subscription.objects.visible_to(user)
        assert set(bulk.items.values_list("subscription", flat=True)) <= set(subscriptions.values_list("pk", flat=True))


def test_new_events_are_sent_beside_a_bulk_redelivery(start_worker, operator, receiver):
    """They don't wait for its end. test_bulk_redelivery.py tests that they take turns, log by log."""
    planned = make_failed_logs(receiver)
    subscription = planned[0].subscription
    bulk = start_redelivery(operator, planned)
    sent: list[str] = []
    lock = threading.Lock()

    def accept_event() -> None:
        with lock:
            if len(sent) < 5 and len(receiver.requests) >= 10 * (1 + len(sent)):
                sent.append(make_waiting_log(subscription, 5000 + len(sent)).pk)

    receiver.on_arrival = accept_event
    start_worker()
    wait_until(lambda: finished(bulk) and not WebhookLog.objects.queued().exists())
    in_queue = [received.headers["webhook-id"] for received in receiver.requests if received.path == "/hook/0"]
    assert set(sent) <= set(receiver.ids)
    last_of_bulk = max(in_queue.index(log.pk) for log in planned if log.subscription_id == subscription.pk)
    assert in_queue.index(sent[0]) < last_of_bulk
