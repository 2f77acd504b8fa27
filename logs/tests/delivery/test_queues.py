"""The rules of a queue, by what arrives at the receiver and in which order."""

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, LaneGroup, State, Subscription, WebhookLog

from ..factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "62685990d918fb5557f90001"


def make_lane(receiver, pk="62685990d918fb5557f9f992", **fields) -> Subscription:
    return make_subscription(pk, url=receiver.url, **fields)


def stored(log) -> tuple[str, int, bool]:
    """State, tries, whether it is due."""
    log.refresh_from_db()
    return log.state, log.retry, log.is_due


def until_settled(*logs):
    """For `deliver`: stop when the last of these is settled."""
    return WebhookLog.objects.filter(pk=logs[-1].pk, next_attempt_at=None)


def test_events_go_out_in_the_order_of_acceptance(receiver, deliver):
    lane = make_lane(receiver)
    logs = [make_waiting_log(lane, number) for number in (4, 1, 3, 0, 2)]
    deliver()
    assert receiver.ids == [log.pk for log in logs]
    assert [stored(log) for log in logs] == [(State.SUCCEEDED, 1, False)] * 5
    assert [(attempt.trigger, attempt.number, attempt.status) for attempt in logs[0].attempts.all()] == [
        ("auto", 1, 200)
    ]


def test_more_events_than_are_read_at_once_keep_their_order(receiver, deliver):
    lane = make_lane(receiver)
    logs = [make_waiting_log(lane, number) for number in range(50)]
    deliver()
    assert receiver.ids == [log.pk for log in logs]


def test_a_failure_is_tried_three_times_before_the_next_event_goes(receiver, deliver):
    lane = make_lane(receiver)
    first, second = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    receiver.statuses = [500, 500, 500]
    deliver()
    assert receiver.ids == [first.pk, first.pk, first.pk, second.pk]
    assert (stored(first), stored(second)) == ((State.FAILED, 3, False), (State.SUCCEEDED, 1, False))
    assert first.cause == "http_5xx"
    assert list(first.attempts.values_list("number", "trigger", "status")) == [(n, "auto", 500) for n in (1, 2, 3)]


def test_the_next_event_waits_until_a_retry_was_received(receiver, deliver):
    lane = make_lane(receiver)
    first, second = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    receiver.statuses = [503, 200]
    deliver()
    assert receiver.ids == [first.pk, first.pk, second.pk]
    assert stored(first) == (State.SUCCEEDED, 2, False)


def test_the_retry_comes_after_the_delay_by_the_clock_of_the_database(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 30
    lane = make_lane(receiver)
    log = make_waiting_log(lane)
    receiver.status = 500
    deliver(WebhookLog.objects.filter(state=State.RETRYING))
    log.refresh_from_db()
    [attempt] = log.attempts.all()
    between = log.next_attempt_at - attempt.started_at
    assert timedelta(seconds=30) <= between < timedelta(seconds=60)
    assert log.is_between_attempts and log.tries_left == 2


def test_lanes_do_not_wait_for_each_other(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 30
    blocked, free = make_lane(receiver), make_lane(receiver, OTHER)
    receiver.statuses = [500]
    head = make_waiting_log(blocked, 0)
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.RETRYING))
    behind = make_waiting_log(blocked, 1)
    logs = [make_waiting_log(free, number) for number in range(2, 5)]
    deliver(until_settled(*logs))
    assert receiver.ids == [head.pk, *(log.pk for log in logs)]
    assert stored(behind) == (State.PENDING, 0, True)


def test_an_exhausted_event_holds_the_lane_where_that_is_wanted(receiver, deliver):
    lane, other = make_lane(receiver, holds_when_exhausted=True), make_lane(receiver, OTHER)
    head, behind = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    receiver.status = 500
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.FAILED))
    lane.refresh_from_db()
    assert (lane.held_log, lane.held_at is not None) == (head.pk, True)
    receiver.status = 200
    deliver(until_settled(make_waiting_log(other, 2)))
    assert behind.pk not in receiver.ids
    head.refresh_from_db()
    assert head.redeliver(by=None, expected_attempts=3)
    deliver()
    assert receiver.ids[-2:] == [head.pk, behind.pk]
    lane.refresh_from_db()
    assert (lane.held_log, lane.held_at) == ("", None)


def test_a_held_lane_goes_on_when_its_exhausted_event_is_skipped(receiver, deliver):
    lane = make_lane(receiver, holds_when_exhausted=True)
    head, behind = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    receiver.statuses = [500, 500, 500]
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.FAILED))
    assert head.skip(by=None, reason="the order was cancelled")
    deliver()
    assert receiver.ids[-1] == behind.pk
    assert stored(head) == (State.SKIPPED, 3, False)
    assert AuditEntry.objects.get(action=AuditAction.SKIPPED, about=head.pk).detail == "the order was cancelled"


def test_a_lane_on_hold_sends_re_deliveries_and_nothing_else_and_stays_on_hold(receiver, deliver):
    lane = make_lane(receiver)
    old, waiting = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    receiver.statuses = [200]
    deliver(until_settled(old))
    lane.hold(by=None)
    late = make_waiting_log(lane, 2)
    deliver_before = len(receiver.ids)
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver(until_settled(old))
    assert receiver.ids[deliver_before:] == [old.pk]
    lane.refresh_from_db()
    assert lane.held_at is not None
    assert lane.release(by=None)
    deliver()
    assert set(receiver.ids[deliver_before + 1 :]) <= {waiting.pk, late.pk}
    assert stored(late) == (State.SUCCEEDED, 1, False)


def test_a_re_delivery_goes_before_what_waits(receiver, deliver):
    lane = make_lane(receiver)
    old = make_waiting_log(lane, 0)
    deliver()
    waiting = [make_waiting_log(lane, number) for number in (1, 2)]
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver()
    assert receiver.ids == [old.pk, old.pk, *(log.pk for log in waiting)]


def test_a_head_that_is_between_tries_keeps_its_turn_before_a_re_delivery(receiver, deliver, settings):
    lane = make_lane(receiver)
    old = make_waiting_log(lane, 0)
    deliver()
    head, behind = make_waiting_log(lane, 1), make_waiting_log(lane, 2)
    settings.DELIVERY_RETRY_DELAY = 2
    receiver.statuses = [500]
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.RETRYING))
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver()
    assert receiver.ids == [old.pk, head.pk, head.pk, old.pk, behind.pk]


def test_retry_now_does_not_wait_for_the_delay(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 3600
    log = make_waiting_log(make_lane(receiver))
    receiver.statuses = [500]
    deliver(WebhookLog.objects.filter(state=State.RETRYING))
    assert log.retry_now(by=None)
    deliver()
    assert stored(log) == (State.SUCCEEDED, 2, False)


def test_what_waits_for_an_inactive_subscription_is_kept_until_somebody_says_so(receiver, deliver):
    lane, other = make_lane(receiver, is_active=False), make_lane(receiver, OTHER)
    logs = [make_waiting_log(lane, number) for number in range(3)]
    deliver(until_settled(make_waiting_log(other, 4)))
    assert not {log.pk for log in logs} & set(receiver.ids)
    assert lane.send_waiting(by=None)
    deliver()
    assert receiver.ids[1:] == [log.pk for log in logs]


def test_what_waits_for_an_inactive_subscription_can_be_skipped(receiver, deliver):
    lane = make_lane(receiver, is_active=False)
    logs = [make_waiting_log(lane, number) for number in range(3)]
    assert lane.skip_what_waits(by=None, reason="the receiver has them by mail") == 3
    deliver()
    assert receiver.ids == []
    assert [stored(log) for log in logs] == [(State.SKIPPED, 0, False)] * 3


def test_what_waits_for_an_active_subscription_is_not_skipped_as_a_whole(receiver):
    lane = make_lane(receiver)
    log = make_waiting_log(lane)
    assert lane.skip_what_waits(by=None, reason="a slip") == 0
    assert not lane.send_waiting(by=None)
    assert stored(log) == (State.PENDING, 0, True)


def test_an_event_that_was_skipped_while_it_was_in_flight_is_delivered_if_it_was_received(receiver, deliver):
    lane = make_lane(receiver)
    log = make_waiting_log(lane)
    receiver.when_it_arrives = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=None, reason="too late")
    deliver(WebhookLog.objects.filter(retry=1))
    assert stored(log) == (State.SUCCEEDED, 1, False)


def test_an_event_that_was_skipped_while_it_was_in_flight_is_not_retried(receiver, deliver):
    lane = make_lane(receiver)
    log = make_waiting_log(lane)
    receiver.status = 500
    receiver.when_it_arrives = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=None, reason="in time")
    deliver(WebhookLog.objects.filter(retry=1))
    assert stored(log) == (State.SKIPPED, 1, False)
    assert log.attempts.get().status == 500


def test_a_hold_stops_a_lane_whose_next_events_were_read_already(receiver, deliver):
    lane, other = make_lane(receiver), make_lane(receiver, OTHER)
    logs = [make_waiting_log(lane, number) for number in range(5)]
    receiver.when_it_arrives = lambda: Subscription.objects.get(pk=lane.pk).hold(by=None)
    deliver(until_settled(logs[0]))
    receiver.when_it_arrives = None
    deliver(until_settled(make_waiting_log(other, 9)))
    assert receiver.ids[0] == logs[0].pk
    assert not {log.pk for log in logs[1:]} & set(receiver.ids)


def test_a_changed_url_is_used_for_the_next_event(receiver, deliver):
    lane = make_lane(receiver)
    first, second = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    lane_of = Subscription.objects.filter(pk=lane.pk)
    receiver.when_it_arrives = lambda: lane_of.update(url=f"{receiver.url}/moved", lane_version=7)
    deliver()
    assert [received.path for received in receiver.ledger] == ["/hook", "/hook/moved"]
    assert (stored(first)[0], stored(second)[0]) == (State.SUCCEEDED, State.SUCCEEDED)


def test_a_log_whose_payload_is_gone_fails_with_a_reason_and_the_lane_goes_on(receiver, deliver):
    lane = make_lane(receiver)
    gone, behind = make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    gone.payload.delete()
    deliver()
    assert receiver.ids == [behind.pk]
    gone.refresh_from_db()
    assert (gone.state, gone.cause, gone.response) == (State.FAILED, "other", "The payload has expired.")


def test_a_retry_that_a_clock_that_jumped_put_far_away_is_sent_now(receiver, deliver):
    log = make_waiting_log(make_lane(receiver))
    WebhookLog.objects.update(next_attempt_at=timezone.now() + timedelta(days=365))
    deliver()
    assert stored(log) == (State.SUCCEEDED, 1, False)


def test_a_lease_that_a_clock_that_jumped_put_far_away_does_not_hold_its_lanes(receiver, deliver):
    log = make_waiting_log(make_lane(receiver))
    end = timezone.now() + timedelta(days=365)
    LaneGroup.objects.bulk_create(LaneGroup(number=n, holder="gone", epoch=4, expires_at=end) for n in range(16))
    deliver()
    assert stored(log) == (State.SUCCEEDED, 1, False)


def test_the_workers_give_their_lanes_back_when_they_stop(receiver, deliver):
    make_waiting_log(make_lane(receiver))
    deliver()
    assert set(LaneGroup.objects.values_list("holder", "expires_at")) == {("", None)}
