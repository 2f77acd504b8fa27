"""Redelivering one log: requested on a page, sent by a worker, judged by the requests of the receiver."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from standardwebhooks.webhooks import Webhook

from logs import signing
from logs.models import Attempt, AuditAction, AuditEntry, Payload, State, Subscription, WebhookLog

from ..factories import make_log, make_subscription

pytestmark = pytest.mark.django_db(transaction=True)


def redeliver(client, log, **fields):
    log.refresh_from_db()
    data = {"expected_attempts": log.attempt_count or 0} | fields
    return client.post(reverse("logs:redelivery_create", args=[log.pk]), data)


def test_the_stored_bytes_arrive_with_the_headers_of_standard_webhooks(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    assert redeliver(client, log).status_code == 302
    deliver()
    [received] = receiver.requests
    assert received.body.decode() == Payload.objects.get(pk=log.pk).event
    assert received.headers["webhook-id"] == log.pk
    assert received.headers["content-type"] == "application/json"
    assert abs(int(received.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert "webhook-signature" not in received.headers


def test_a_secret_of_the_subscription_signs_what_is_sent(client, operator, receiver, deliver):
    subscription = make_subscription(url=receiver.url)
    subscription.secret = secret = signing.generate_secret()
    subscription.save()
    log = make_log()
    redeliver(client, log)
    deliver()
    [received] = receiver.requests
    assert Webhook(secret).verify(received.body, received.headers)["type"] == "COTTask"


def test_a_success_marks_the_log_delivered_and_keeps_the_outcome_at_cotalker(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    redeliver(client, log)
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.attempt_count) == (State.DELIVERED, 200, 4)
    assert (log.cause, log.response) == ("", '{"ok":true}')
    assert (log.next_attempt_at, log.requested_by) == (None, None)
    cotalker, ours = log.attempts.all()
    assert (cotalker.number, cotalker.trigger, cotalker.status, cotalker.cause) == (3, "cotalker", 409, "timeout")
    assert cotalker.response == "connect ETIMEDOUT 67.225.146.248:443"
    assert (ours.number, ours.trigger, ours.actor, ours.status, ours.url) == (4, "manual", operator, 200, receiver.url)
    assert AuditEntry.objects.filter(action=AuditAction.REDELIVERED, target=log.pk, actor=operator).count() == 1


@pytest.mark.parametrize(
    ("status", "state", "cause"),
    [
        (200, State.DELIVERED, ""),
        (209, State.DELIVERED, ""),
        (210, State.FAILED, "other"),
        (226, State.FAILED, "other"),
        (302, State.FAILED, "redirect"),
        (404, State.FAILED, "http_4xx"),
        (500, State.FAILED, "http_5xx"),
    ],
)
def test_only_200_to_209_is_delivered(client, operator, receiver, deliver, status, state, cause):
    make_subscription(url=receiver.url)
    receiver.status = status
    log = make_log()
    redeliver(client, log)
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.cause) == (state, status, cause)
    assert len(receiver.requests) == (1 if state == State.DELIVERED else 3)


def test_a_double_click_sends_once(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    url = reverse("logs:redelivery_create", args=[log.pk])
    client.post(url, {"expected_attempts": 3})
    client.post(url, {"expected_attempts": 3})
    deliver()
    client.post(url, {"expected_attempts": 3})  # a third click, on the page as it was
    deliver()
    assert len(receiver.requests) == 1
    assert log.attempts.filter(trigger="manual").count() == 1


def test_a_delivered_log_is_sent_again_only_after_a_confirmation(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log(status=200, retry=1)
    assert redeliver(client, log).status_code == 302
    deliver()
    assert receiver.requests == []
    page = client.get(reverse("logs:redelivery_confirm", args=[log.pk]))
    assert b'name="confirmed" value="yes"' in page.content
    redeliver(client, log, confirmed="yes")
    deliver()
    assert len(receiver.requests) == 1


def test_a_delivered_log_stays_delivered_when_its_redelivery_fails(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 500
    log = make_log(status=200, retry=1, response="OK")
    redeliver(client, log, confirmed="yes")
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.response) == (State.DELIVERED, 200, "OK")
    assert log.attempts.get(number=2).status == 500


def test_a_blocked_target_is_a_failed_attempt_without_a_connection(client, operator, receiver, deliver, settings):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    make_subscription(url=receiver.url)
    log = make_log()
    redeliver(client, log)
    deliver()
    log.refresh_from_db()
    assert (log.state, log.cause, log.status) == (State.FAILED, "blocked", None)
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"is_active": False}, "not active"),
        ({"url": "", "is_active": False, "is_placeholder": True, "code": "", "trigger": ""}, "no URL"),
    ],
)
def test_a_log_that_cannot_be_sent_is_refused_with_a_reason(client, operator, receiver, fields, reason):
    make_subscription(url=receiver.url)
    log = make_log()
    Subscription.objects.update(**fields)
    response = client.post(
        reverse("logs:redelivery_create", args=[log.pk]), {"expected_attempts": 3}, headers={"hx-request": "true"}
    )
    assert response.status_code == 422
    assert reason in response.content.decode()
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.FAILED, False)


def test_logs_of_one_subscription_are_sent_one_at_a_time_in_the_order_of_requests(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    logs = [make_log(number) for number in range(5)]
    requested = [logs[index] for index in (3, 0, 4, 1, 2)]
    for log in requested:
        redeliver(client, log)
    deliver()
    assert [received.headers["webhook-id"] for received in receiver.requests] == [log.pk for log in requested]


def test_a_viewer_may_not_redeliver(client, member, receiver):
    make_subscription(url=receiver.url)
    client.force_login(member("Viewer"))
    log = make_log()
    assert redeliver(client, log).status_code == 403
    assert not WebhookLog.objects.get(pk=log.pk).is_queued


def test_a_log_of_another_company_is_not_found(client, operator, receiver):
    from ..factories import make_company

    make_subscription(url=receiver.url, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    log = make_log()
    assert redeliver(client, log).status_code == 404
    assert Attempt.objects.count() == 0


def test_the_row_shows_the_outcome_and_stops_polling(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    htmx = {"hx-request": "true", "hx-target": f"log-{log.pk}"}
    queued = client.post(
        reverse("logs:redelivery_create", args=[log.pk]), {"expected_attempts": 3}, headers=htmx
    ).content.decode()
    assert 'hx-trigger="every 1s"' in queued
    deliver()
    row = client.get(reverse("logs:webhook_log_row", args=[log.pk]), headers=htmx).content.decode()
    assert "hx-trigger" not in row
    assert 'data-state="delivered"' in row


@pytest.mark.parametrize("retry", [None, 0, 1])
def test_the_outcome_at_cotalker_is_kept_for_any_number_of_attempts(client, operator, receiver, deliver, retry):
    make_subscription(url=receiver.url)
    log = make_log(retry=retry)
    redeliver(client, log)
    deliver()
    attempts = [(attempt.number, attempt.trigger, attempt.status) for attempt in log.attempts.all()]
    assert attempts == [(1, "cotalker", 409), (2, "manual", 200)]


def test_the_open_response_of_a_log_is_refreshed(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    redeliver(client, log)
    deliver()
    shown = f"http://testserver{reverse('logs:webhook_log_response', args=[log.pk])}"
    headers = {"hx-request": "true", "hx-target": "log-status", "hx-current-url": shown}
    update = client.get(reverse("logs:webhook_log_status", args=[log.pk]), headers=headers).content.decode()
    assert "{&quot;ok&quot;:true}" in update.partition('id="response-part"')[2]
    assert '<span class="count" id="response-count" hx-swap-oob="true">200</span>' in update


def test_a_click_on_an_outdated_page_sends_nothing(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 500
    log = make_log()
    redeliver(client, log, expected_attempts=3)
    deliver()
    assert len(receiver.requests) == 3
    redeliver(client, log, expected_attempts=3)  # the page that said 3 attempts, of which there are 6 by now
    deliver()
    assert len(receiver.requests) == 3
    redeliver(client, log, expected_attempts=6)
    deliver()
    assert len(receiver.requests) == 6
