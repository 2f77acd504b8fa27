"""Operators who click at the same time: one wins, there is one audit entry, and nothing is lost or sent twice."""

import pytest
from django.test import Client
from django.urls import reverse

from logs.models import AuditEntry, Priority, State, Subscription, WebhookLog

from ..events import at_once
from ..factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)
CLICKS = 8


@pytest.fixture
def subscription(receiver):
    return make_subscription(url=receiver.url)


@pytest.fixture
def click(operator):
    """`click("log_skip", log.pk, reason="x")`: presses a button in its own browser."""

    def click(name: str, pk: str, **data):
        browser = Client()
        browser.force_login(operator)
        browser.handler.load_middleware()  # not in one of several threads: Django loads it with the first request, unguarded
        return lambda: browser.post(reverse(f"logs:{name}", args=[pk]), data).status_code

    return click


def record() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "detail"))


def stored(log) -> tuple[str, bool, int]:
    """State, whether it is queued, and the attempts that are left."""
    return WebhookLog.objects.values_list("state", "next_attempt_at", "attempts_left").get(pk=log.pk)


def version(subscription) -> int:
    return Subscription.objects.get(pk=subscription.pk).queue_version


def deactivate(subscription) -> None:
    Subscription.objects.filter(pk=subscription.pk).update(is_active=False)


def test_only_one_of_many_users_resumes_a_queue(subscription, click):
    subscription.pause(by=None)
    assert at_once([click("queue_resume", subscription.pk)] * CLICKS) == [302] * CLICKS
    assert record() == [("queue_paused", ""), ("queue_resumed", "")]
    assert version(subscription) == 2


def test_pause_and_resume_in_any_order_leave_consistent_audit_entries(subscription, click):
    at_once([click("queue_pause", subscription.pk), click("queue_resume", subscription.pk)] * 4)
    actions = [action for action, _detail in record()]
    assert actions == [("queue_paused", "queue_resumed")[number % 2] for number in range(len(actions))]
    assert (Subscription.objects.get().paused_at is not None) == (actions[-1] == "queue_paused")


def test_only_one_of_many_users_skips_an_event(subscription, click):
    log = make_waiting_log(subscription)
    at_once([click("log_skip", log.pk, reason=f"by {number}") for number in range(CLICKS)])
    assert len(record()) == 1
    assert stored(log)[:2] == (State.SKIPPED, None)
    assert version(subscription) == 1


def test_skip_wins_over_retry_now_in_any_order(subscription, click, receiver, deliver):
    log = make_waiting_log(subscription)
    at_once([click("log_skip", log.pk, reason="given up"), click("log_retry", log.pk)] * 4)
    assert stored(log)[:2] == (State.SKIPPED, None)
    deliver()
    assert receiver.ids == []
    assert [action for action, _detail in record()].count("skipped") == 1


def test_an_event_that_many_users_retry_now_is_sent_once(subscription, click, receiver, deliver):
    log = make_waiting_log(subscription)
    at_once([click("log_retry", log.pk)] * CLICKS)
    deliver()
    assert receiver.ids == [log.pk]


def test_a_log_that_many_users_redeliver_is_queued_once(subscription, click, receiver, deliver):
    log = make_waiting_log(subscription, state=State.FAILED, attempt_count=3)
    WebhookLog.objects.update(next_attempt_at=None)
    at_once([click("redelivery_create", log.pk, expected_attempts=3)] * CLICKS)
    assert record() == [("redelivered", "")]
    assert WebhookLog.objects.get().priority == Priority.REDELIVERY
    deliver()
    assert receiver.ids == [log.pk]


def test_only_one_of_many_users_sends_the_waiting_events(subscription, click, receiver, deliver):
    logs = [make_waiting_log(subscription, number) for number in range(3)]
    deactivate(subscription)
    at_once([click("queue_send_waiting", subscription.pk)] * CLICKS)
    assert record() == [("sent_waiting", "")]
    deliver()
    assert receiver.ids == [log.pk for log in logs]


def test_only_one_of_many_users_skips_the_waiting_events(subscription, click):
    for number in range(5):
        make_waiting_log(subscription, number)
    deactivate(subscription)
    at_once([click("queue_skip_waiting", subscription.pk, reason="too late")] * CLICKS)
    assert record() == [("skipped_waiting", "5: too late")]
    assert WebhookLog.objects.queued().count() == 0


def test_every_event_is_either_sent_or_skipped(subscription, click, receiver, deliver):
    logs = [make_waiting_log(subscription, number) for number in range(5)]
    deactivate(subscription)
    send = click("queue_send_waiting", subscription.pk)
    at_once([send, click("queue_skip_waiting", subscription.pk, reason="too late")])
    deliver()
    assert WebhookLog.objects.queued().count() == 0
    states = [stored(log)[0] for log in logs]
    assert receiver.ids == [log.pk for log, state in zip(logs, states, strict=True) if state == State.DELIVERED]
    assert set(states) <= {State.DELIVERED, State.SKIPPED}


def test_skipping_single_events_while_all_are_skipped_causes_no_deadlock(subscription, click):
    logs = [make_waiting_log(subscription, number) for number in range(4)]
    deactivate(subscription)
    clicks = [click("log_skip", log.pk, reason="alone") for log in reversed(logs)]
    answers = at_once([*clicks, click("queue_skip_waiting", subscription.pk, reason="together")])
    assert answers == [302] * 5
    assert {stored(log)[:2] for log in logs} == {(State.SKIPPED, None)}
    alone = record().count(("skipped", "alone"))
    assert record().count(("skipped_waiting", f"{4 - alone}: together")) == (alone < 4)
