"""The rules of a queue, by what arrives at the receiver and in which order."""

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, QueueShard, State, Subscription, WebhookLog

from ..factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "62685990d918fb5557f90001"


def make_queue(receiver, pk="62685990d918fb5557f9f992", **fields) -> Subscription:
    return make_subscription(pk, url=receiver.url, **fields)


def stored(log) -> tuple[str, int, bool]:
    """State, number of attempts, whether it is queued."""
    log.refresh_from_db()
    return log.state, log.attempt_count, log.is_queued


def until_finished(*logs):
    """For `deliver`: stop when the last of these is finished."""
    return WebhookLog.objects.filter(pk=logs[-1].pk, next_attempt_at=None)


def test_events_are_sent_in_the_order_of_acceptance(receiver, deliver):
    subscription = make_queue(receiver)
    logs = [make_waiting_log(subscription, number) for number in (4, 1, 3, 0, 2)]
    deliver()
    assert receiver.ids == [log.pk for log in logs]
    assert [stored(log) for log in logs] == [(State.DELIVERED, 1, False)] * 5
    assert [(attempt.trigger, attempt.number, attempt.status) for attempt in logs[0].attempts.all()] == [
        ("auto", 1, 200)
    ]


def test_more_events_than_are_read_at_once_keep_their_order(receiver, deliver):
    subscription = make_queue(receiver)
    logs = [make_waiting_log(subscription, number) for number in range(50)]
    deliver()
    assert receiver.ids == [log.pk for log in logs]


def test_a_failing_event_has_three_attempts_before_the_next_event(receiver, deliver):
    subscription = make_queue(receiver)
    first, second = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.statuses = [500, 500, 500]
    deliver()
    assert receiver.ids == [first.pk, first.pk, first.pk, second.pk]
    assert (stored(first), stored(second)) == ((State.FAILED, 3, False), (State.DELIVERED, 1, False))
    assert first.cause == "http_5xx"
    assert list(first.attempts.values_list("number", "trigger", "status")) == [(n, "auto", 500) for n in (1, 2, 3)]


def test_the_next_event_waits_for_the_retry(receiver, deliver):
    subscription = make_queue(receiver)
    first, second = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.statuses = [503, 200]
    deliver()
    assert receiver.ids == [first.pk, first.pk, second.pk]
    assert stored(first) == (State.DELIVERED, 2, False)


def test_a_retry_comes_after_the_delay_by_the_clock_of_the_database(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 30
    subscription = make_queue(receiver)
    log = make_waiting_log(subscription)
    receiver.status = 500
    deliver(WebhookLog.objects.filter(state=State.RETRYING))
    log.refresh_from_db()
    [attempt] = log.attempts.all()
    between = log.next_attempt_at - attempt.started_at
    assert timedelta(seconds=30) <= between < timedelta(seconds=60)
    assert log.is_between_attempts and log.attempts_left == 2


def test_queues_do_not_wait_for_each_other(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 30
    blocked, free = make_queue(receiver), make_queue(receiver, OTHER)
    receiver.statuses = [500]
    head = make_waiting_log(blocked, 0)
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.RETRYING))
    behind = make_waiting_log(blocked, 1)
    logs = [make_waiting_log(free, number) for number in range(2, 5)]
    deliver(until_finished(*logs))
    assert receiver.ids == [head.pk, *(log.pk for log in logs)]
    assert stored(behind) == (State.PENDING, 0, True)


def test_an_exhausted_event_pauses_the_queue_if_so_configured(receiver, deliver):
    subscription, other = make_queue(receiver, pause_on_exhausted=True), make_queue(receiver, OTHER)
    head, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.status = 500
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.FAILED))
    subscription.refresh_from_db()
    assert (subscription.blocking_log, subscription.paused_at is not None) == (head.pk, True)
    receiver.status = 200
    deliver(until_finished(make_waiting_log(other, 2)))
    assert behind.pk not in receiver.ids
    head.refresh_from_db()
    assert head.redeliver(by=None, expected_attempts=3)
    deliver()
    assert receiver.ids[-2:] == [head.pk, behind.pk]
    subscription.refresh_from_db()
    assert (subscription.blocking_log, subscription.paused_at) == ("", None)


def test_a_paused_queue_resumes_when_its_exhausted_event_is_skipped(receiver, deliver):
    subscription = make_queue(receiver, pause_on_exhausted=True)
    head, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.statuses = [500, 500, 500]
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.FAILED))
    assert head.skip(by=None, reason="the order was cancelled")
    deliver()
    assert receiver.ids[-1] == behind.pk
    assert stored(head) == (State.SKIPPED, 3, False)
    assert AuditEntry.objects.get(action=AuditAction.SKIPPED, target=head.pk).detail == "the order was cancelled"


def test_a_paused_queue_sends_redeliveries_and_nothing_else_and_stays_paused(receiver, deliver):
    subscription = make_queue(receiver)
    old, waiting = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    receiver.statuses = [200]
    deliver(until_finished(old))
    subscription.pause(by=None)
    late = make_waiting_log(subscription, 2)
    deliver_before = len(receiver.ids)
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver(until_finished(old))
    assert receiver.ids[deliver_before:] == [old.pk]
    subscription.refresh_from_db()
    assert subscription.paused_at is not None
    assert subscription.resume(by=None)
    deliver()
    assert set(receiver.ids[deliver_before + 1 :]) <= {waiting.pk, late.pk}
    assert stored(late) == (State.DELIVERED, 1, False)


def test_a_redelivery_precedes_waiting_events(receiver, deliver):
    subscription = make_queue(receiver)
    old = make_waiting_log(subscription, 0)
    deliver()
    waiting = [make_waiting_log(subscription, number) for number in (1, 2)]
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver()
    assert receiver.ids == [old.pk, old.pk, *(log.pk for log in waiting)]


def test_a_retry_precedes_a_redelivery(receiver, deliver, settings):
    subscription = make_queue(receiver)
    old = make_waiting_log(subscription, 0)
    deliver()
    head, behind = make_waiting_log(subscription, 1), make_waiting_log(subscription, 2)
    settings.DELIVERY_RETRY_DELAY = 2
    receiver.statuses = [500]
    deliver(WebhookLog.objects.filter(pk=head.pk, state=State.RETRYING))
    old.refresh_from_db()
    assert old.redeliver(by=None, expected_attempts=1, is_confirmed=True)
    deliver()
    assert receiver.ids == [old.pk, head.pk, head.pk, old.pk, behind.pk]


def test_retry_now_does_not_wait_for_the_delay(receiver, deliver, settings):
    settings.DELIVERY_RETRY_DELAY = 3600
    log = make_waiting_log(make_queue(receiver))
    receiver.statuses = [500]
    deliver(WebhookLog.objects.filter(state=State.RETRYING))
    assert log.retry_now(by=None)
    deliver()
    assert stored(log) == (State.DELIVERED, 2, False)


def test_events_of_an_inactive_subscription_are_kept_until_a_user_sends_them(receiver, deliver):
    subscription, other = make_queue(receiver, is_active=False), make_queue(receiver, OTHER)
    logs = [make_waiting_log(subscription, number) for number in range(3)]
    deliver(until_finished(make_waiting_log(other, 4)))
    assert not {log.pk for log in logs} & set(receiver.ids)
    assert subscription.send_waiting(by=None)
    deliver()
    assert receiver.ids[1:] == [log.pk for log in logs]


def test_events_of_an_inactive_subscription_can_be_skipped(receiver, deliver):
    subscription = make_queue(receiver, is_active=False)
    logs = [make_waiting_log(subscription, number) for number in range(3)]
    assert subscription.skip_waiting(by=None, reason="the receiver has them by mail") == 3
    deliver()
    assert receiver.ids == []
    assert [stored(log) for log in logs] == [(State.SKIPPED, 0, False)] * 3


def test_the_events_of_an_active_subscription_are_not_all_skipped(receiver):
    subscription = make_queue(receiver)
    log = make_waiting_log(subscription)
    assert subscription.skip_waiting(by=None, reason="a slip") == 0
    assert not subscription.send_waiting(by=None)
    assert stored(log) == (State.PENDING, 0, True)


def test_an_event_skipped_in_flight_is_delivered_if_it_arrived(receiver, deliver):
    subscription = make_queue(receiver)
    log = make_waiting_log(subscription)
    receiver.on_arrival = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=None, reason="too late")
    deliver(WebhookLog.objects.filter(attempt_count=1))
    assert stored(log) == (State.DELIVERED, 1, False)


def test_an_event_skipped_in_flight_is_not_retried(receiver, deliver):
    subscription = make_queue(receiver)
    log = make_waiting_log(subscription)
    receiver.status = 500
    receiver.on_arrival = lambda: WebhookLog.objects.get(pk=log.pk).skip(by=None, reason="in time")
    deliver(WebhookLog.objects.filter(attempt_count=1))
    assert stored(log) == (State.SKIPPED, 1, False)
    assert log.attempts.get().status == 500


def test_a_pause_stops_a_queue_whose_events_are_already_read(receiver, deliver):
    subscription, other = make_queue(receiver), make_queue(receiver, OTHER)
    logs = [make_waiting_log(subscription, number) for number in range(5)]
    receiver.on_arrival = lambda: Subscription.objects.get(pk=subscription.pk).pause(by=None)
    deliver(until_finished(logs[0]))
    receiver.on_arrival = None
    deliver(until_finished(make_waiting_log(other, 9)))
    assert receiver.ids[0] == logs[0].pk
    assert not {log.pk for log in logs[1:]} & set(receiver.ids)


def test_a_changed_url_is_used_for_the_next_event(receiver, deliver):
    subscription = make_queue(receiver)
    first, second = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    stored_subscription = Subscription.objects.filter(pk=subscription.pk)
    receiver.on_arrival = lambda: stored_subscription.update(url=f"{receiver.url}/moved", queue_version=7)
    deliver()
    assert [received.path for received in receiver.requests] == ["/hook", "/hook/moved"]
    assert (stored(first)[0], stored(second)[0]) == (State.DELIVERED, State.DELIVERED)


def test_a_log_without_its_payload_fails_with_a_reason_and_the_queue_continues(receiver, deliver):
    subscription = make_queue(receiver)
    gone, behind = make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    gone.payload.delete()
    deliver()
    assert receiver.ids == [behind.pk]
    gone.refresh_from_db()
    assert (gone.state, gone.cause, gone.response) == (State.FAILED, "other", "The payload has expired.")


def test_a_retry_moved_far_ahead_by_a_clock_jump_is_sent_now(receiver, deliver):
    log = make_waiting_log(make_queue(receiver))
    WebhookLog.objects.update(next_attempt_at=timezone.now() + timedelta(days=365))
    deliver()
    assert stored(log) == (State.DELIVERED, 1, False)


def test_a_lease_moved_far_ahead_by_a_clock_jump_does_not_block_its_queues(receiver, deliver):
    log = make_waiting_log(make_queue(receiver))
    end = timezone.now() + timedelta(days=365)
    QueueShard.objects.bulk_create(QueueShard(number=n, holder="gone", epoch=4, expires_at=end) for n in range(16))
    deliver()
    assert stored(log) == (State.DELIVERED, 1, False)


def test_workers_release_their_queues_when_they_stop(receiver, deliver):
    make_waiting_log(make_queue(receiver))
    deliver()
    assert set(QueueShard.objects.values_list("holder", "expires_at")) == {("", None)}
