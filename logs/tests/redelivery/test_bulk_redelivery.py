"""Runs: many logs re-delivered together, sent by a worker, judged by the receiver's ledger."""

import threading
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from logs.models import (
    Attempt,
    BulkRedeliveryState,
    PauseReason,
    Payload,
    RolloutPolicy,
    Run,
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
    FAILED,
    LEFT_OUT,
    SKIPPED,
    make_object_log,
    make_received_log,
    numbers,
    outcomes,
    plan_logs,
    start_run,
)
from ..factories import make_company, make_log, make_subscription, make_waiting_log
from ..processes import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "62685990d918fb5557f9f993"
A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"


@pytest.fixture
def operator(member):
    return member("Operator")


def make_logs_on(subscription: str, numbers_, **fields):
    return [
        make_log(number, {"data": {"_id": f"{number:024x}"}}, subscription=subscription, **fields)
        for number in numbers_
    ]


def test_the_planned_logs_arrive_in_their_order_and_no_other(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = [make_log(number, {"data": {"_id": f"{number:024x}"}}) for number in range(7)]
    run = deliver_run(start_run(operator, [logs[index] for index in (5, 1, 3, 2)]))
    assert receiver.ids == [logs[index].pk for index in (1, 2, 3, 5)]
    assert (run.state, numbers(run)) == (BulkRedeliveryState.FINISHED, {DELIVERED: 4})
    assert WebhookLog.objects.filter(state=State.SUCCEEDED).count() == 4


def test_the_ledger_tells_before_and_after_and_the_attempt_who_asked(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    log = make_log()
    [entry] = deliver_run(start_run(operator, [log])).entries.all()
    assert (entry.before_state, entry.before_status, entry.before_cause) == (State.FAILED, 409, "timeout")
    assert (entry.outcome, entry.attempt_number, entry.status, entry.cause) == (DELIVERED, 4, 200, "")
    cotalker, ours = log.attempts.all()
    assert (cotalker.number, cotalker.trigger, cotalker.status) == (3, "cotalker", 409)
    assert (ours.number, ours.trigger, ours.actor) == (4, "bulk", operator)
    assert entry.settled_at and entry.queued_at and entry.queued_at <= entry.settled_at


def test_each_log_is_tried_once_unless_rounds_are_asked_for(operator, receiver, deliver_run, settings):
    settings.DELIVERY_RETRY_DELAY = 0.05
    make_subscription(url=receiver.url)
    receiver.status = 500
    once, thrice = make_logs_on("62685990d918fb5557f9f992", range(2))
    deliver_run(start_run(operator, [once]))
    assert len(receiver.ledger) == 1
    run = deliver_run(start_run(operator, [thrice], tries=3))
    assert len(receiver.ledger) == 4
    [entry] = run.entries.all()
    assert (entry.outcome, entry.attempt_number, entry.status, entry.cause) == (FAILED, 6, 500, "http_5xx")


def test_subscriptions_are_sent_to_side_by_side(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url)
    receiver.gate = threading.Event()
    logs = make_logs_on("62685990d918fb5557f9f992", range(2)) + make_logs_on(OTHER, range(2, 4))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: len(receiver.ledger) == 2 and receiver.gate.set()
    deliver_run(run)
    assert set(receiver.ids[:2]) == {logs[0].pk, logs[2].pk}
    assert numbers(run) == {DELIVERED: 4}


def test_what_cannot_be_sent_is_left_out_of_the_plan_with_the_reason(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url, is_active=False)
    inactive = make_log(1, subscription=OTHER)
    expired, due, fine = make_logs_on("62685990d918fb5557f9f992", range(2, 5))
    Payload.objects.filter(pk=expired.pk).delete()
    due.redeliver(by=operator, expected_attempts=3)
    run = plan_logs(operator, [inactive, expired, due, fine])
    assert outcomes(run) == {
        inactive.pk: (LEFT_OUT, SkipReason.INACTIVE),
        expired.pk: (LEFT_OUT, SkipReason.EXPIRED),
        due.pk: (LEFT_OUT, SkipReason.DUE),
        fine.pk: ("planned", ""),
    }


def test_ids_that_nobody_knows_or_may_see_are_told_apart_from_the_plan(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    foreign = make_log(1, subscription=OTHER)
    run = plan_logs(operator, [foreign, make_log(2)])
    assert run.unknown == [foreign.pk]
    assert run.entries.count() == 1


def test_a_log_is_in_one_open_run_only(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(3))
    second = plan_logs(operator, logs[1:])
    first = start_run(operator, logs[:2])
    assert start_bulk(second, CHOICES, second.lanes, by=operator)
    assert outcomes(second)[logs[1].pk] == (LEFT_OUT, SkipReason.OTHER_RUN)
    deliver_run(first)
    deliver_run(second)
    assert sorted(receiver.ids) == sorted(log.pk for log in logs)
    assert plan_logs(operator, logs[:1]).entries.get().outcome == "planned"  # the first run has ended


def start_at_once(runs, user) -> list[bool]:
    """What each of the starts said, which were made at the same moment."""
    won, barrier = [], threading.Barrier(len(runs))

    def click(run):
        barrier.wait()
        try:
            won.append(start_bulk(run, CHOICES, run.lanes, by=user))
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=[run]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_twenty_starts_at_once_are_one_run(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    run = plan_logs(operator, make_logs_on("62685990d918fb5557f9f992", range(5)))
    assert sorted(start_at_once([run] * 20, operator)) == [False] * 19 + [True]
    deliver_run(run)
    assert len(receiver.ledger) == 5


def test_of_plans_of_the_same_logs_that_start_at_once_one_sends_them(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    runs = [plan_logs(operator, logs) for _ in range(8)]
    assert start_at_once(runs, operator) == [True] * 8
    waiting = [run for run in runs if run.entries.open().exists()]
    assert [numbers(run) for run in waiting] == [{"waiting": 30}]
    assert all(set(outcomes(run).values()) == {(LEFT_OUT, SkipReason.OTHER_RUN)} for run in runs if run not in waiting)


def test_subscriptions_that_are_not_ticked_get_nothing(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url)
    [wanted], [unwanted] = make_logs_on("62685990d918fb5557f9f992", [1]), make_logs_on(OTHER, [2])
    run = plan_logs(operator, [wanted, unwanted])
    start_bulk(run, CHOICES, ["62685990d918fb5557f9f992"], by=operator)
    deliver_run(run)
    assert receiver.ids == [wanted.pk]
    assert outcomes(run)[unwanted.pk] == (LEFT_OUT, SkipReason.NOT_CHOSEN)


def test_what_was_received_is_sent_again_only_on_purpose(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    log = make_received_log(1, A)
    run = deliver_run(start_run(operator, [log]))
    assert (receiver.ids, outcomes(run)) == ([], {log.pk: (LEFT_OUT, SkipReason.RECEIVED)})
    receiver.status = 500
    deliver_run(start_run(operator, [log], sends_received=True))
    log.refresh_from_db()
    assert (receiver.ids, log.state, log.status) == ([log.pk], State.SUCCEEDED, 200)


# The stale guard


def test_a_log_is_left_out_when_a_newer_event_of_its_object_was_received(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    stale, newer, other = make_object_log(1, A), make_received_log(2, A), make_object_log(3, B)
    older_received = make_received_log(0, B)
    run = deliver_run(start_run(operator, [stale, other]))
    assert receiver.ids == [other.pk]
    assert outcomes(run) == {stale.pk: (LEFT_OUT, SkipReason.STALE), other.pk: (DELIVERED, "")}
    assert {newer.pk, older_received.pk}.isdisjoint(receiver.ids)


def test_a_newer_event_that_failed_or_went_to_another_subscription_makes_nothing_stale(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url)
    log = make_object_log(1, A)
    make_object_log(2, A)
    make_received_log(3, A, subscription=OTHER)
    deliver_run(start_run(operator, [log]))
    assert receiver.ids == [log.pk]


def test_stale_logs_are_sent_where_somebody_wants_that(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    stale, _newer = make_object_log(1, A), make_received_log(2, A)
    deliver_run(start_run(operator, [stale], stale_choice=SupersededPolicy.SEND))
    assert receiver.ids == [stale.pk]


def test_a_repair_ends_with_the_newest_event_of_each_object(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    stale = [make_object_log(1, A), make_object_log(2, A), make_object_log(3, B)]
    newest = [make_received_log(4, B), make_received_log(5, A)]
    run = deliver_run(start_run(operator, stale, stale_choice=SupersededPolicy.REPAIR))
    assert receiver.ids == [log.pk for log in stale + newest]
    assert [entry.is_repair for entry in run.entries.all()] == [False, False, False, True, True]


def test_a_repair_sends_what_is_newest_when_its_turn_comes(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    stale, newer = make_object_log(1, A), make_received_log(2, A)
    run = start_run(operator, [stale], stale_choice=SupersededPolicy.REPAIR)
    newest = make_received_log(3, A)
    deliver_run(run)
    assert receiver.ids == [stale.pk, newest.pk]
    assert newer.pk not in outcomes(run)


def test_a_repair_and_a_run_that_starts_at_this_moment_do_not_take_the_same_log(operator):
    make_subscription()
    stale, newer = make_object_log(1, A), make_received_log(2, A)
    repairing = start_run(operator, [stale], stale_choice=SupersededPolicy.REPAIR)
    newest = make_received_log(3, A)
    assert dispatch() == 1
    WebhookLog.objects.due().update(next_attempt_at=None)
    repairing.entries.filter(outcome="queued").update(outcome=FAILED, settled_at=Now())
    fed: list[int | None] = []
    feeding_it = threading.Thread(target=lambda: (fed.append(dispatch()), connection.close()))
    with transaction.atomic():
        starting = start_run(operator, [newest], sends_received=True)
        feeding_it.start()
        wait_until(somebody_waits_for_a_lock)
    feeding_it.join()
    assert fed == [1]
    assert outcomes(repairing) == {stale.pk: (FAILED, ""), newer.pk: ("queued", "")}
    assert outcomes(starting) == {newest.pk: ("waiting", "")}


def test_the_guard_looks_again_when_the_turn_of_a_log_has_come(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    log = make_object_log(1, A)
    run = start_run(operator, [log])
    make_received_log(2, A)
    deliver_run(run)
    log.refresh_from_db()
    assert (receiver.ids, log.state, log.is_due) == ([], State.FAILED, False)
    assert outcomes(run) == {log.pk: (SKIPPED, SkipReason.STALE)}


def test_the_guard_looks_at_the_very_moment_of_sending(operator, receiver, deliver_run):
    """The newer event is received after the log of the run was put into the lane, and read together with it."""
    lane = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(lane, number) for number in (20, 21)]
    WebhookLog.objects.filter(pk=waiting[0].pk).update(object_id=A)
    log = make_object_log(1, A)
    run = start_run(operator, [log])
    assert dispatch() == 1
    deliver_run(run)
    log.refresh_from_db()
    assert receiver.ids == [log.pk for log in waiting]
    assert outcomes(run) == {log.pk: (SKIPPED, SkipReason.STALE)}
    assert (log.state, log.status, log.is_due) == (State.FAILED, 409, False)


# New events are not starved


def test_a_run_and_the_events_that_wait_take_turns(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(lane, number) for number in range(100, 104)]
    logs = make_logs_on(lane.pk, range(1, 7))
    deliver_run(start_run(operator, logs))
    expected = []
    for index in range(4):
        expected += [waiting[index].pk, logs[index].pk]
    assert receiver.ids == [*expected, logs[4].pk, logs[5].pk]


def test_a_lane_on_hold_sends_the_run_and_stays_on_hold(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    waiting = make_waiting_log(lane, 100)
    lane.hold(by=operator)
    logs = make_logs_on(lane.pk, range(1, 4))
    deliver_run(start_run(operator, logs))
    assert receiver.ids == [log.pk for log in logs]
    waiting.refresh_from_db()
    assert waiting.is_due and Subscription.objects.get(pk=lane.pk).held_at


def test_a_lane_that_comes_on_hold_on_the_way_sends_the_rest_of_the_run(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    waiting = [make_waiting_log(lane, number) for number in range(100, 104)]
    logs = make_logs_on(lane.pk, range(1, 5))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: lane.hold(by=operator)
    deliver_run(run)
    assert [pk for pk in receiver.ids if pk in {log.pk for log in logs}] == [log.pk for log in logs]
    assert len(receiver.ids) < len(logs) + len(waiting)


# Canary, pause and stop


def test_a_canary_that_fails_pauses_the_run_before_anything_else_is_sent(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    receiver.status = 500
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    run = deliver_run(start_run(operator, logs, canary=RolloutPolicy.STEPS, failure_percent=20))
    assert (run.state, run.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.CANARY_FAILED)
    assert receiver.ids == [logs[0].pk]
    assert not WebhookLog.objects.due().exists()
    receiver.status = 200
    assert resume_bulk(run, by=operator)
    assert deliver_run(run).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [log.pk for log in logs]
    assert numbers(run) == {FAILED: 1, DELIVERED: 29}


def test_a_canary_goes_by_one_log_of_each_subscription_then_a_tenth_then_the_rest(operator, receiver):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url)
    run = start_run(
        operator,
        make_logs_on("62685990d918fb5557f9f992", range(40)) + make_logs_on(OTHER, range(40, 43)),
        canary=RolloutPolicy.STEPS,
    )
    steps = [(entry.subscription_id, entry.step) for entry in run.entries.order_by("number")]
    assert [step for lane, step in steps if lane != OTHER] == [1] + [2] * 3 + [3] * 36
    assert [step for lane, step in steps if lane == OTHER] == [1, 3, 3]


def test_the_second_step_begins_when_the_first_was_received_everywhere(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    make_subscription(OTHER, url=receiver.url + "/other")
    receiver.statuses = [200, 500]
    logs = make_logs_on("62685990d918fb5557f9f992", range(20)) + make_logs_on(OTHER, range(20, 40))
    run = deliver_run(start_run(operator, logs, canary=RolloutPolicy.STEPS))
    assert run.pause_reason == PauseReason.CANARY_FAILED
    assert set(receiver.ids) == {logs[0].pk, logs[20].pk}


def test_one_each_then_wait_for_the_person(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(5))
    run = deliver_run(start_run(operator, logs, canary=RolloutPolicy.ASK))
    assert (run.state, run.pause_reason, receiver.ids) == (
        BulkRedeliveryState.PAUSED,
        PauseReason.CANARY_DONE,
        [logs[0].pk],
    )
    resume_bulk(run, by=operator)
    assert deliver_run(run).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [log.pk for log in logs]


def test_too_many_failures_among_the_last_pause_the_run(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    receiver.status = 503
    logs = make_logs_on("62685990d918fb5557f9f992", range(60))
    run = deliver_run(start_run(operator, logs, failure_percent=20))
    assert (run.state, run.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAILURES)
    assert 11 <= len(receiver.ledger) < 60
    assert numbers(run) == {FAILED: len(receiver.ledger), "waiting": 60 - len(receiver.ledger)}


def test_stop_sends_nothing_that_is_not_in_flight(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(50))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: len(receiver.ledger) == 5 and stop_bulk(run, by=operator)
    deliver_run(run)
    assert receiver.ids == [log.pk for log in logs[:5]]
    assert (run.state, numbers(run)) == (BulkRedeliveryState.STOPPED, {DELIVERED: 5, SKIPPED: 45})
    assert not WebhookLog.objects.due().exists()
    assert not stop_bulk(run, by=operator)


def test_a_paused_run_sends_nothing_and_goes_on_where_it_was(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(30))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: len(receiver.ledger) == 3 and pause_bulk(run, by=operator)
    deliver_run(run)
    assert (run.state, len(receiver.ledger)) == (BulkRedeliveryState.PAUSED, 3)
    assert resume_bulk(run, by=operator) and not resume_bulk(run, by=operator)
    deliver_run(run)
    assert receiver.ids == [log.pk for log in logs]
    assert Attempt.objects.filter(trigger="bulk").count() == 30


def test_a_run_goes_on_only_as_long_as_its_person_may_re_deliver(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    run = start_run(operator, [make_log()])
    operator.groups.clear()
    deliver_run(run)
    assert (run.state, run.pause_reason, receiver.ids) == (BulkRedeliveryState.PAUSED, PauseReason.ACCOUNT, [])


def test_a_subscription_that_its_person_sees_no_more_gets_nothing_more(operator, receiver, deliver_run):
    make_subscription(url=receiver.url)
    log = make_log()
    run = start_run(operator, [log])
    operator.companies.clear()
    deliver_run(run)
    assert (receiver.ids, outcomes(run)) == ([], {log.pk: (SKIPPED, SkipReason.INVISIBLE)})


def test_a_log_that_somebody_took_out_of_its_lane_is_skipped_in_the_ledger(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    logs = make_logs_on(lane.pk, range(3))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: WebhookLog.objects.get(pk=logs[2].pk).skip(by=operator, reason="no")
    deliver_run(run)
    assert receiver.ids == [logs[0].pk, logs[1].pk]
    assert outcomes(run)[logs[2].pk] == (SKIPPED, SkipReason.TAKEN_OUT)


def test_what_is_taken_out_of_its_lane_is_in_the_ledger_at_once(operator):
    lane = make_subscription(url="https://receiver.example/")
    logs = make_logs_on(lane.pk, range(3))
    run = start_run(operator, logs)
    dispatch()
    assert WebhookLog.objects.get(pk=logs[1].pk).skip(by=operator, reason="no")
    taken_out = (SKIPPED, SkipReason.TAKEN_OUT)
    assert [outcomes(run)[log.pk] == taken_out for log in logs] == [False, True, False]
    Subscription.objects.update(is_active=False)
    assert Subscription.objects.get().skip_what_waits(by=operator, reason="none") == 2
    assert set(outcomes(run).values()) == {taken_out}
    dispatch()
    run.refresh_from_db()
    assert (run.state, set(outcomes(run).values())) == (BulkRedeliveryState.FINISHED, {taken_out})


def test_what_was_taken_out_before_an_update_is_noted_by_it(operator):
    """Nobody would do so any more, and the run would not come to an end."""
    lane = make_subscription(url="https://receiver.example/")
    logs = make_logs_on(lane.pk, range(2))
    run = start_run(operator, logs)
    dispatch()
    WebhookLog.objects.filter(pk=logs[0].pk).update(next_attempt_at=None, state=State.SKIPPED)
    with connection.cursor() as cursor:
        cursor.execute(import_module("logs.migrations.0013_taken_out").NOTE)
    assert outcomes(run) == {logs[0].pk: (SKIPPED, SkipReason.TAKEN_OUT), logs[1].pk: ("queued", "")}


def test_what_is_taken_out_in_flight_is_in_the_ledger_as_it_went(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    [log] = make_logs_on(lane.pk, [1])
    run = start_run(operator, [log])
    receiver.when_it_arrives = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=operator, reason="no")
    deliver_run(run)
    assert (receiver.ids, outcomes(run)) == ([log.pk], {log.pk: (DELIVERED, "")})


def test_a_subscription_that_is_deactivated_on_the_way_is_skipped(operator, receiver, deliver_run):
    lane = make_subscription(url=receiver.url)
    logs = make_logs_on(lane.pk, range(3))
    run = start_run(operator, logs)
    receiver.when_it_arrives = lambda: Subscription.objects.filter(pk=lane.pk).update(is_active=False)
    deliver_run(run)
    skipped = [pk for pk, told in outcomes(run).items() if told == (SKIPPED, SkipReason.INACTIVE)]
    assert sorted(skipped + receiver.ids) == sorted(log.pk for log in logs)
    assert run.state == BulkRedeliveryState.FINISHED


def test_a_rate_is_kept(operator, receiver, deliver_run):
    """At ten in a second, twelve logs take longer than the burst that the first second allows."""
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(12))
    begun = timezone.now()
    run = deliver_run(start_run(operator, logs, rate=10))
    assert len(receiver.ledger) == 12
    settled = [entry.settled_at for entry in run.entries.order_by("settled_at")]
    assert (settled[-1] - begun).total_seconds() >= 0.2


def test_a_rate_gives_room_as_time_passes(operator, receiver):
    """Ten in a second: a second's worth at first, nothing while it is used up, and what half a second allows after that."""
    lanes = [make_subscription(f"62685990d918fb5557f9{n:04x}", url=receiver.url) for n in range(30)]
    logs = [log for number, lane in enumerate(lanes) for log in make_logs_on(lane.pk, [number])]
    run = start_run(operator, logs, rate=10)
    runs = Run.objects.filter(pk=run.pk)
    assert dispatch() == 10
    assert runs.filter(fed_until__isnull=False).exists()
    runs.update(fed_until=Now() + timedelta(minutes=1))
    assert dispatch() == 0
    runs.update(fed_until=Now() - timedelta(milliseconds=500))
    assert 5 <= dispatch() < 20  # of the twenty that are left


def test_a_stop_does_not_write_over_an_outcome_that_is_committed_in_that_moment(operator, receiver):
    """The recorder has written and not committed yet when the stop looks for what is queued."""
    make_subscription(url=receiver.url)
    [log] = make_logs_on("62685990d918fb5557f9f992", range(1))
    run = start_run(operator, [log])
    assert dispatch() == 1
    stopping = threading.Thread(target=lambda: (stop_bulk(run, by=operator), connection.close()))
    with transaction.atomic():
        WebhookLog.objects.filter(pk=log.pk).update(state=State.SUCCEEDED, retry=4, next_attempt_at=None)
        run.entries.update(outcome=DELIVERED, attempt_number=4, status=200)
        stopping.start()
        wait_until(somebody_waits_for_a_lock)
    stopping.join()
    run.refresh_from_db()
    assert (run.state, outcomes(run)) == (BulkRedeliveryState.STOPPED, {log.pk: (DELIVERED, "")})


def test_a_stop_locks_the_logs_first_and_in_the_order_of_their_ids(operator, receiver):
    """As the recorder does: whoever has the first of them can have the others, and none waits for the other in a circle."""
    make_subscription(url=receiver.url)
    logs = make_logs_on("62685990d918fb5557f9f992", range(3))
    run = start_run(operator, logs)
    assert dispatch() == 3
    stopping = threading.Thread(target=lambda: (stop_bulk(run, by=operator), connection.close()))
    with transaction.atomic():
        WebhookLog.objects.select_for_update().get(pk=logs[0].pk)
        stopping.start()
        wait_until(somebody_waits_for_a_lock)
        assert len(WebhookLog.objects.select_for_update(nowait=True)) == 3
        assert len(run.entries.select_for_update(nowait=True, of=["self"])) == 3
    stopping.join()
    assert numbers(run) == {SKIPPED: 3}


def test_a_failure_that_comes_while_a_step_is_judged_lets_no_other_step_begin(operator, receiver, monkeypatch):
    """It comes after the look at what failed; only the next look can tell of it, and no log is put into a lane until then."""
    make_subscription(url=receiver.url)
    run = start_run(operator, make_logs_on("62685990d918fb5557f9f992", range(20)), canary=RolloutPolicy.STEPS)
    assert dispatch() == 1
    judge = dispatcher._why_to_pause

    def judge_and_fail(one: Run) -> PauseReason | None:
        reason = judge(one)
        WebhookLog.objects.due().update(next_attempt_at=None)
        run.entries.filter(outcome="queued").update(outcome=FAILED, settled_at=Now())
        return reason

    monkeypatch.setattr(dispatcher, "_why_to_pause", judge_and_fail)
    assert dispatch() == 0
    monkeypatch.undo()
    dispatch()
    run.refresh_from_db()
    assert (run.state, run.pause_reason, run.step) == (BulkRedeliveryState.PAUSED, PauseReason.CANARY_FAILED, 1)


def test_a_run_that_cannot_be_moved_on_is_paused_with_a_reason_and_holds_up_no_other(
    operator, receiver, deliver_run, monkeypatch
):
    make_subscription(url=receiver.url)
    logs = [make_log(number, {"data": {"_id": f"{number:024x}"}}) for number in range(2)]
    poisoned, other = start_run(operator, logs[:1]), start_run(operator, logs[1:])
    tidy = dispatcher.reconcile

    def tidy_or_fail(run):
        return tidy(run) if run.pk == other.pk else 1 / 0

    monkeypatch.setattr(dispatcher, "reconcile", tidy_or_fail)
    assert deliver_run(other).state == BulkRedeliveryState.FINISHED
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAULT)
    assert receiver.ids == [logs[1].pk]
    monkeypatch.setattr(dispatcher, "reconcile", tidy)
    assert resume_bulk(poisoned, by=operator)
    assert deliver_run(poisoned).state == BulkRedeliveryState.FINISHED
    assert receiver.ids == [logs[1].pk, logs[0].pk]


def test_a_run_of_which_the_logs_cannot_be_taken_back_is_paused_all_the_same(operator, monkeypatch):
    make_subscription()
    run = start_run(operator, [make_log()])
    for name in ("reconcile", "pause_bulk"):
        monkeypatch.setattr(dispatcher, name, lambda *arguments, **options: 1 / 0)
    dispatch()
    run.refresh_from_db()
    assert (run.state, run.pause_reason) == (BulkRedeliveryState.PAUSED, PauseReason.FAULT)
