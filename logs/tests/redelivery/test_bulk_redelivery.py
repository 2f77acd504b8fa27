"""Bulk redeliveries: many logs redelivered together, sent by a worker, judged by the requests of the receiver."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from logs.models import (
    Attempt,
    BulkRedelivery,
    BulkRedeliveryState,
    PauseReason,
    Payload,
    RolloutPolicy,
    SkipReason,
    State,
    Subscription,
    SupersededPolicy,
    WebhookLog,
)
from logs.redelivery import dispatcher
from logs.redelivery.controls import pause_bulk, resume_bulk, stop_bulk
from logs.redelivery.dispatcher import dispatch
from logs.redelivery.start import start_bulk

from ..bulk_redeliveries import (
    CHOICES,
    DELIVERED,
    EXCLUDED,
    FAILED,
    SKIPPED,
    make_delivered_log,
    make_object_log,
    outcome_counts,
    outcomes,
    plan_logs,
    start_redelivery,
)
from ..factories import OTHER_SUBSCRIPTION, make_company, make_log, make_subscription, make_waiting_log
from ..processes import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"


def make_logs_on(subscription: str, numbers_, **fields):
    return [
        make_log(number, {"data": {"_id": f"{number:024x}"}}, subscription=subscription, **fields)
        for number in numbers_
    ]


def test_only_the_planned_logs_arrive_and_in_their_order(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = [make_log(number, {"data": {"_id": f"{number:024x}"}}) for number in range(7)]
    bulk = deliver_bulk(start_redelivery(operator, [logs[index] for index in (5, 1, 3, 2)]))
    assert receiver.ids == [logs[index].pk for index in (1, 2, 3, 5)]
    assert (bulk.state, outcome_counts(bulk)) == (BulkRedeliveryState.FINISHED, {DELIVERED: 4})
    assert WebhookLog.objects.filter(state=State.DELIVERED).count() == 4


def test_the_results_have_both_states_and_the_attempt_names_the_user(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    log = make_log()
    [item] = deliver_bulk(start_redelivery(operator, [log])).items.all()
    assert (item.before_state, item.before_status, item.before_cause) == (State.FAILED, 409, "timeout")
    assert (item.outcome, item.attempt_number, item.status, item.cause) == (DELIVERED, 4, 200, "")
    cotalker, ours = log.attempts.all()
    assert (cotalker.number, cotalker.trigger, cotalker.status) == (3, "cotalker", 409)
    assert (ours.number, ours.trigger, ours.actor) == (4, "bulk", operator)
    assert item.finished_at and item.queued_at and item.queued_at <= item.finished_at


def test_each_log_has_one_attempt_unless_more_are_requested(operator, receiver, deliver_bulk, settings):
    settings.DELIVERY_RETRY_DELAY = 0.05
    make_subscription(url=receiver.url)
    receiver.status = 500
    once, thrice = make_logs_on("62685990d918fb5557f9f992", range(2))
    deliver_bulk(start_redelivery(operator, [once]))
    assert len(receiver.requests) == 1
    bulk = deliver_bulk(start_redelivery(operator, [thrice], max_attempts=3))
    assert len(receiver.requests) == 4
    [item] = bulk.items.all()
    assert (item.outcome, item.attempt_number, item.status, item.cause) == (FAILED, 6, 500, "http_5xx")


def test_subscriptions_are_sent_to_in_parallel(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url)
    receiver.gate = threading.Event()
    logs = make_logs_on("62685990d918fb5557f9f992", range(2)) + make_logs_on(OTHER_SUBSCRIPTION, range(2, 4))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: len(receiver.requests) == 2 and receiver.gate.set()
    deliver_bulk(bulk)
    assert set(receiver.ids[:2]) == {logs[0].pk, logs[2].pk}
    assert outcome_counts(bulk) == {DELIVERED: 4}


def test_logs_that_cannot_be_sent_are_excluded_from_the_plan_with_the_reason(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url, is_active=False)
    inactive = make_log(1, subscription=OTHER_SUBSCRIPTION)
    expired, queued, fine = make_logs_on("62685990d918fb5557f9f992", range(2, 5))
    Payload.objects.filter(pk=expired.pk).delete()
    queued.redeliver(by=operator, expected_attempts=3)
    bulk = plan_logs(operator, [inactive, expired, queued, fine])
    assert outcomes(bulk) == {
        inactive.pk: (EXCLUDED, SkipReason.INACTIVE),
        expired.pk: (EXCLUDED, SkipReason.EXPIRED),
        queued.pk: (EXCLUDED, SkipReason.QUEUED),
        fine.pk: ("planned", ""),
    }


def test_unknown_or_invisible_ids_are_listed_separately(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    foreign = make_log(1, subscription=OTHER_SUBSCRIPTION)
    bulk = plan_logs(operator, [foreign, make_log(2)])
    assert bulk.unknown == [foreign.pk]
    assert bulk.items.count() == 1


def test_a_log_is_in_one_open_bulk_redelivery_only(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(3))
    second = plan_logs(operator, logs[1:])
    first = start_redelivery(operator, logs[:2])
    assert start_bulk(second, CHOICES, second.selected_subscriptions, by=operator)
    assert outcomes(second)[logs[1].pk] == (EXCLUDED, SkipReason.OTHER_BULK_REDELIVERY)
    deliver_bulk(first)
    deliver_bulk(second)
    assert sorted(receiver.ids) == sorted(log.pk for log in logs)
    assert plan_logs(operator, logs[:1]).items.get().outcome == "planned"  # the first one has ended


def start_at_once(bulks, user) -> list[bool]:
    """The results of starts that are made at the same time."""
    won, barrier = [], threading.Barrier(len(bulks))

    def click(bulk):
        barrier.wait()
        try:
            won.append(start_bulk(bulk, CHOICES, bulk.selected_subscriptions, by=user))
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=[bulk]) for bulk in bulks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_twenty_concurrent_starts_start_it_once(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    bulk = plan_logs(operator, make_logs_on("62685990d918fb5557f9f992", range(5)))
    assert sorted(start_at_once([bulk] * 20, operator)) == [False] * 19 + [True]
    deliver_bulk(bulk)
    assert len(receiver.requests) == 5


def test_only_one_of_several_concurrent_plans_sends_the_same_logs(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    bulks = [plan_logs(operator, logs) for _ in range(8)]
    assert start_at_once(bulks, operator) == [True] * 8
    waiting = [bulk for bulk in bulks if bulk.items.open().exists()]
    assert [outcome_counts(bulk) for bulk in waiting] == [{"waiting": 30}]
    others = [bulk for bulk in bulks if bulk not in waiting]
    assert all(set(outcomes(bulk).values()) == {(EXCLUDED, SkipReason.OTHER_BULK_REDELIVERY)} for bulk in others)


def test_subscriptions_that_are_not_selected_get_nothing(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url)
    [selected], [unselected] = make_logs_on("62685990d918fb5557f9f992", [1]), make_logs_on(OTHER_SUBSCRIPTION, [2])
    bulk = plan_logs(operator, [selected, unselected])
    start_bulk(bulk, CHOICES, ["62685990d918fb5557f9f992"], by=operator)
    deliver_bulk(bulk)
    assert receiver.ids == [selected.pk]
    assert outcomes(bulk)[unselected.pk] == (EXCLUDED, SkipReason.NOT_SELECTED)


def test_delivered_logs_are_sent_again_only_if_so_chosen(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    log = make_delivered_log(1, A)
    bulk = deliver_bulk(start_redelivery(operator, [log]))
    assert (receiver.ids, outcomes(bulk)) == ([], {log.pk: (EXCLUDED, SkipReason.DELIVERED)})
    receiver.status = 500
    deliver_bulk(start_redelivery(operator, [log], includes_delivered=True))
    log.refresh_from_db()
    assert (receiver.ids, log.state, log.status) == ([log.pk], State.DELIVERED, 200)


# Superseded logs


def test_a_log_is_excluded_when_a_newer_event_of_its_object_was_delivered(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    superseded, newer, other = make_object_log(1, A), make_delivered_log(2, A), make_object_log(3, B)
    older_delivered = make_delivered_log(0, B)
    bulk = deliver_bulk(start_redelivery(operator, [superseded, other]))
    assert receiver.ids == [other.pk]
    assert outcomes(bulk) == {superseded.pk: (EXCLUDED, SkipReason.SUPERSEDED), other.pk: (DELIVERED, "")}
    assert {newer.pk, older_delivered.pk}.isdisjoint(receiver.ids)


def test_a_newer_event_that_failed_or_went_to_another_subscription_supersedes_nothing(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url)
    log = make_object_log(1, A)
    make_object_log(2, A)
    make_delivered_log(3, A, subscription=OTHER_SUBSCRIPTION)
    deliver_bulk(start_redelivery(operator, [log]))
    assert receiver.ids == [log.pk]


def test_superseded_logs_are_sent_if_that_is_chosen(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    superseded, _newer = make_object_log(1, A), make_delivered_log(2, A)
    deliver_bulk(start_redelivery(operator, [superseded], superseded_policy=SupersededPolicy.SEND))
    assert receiver.ids == [superseded.pk]


def test_resending_ends_with_the_newest_event_of_each_object(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    superseded = [make_object_log(1, A), make_object_log(2, A), make_object_log(3, B)]
    newest = [make_delivered_log(4, B), make_delivered_log(5, A)]
    bulk = deliver_bulk(start_redelivery(operator, superseded, superseded_policy=SupersededPolicy.RESEND_LATEST))
    assert receiver.ids == [log.pk for log in superseded + newest]
    assert [item.is_latest_resend for item in bulk.items.all()] == [False, False, False, True, True]


def test_resending_sends_the_newest_event_at_the_time_of_sending(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    superseded, newer = make_object_log(1, A), make_delivered_log(2, A)
    bulk = start_redelivery(operator, [superseded], superseded_policy=SupersededPolicy.RESEND_LATEST)
    newest = make_delivered_log(3, A)
    deliver_bulk(bulk)
    assert receiver.ids == [superseded.pk, newest.pk]
    assert newer.pk not in outcomes(bulk)


def test_resending_and_a_concurrent_start_do_not_take_the_same_log(operator):
    make_subscription()
    superseded, newer = make_object_log(1, A), make_delivered_log(2, A)
    resending = start_redelivery(operator, [superseded], superseded_policy=SupersededPolicy.RESEND_LATEST)
    newest = make_delivered_log(3, A)
    assert dispatch() == 1
    WebhookLog.objects.queued().update(next_attempt_at=None)
    resending.items.filter(outcome="queued").update(outcome=FAILED, finished_at=Now())
    dispatched: list[int | None] = []
    dispatching = threading.Thread(target=lambda: (dispatched.append(dispatch()), connection.close()))
    with transaction.atomic():
        starting = start_redelivery(operator, [newest], includes_delivered=True)
        dispatching.start()
        wait_until(somebody_waits_for_a_lock)
    dispatching.join()
    assert dispatched == [1]
    assert outcomes(resending) == {superseded.pk: (FAILED, ""), newer.pk: ("queued", "")}
    assert outcomes(starting) == {newest.pk: ("waiting", "")}


def test_superseded_logs_are_looked_up_again_before_queuing(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    log = make_object_log(1, A)
    bulk = start_redelivery(operator, [log])
    make_delivered_log(2, A)
    deliver_bulk(bulk)
    log.refresh_from_db()
    assert (receiver.ids, log.state, log.is_queued) == ([], State.SUPERSEDED, False)
    assert outcomes(bulk) == {log.pk: (SKIPPED, SkipReason.SUPERSEDED)}


def test_superseded_logs_are_looked_up_again_before_sending(operator, receiver, deliver_bulk):
    """The newer event is delivered after the log of the bulk redelivery was queued, and read together with it."""
    subscription = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(subscription, number) for number in (20, 21)]
    WebhookLog.objects.filter(pk=waiting[0].pk).update(object_id=A)
    log = make_object_log(1, A)
    bulk = start_redelivery(operator, [log])
    assert dispatch() == 1
    deliver_bulk(bulk)
    log.refresh_from_db()
    assert receiver.ids == [log.pk for log in waiting]
    assert outcomes(bulk) == {log.pk: (SKIPPED, SkipReason.SUPERSEDED)}
    assert (log.state, log.status, log.is_queued) == (State.SUPERSEDED, 409, False)


# New events are not starved


def test_a_bulk_redelivery_and_waiting_events_take_turns(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(subscription, number) for number in range(100, 104)]
    logs = make_logs_on(subscription.pk, range(1, 7))
    bulk = start_redelivery(operator, logs)
    dispatch()  # before a worker sends the first waiting event
    deliver_bulk(bulk)
    expected = []
    for index in range(4):
        expected += [waiting[index].pk, logs[index].pk]
    assert receiver.ids == [*expected, logs[4].pk, logs[5].pk]


def test_a_paused_queue_sends_the_bulk_redelivery_and_stays_paused(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    waiting = make_waiting_log(subscription, 100)
    subscription.pause(by=operator)
    logs = make_logs_on(subscription.pk, range(1, 4))
    deliver_bulk(start_redelivery(operator, logs))
    assert receiver.ids == [log.pk for log in logs]
    waiting.refresh_from_db()
    assert waiting.is_queued and Subscription.objects.get(pk=subscription.pk).paused_at


def test_a_queue_paused_midway_sends_the_rest_of_the_bulk_redelivery(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(subscription, number) for number in range(100, 104)]
    logs = make_logs_on(subscription.pk, range(1, 5))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: subscription.pause(by=operator)
    deliver_bulk(bulk)
    assert [pk for pk in receiver.ids if pk in {log.pk for log in logs}] == [log.pk for log in logs]
    assert len(receiver.ids) < len(logs) + len(waiting)


# Canary, pause and stop


def test_a_canary_that_fails_pauses_it_before_anything_else_is_sent(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    receiver.status = 500
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    bulk = deliver_bulk(start_redelivery(operator, logs, rollout=RolloutPolicy.STAGES, failure_percent=20))
    assert (bulk.state, bulk.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.CANARY_FAILED)
    assert receiver.ids == [logs[0].pk]
    assert not WebhookLog.objects.queued().exists()
    receiver.status = 200
    assert resume_bulk(bulk, by=operator)
    assert deliver_bulk(bulk).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [log.pk for log in logs]
    assert outcome_counts(bulk) == {FAILED: 1, DELIVERED: 29}


def test_a_canary_sends_one_log_of_each_subscription_then_a_tenth_then_the_rest(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url)
    bulk = start_redelivery(
        operator,
        make_logs_on("62685990d918fb5557f9f992", range(40)) + make_logs_on(OTHER_SUBSCRIPTION, range(40, 43)),
        rollout=RolloutPolicy.STAGES,
    )
    stages = [(item.subscription_id, item.stage) for item in bulk.items.order_by("number")]
    assert [stage for subscription_id, stage in stages if subscription_id != OTHER_SUBSCRIPTION] == [1] + [2] * 3 + [
        3
    ] * 36
    assert [stage for subscription_id, stage in stages if subscription_id == OTHER_SUBSCRIPTION] == [1, 3, 3]


def test_the_second_stage_begins_when_the_first_was_delivered_everywhere(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    make_subscription(OTHER_SUBSCRIPTION, url=receiver.url + "/other")
    receiver.statuses = [200, 500]
    logs = make_logs_on("62685990d918fb5557f9f992", range(20)) + make_logs_on(OTHER_SUBSCRIPTION, range(20, 40))
    bulk = deliver_bulk(start_redelivery(operator, logs, rollout=RolloutPolicy.STAGES))
    assert bulk.pause_reason == PauseReason.CANARY_FAILED
    assert set(receiver.ids) == {logs[0].pk, logs[20].pk}


def test_the_ask_rollout_sends_one_each_and_waits(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(5))
    bulk = deliver_bulk(start_redelivery(operator, logs, rollout=RolloutPolicy.ASK))
    assert (bulk.state, bulk.pause_reason, receiver.ids) == (
        BulkRedeliveryState.PAUSED,
        PauseReason.CANARY_DONE,
        [logs[0].pk],
    )
    resume_bulk(bulk, by=operator)
    assert deliver_bulk(bulk).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [log.pk for log in logs]


def test_too_many_recent_failures_pause_it(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    receiver.status = 503
    logs = make_logs_on("62685990d918fb5557f9f992", range(60))
    bulk = deliver_bulk(start_redelivery(operator, logs, failure_percent=20))
    assert (bulk.state, bulk.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAILURES)
    assert 11 <= len(receiver.requests) < 60
    assert outcome_counts(bulk) == {FAILED: len(receiver.requests), "waiting": 60 - len(receiver.requests)}


def test_after_a_stop_nothing_else_is_sent(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(50))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: len(receiver.requests) == 5 and stop_bulk(bulk, by=operator)
    deliver_bulk(bulk)
    assert receiver.ids == [log.pk for log in logs[:5]]
    assert (bulk.state, outcome_counts(bulk)) == (BulkRedeliveryState.STOPPED, {DELIVERED: 5, SKIPPED: 45})
    assert not WebhookLog.objects.queued().exists()
    assert not stop_bulk(bulk, by=operator)


def test_a_paused_bulk_redelivery_sends_nothing_and_continues_after_resuming(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: len(receiver.requests) == 3 and pause_bulk(bulk, by=operator)
    deliver_bulk(bulk)
    assert (bulk.state, len(receiver.requests)) == (BulkRedeliveryState.PAUSED, 3)
    assert resume_bulk(bulk, by=operator) and not resume_bulk(bulk, by=operator)
    deliver_bulk(bulk)
    assert receiver.ids == [log.pk for log in logs]
    assert Attempt.objects.filter(trigger="bulk").count() == 30


def test_a_bulk_redelivery_stops_when_its_user_may_no_longer_redeliver(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    bulk = start_redelivery(operator, [make_log()])
    operator.groups.clear()
    deliver_bulk(bulk)
    assert (bulk.state, bulk.pause_reason, receiver.ids) == (BulkRedeliveryState.PAUSED, PauseReason.ACCOUNT, [])


def test_a_subscription_that_its_user_no_longer_sees_gets_nothing_more(operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    log = make_log()
    bulk = start_redelivery(operator, [log])
    operator.companies.clear()
    deliver_bulk(bulk)
    assert (receiver.ids, outcomes(bulk)) == ([], {log.pk: (SKIPPED, SkipReason.INVISIBLE)})


def test_a_log_skipped_by_a_user_is_skipped_in_the_results(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    logs = make_logs_on(subscription.pk, range(3))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: WebhookLog.objects.get(pk=logs[2].pk).skip(by=operator, reason="no")
    deliver_bulk(bulk)
    assert receiver.ids == [logs[0].pk, logs[1].pk]
    assert outcomes(bulk)[logs[2].pk] == (SKIPPED, SkipReason.REMOVED)


def test_skipped_logs_are_in_the_results_at_once(operator):
    subscription = make_subscription(url="https://receiver.example/")
    logs = make_logs_on(subscription.pk, range(3))
    bulk = start_redelivery(operator, logs)
    dispatch()
    assert WebhookLog.objects.get(pk=logs[1].pk).skip(by=operator, reason="no")
    removed = (SKIPPED, SkipReason.REMOVED)
    assert [outcomes(bulk)[log.pk] == removed for log in logs] == [False, True, False]
    Subscription.objects.update(is_active=False)
    assert Subscription.objects.get().skip_waiting(by=operator, reason="none") == 2
    assert set(outcomes(bulk).values()) == {removed}
    dispatch()
    bulk.refresh_from_db()
    assert (bulk.state, set(outcomes(bulk).values())) == (BulkRedeliveryState.FINISHED, {removed})


def test_a_log_skipped_in_flight_has_its_real_outcome_in_the_results(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    [log] = make_logs_on(subscription.pk, [1])
    bulk = start_redelivery(operator, [log])
    receiver.on_arrival = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=operator, reason="no")
    deliver_bulk(bulk)
    assert (receiver.ids, outcomes(bulk)) == ([log.pk], {log.pk: (DELIVERED, "")})


def test_a_subscription_deactivated_midway_is_skipped(operator, receiver, deliver_bulk):
    subscription = make_subscription(url=receiver.url)
    logs = make_logs_on(subscription.pk, range(3))
    bulk = start_redelivery(operator, logs)
    receiver.on_arrival = lambda: Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
    deliver_bulk(bulk)
    skipped = [pk for pk, outcome in outcomes(bulk).items() if outcome == (SKIPPED, SkipReason.INACTIVE)]
    assert sorted(skipped + receiver.ids) == sorted(log.pk for log in logs)
    assert bulk.state == BulkRedeliveryState.FINISHED


def test_a_rate_is_respected(operator, receiver, deliver_bulk):
    """At ten per second, twelve logs take longer than the burst of the first second."""
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(12))
    begun = timezone.now()
    bulk = deliver_bulk(start_redelivery(operator, logs, rate=10))
    assert len(receiver.requests) == 12
    finished = [item.finished_at for item in bulk.items.order_by("finished_at")]
    assert (finished[-1] - begun).total_seconds() >= 0.2


def test_a_rate_allows_more_as_time_passes(operator, receiver):
    """Ten per second: a burst of a second, then nothing, then the share of half a second."""
    subscriptions = [make_subscription(f"62685990d918fb5557f9{n:04x}", url=receiver.url) for n in range(30)]
    logs = [log for number, subscription in enumerate(subscriptions) for log in make_logs_on(subscription.pk, [number])]
    bulk = start_redelivery(operator, logs, rate=10)
    stored = BulkRedelivery.objects.filter(pk=bulk.pk)
    assert dispatch() == 10
    assert stored.filter(rate_limited_until__isnull=False).exists()
    stored.update(rate_limited_until=Now() + timedelta(minutes=1))
    assert dispatch() == 0
    stored.update(rate_limited_until=Now() - timedelta(milliseconds=500))
    assert 5 <= dispatch() < 20  # of the twenty that are left


def test_a_stop_does_not_overwrite_an_outcome_committed_at_the_same_time(operator, receiver):
    """The outcome is written but not committed yet when the stop looks for queued logs."""
    make_subscription(url=receiver.url)
    [log] = make_logs_on("62685990d918fb5557f9f992", range(1))
    bulk = start_redelivery(operator, [log])
    assert dispatch() == 1
    stopping = threading.Thread(target=lambda: (stop_bulk(bulk, by=operator), connection.close()))
    with transaction.atomic():
        WebhookLog.objects.filter(pk=log.pk).update(state=State.DELIVERED, attempt_count=4, next_attempt_at=None)
        bulk.items.update(outcome=DELIVERED, attempt_number=4, status=200)
        stopping.start()
        wait_until(somebody_waits_for_a_lock)
    stopping.join()
    bulk.refresh_from_db()
    assert (bulk.state, outcomes(bulk)) == (BulkRedeliveryState.STOPPED, {log.pk: (DELIVERED, "")})


def test_a_stop_locks_the_logs_first_and_in_the_order_of_their_ids(operator, receiver):
    """The outcome writer locks in the same order: who has the first log gets the others. So there is no deadlock."""
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(3))
    bulk = start_redelivery(operator, logs)
    assert dispatch() == 3
    stopping = threading.Thread(target=lambda: (stop_bulk(bulk, by=operator), connection.close()))
    with transaction.atomic():
        WebhookLog.objects.select_for_update().get(pk=logs[0].pk)
        stopping.start()
        wait_until(somebody_waits_for_a_lock)
        assert len(WebhookLog.objects.select_for_update(nowait=True)) == 3
        assert len(bulk.items.select_for_update(nowait=True, of=["self"])) == 3
    stopping.join()
    assert outcome_counts(bulk) == {SKIPPED: 3}


def test_a_failure_during_the_stage_check_prevents_the_next_stage(operator, receiver, monkeypatch):
    """The failure comes after the check for failures. Only the next check finds it, and no log is queued until then."""
    make_subscription(url=receiver.url)
    bulk = start_redelivery(operator, make_logs_on("62685990d918fb5557f9f992", range(20)), rollout=RolloutPolicy.STAGES)
    assert dispatch() == 1
    judge = dispatcher._why_to_pause

    def judge_and_fail(bulk: BulkRedelivery) -> PauseReason | None:
        reason = judge(bulk)
        WebhookLog.objects.queued().update(next_attempt_at=None)
        bulk.items.filter(outcome="queued").update(outcome=FAILED, finished_at=Now())
        return reason

    monkeypatch.setattr(dispatcher, "_why_to_pause", judge_and_fail)
    assert dispatch() == 0
    monkeypatch.undo()
    dispatch()
    bulk.refresh_from_db()
    assert (bulk.state, bulk.pause_reason, bulk.stage) == (BulkRedeliveryState.PAUSED, PauseReason.CANARY_FAILED, 1)


def test_a_bulk_redelivery_that_raises_an_error_is_paused_with_a_reason_and_delays_no_other(
    operator, receiver, deliver_bulk, monkeypatch
):
    make_subscription(url=receiver.url)
    logs = [make_log(number, {"data": {"_id": f"{number:024x}"}}) for number in range(2)]
    poisoned, other = start_redelivery(operator, logs[:1]), start_redelivery(operator, logs[1:])
    reconcile = dispatcher.reconcile

    def reconcile_or_fail(bulk):
        return reconcile(bulk) if bulk.pk == other.pk else 1 / 0

    monkeypatch.setattr(dispatcher, "reconcile", reconcile_or_fail)
    assert deliver_bulk(other).state == BulkRedeliveryState.FINISHED
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAULT)
    assert receiver.ids == [logs[1].pk]
    monkeypatch.setattr(dispatcher, "reconcile", reconcile)
    assert resume_bulk(poisoned, by=operator)
    assert deliver_bulk(poisoned).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [logs[1].pk, logs[0].pk]


def test_a_bulk_redelivery_whose_logs_cannot_be_dequeued_is_still_paused(operator, monkeypatch):
    make_subscription()
    bulk = start_redelivery(operator, [make_log()])
    for name in ("reconcile", "pause_bulk"):
        monkeypatch.setattr(dispatcher, name, lambda *arguments, **options: 1 / 0)
    dispatch()
    bulk.refresh_from_db()
    assert (bulk.state, bulk.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAULT)
