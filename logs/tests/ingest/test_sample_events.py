"""Test events: a sample event for the subscription's trigger, sent on request."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import TYPE_OF_TRIGGER, AuditAction, AuditEntry, Payload, Trigger, WebhookLog

from ..events import TASK_GROUP, make_token, post
from ..factories import COMPANY, OTHER_COMPANY, SUBSCRIPTION, make_company, make_subscription

PAGE = f"/subscriptions/{SUBSCRIPTION}/test-events/"
API = f"/api/v3/events/test/{SUBSCRIPTION}"


@pytest.mark.django_db
@pytest.mark.parametrize("trigger", Trigger.values)
def test_a_test_event_fits_the_trigger_and_says_that_it_is_a_test(client, operator, trigger):
    make_subscription(trigger=trigger)
    answer = client.post(PAGE)
    log = WebhookLog.objects.get()
    event = json.loads(Payload.objects.get().event)
    assert answer["Location"] == log.get_absolute_url()
    assert (log.is_test, log.event_type, log.state, log.company) == (True, TYPE_OF_TRIGGER[trigger], "pending", COMPANY)
    assert (event["company"], event["type"], event["extraData"]["isTest"]) == (COMPANY, TYPE_OF_TRIGGER[trigger], True)
    if trigger == Trigger.LOGOUT:
        assert (event["event"], event["data"]) == ("logout", None)
        assert event["extraData"].keys() == {"userId", "timestamp", "isTest"}
    else:
        assert timezone.now() - objectid.objectid_time(log.object_id) < timedelta(minutes=1)
        assert event["data"]["company"] == COMPANY


@pytest.mark.django_db
def test_a_test_event_fits_the_context(client, operator):
    make_subscription(trigger=Trigger.SURVEY, context_survey=TASK_GROUP, context_group=COMPANY)
    client.post(PAGE)
    data = json.loads(Payload.objects.get().event)["data"]
    assert (data["surveyId"], data["group"]) == (TASK_GROUP, COMPANY)


@pytest.mark.django_db
def test_each_test_event_is_new(client, operator):
    subscription = make_subscription()
    client.post(PAGE)
    client.post(PAGE)
    assert len({log.sequence for log in subscription.waiting()}) == 2
    assert len({log.object_id for log in subscription.waiting()}) == 2


@pytest.mark.django_db
def test_sending_a_test_event_is_audited(client, operator):
    make_subscription()
    client.post(PAGE)
    audit_entry = AuditEntry.objects.get(action=AuditAction.TEST_SENT)
    assert (audit_entry.actor, audit_entry.target, audit_entry.detail) == (
        operator,
        SUBSCRIPTION,
        WebhookLog.objects.get().pk,
    )


@pytest.mark.django_db
def test_a_test_event_is_sent_even_if_cotalker_delivers(client, operator):
    make_subscription(is_delivered_here=False)
    client.post(PAGE)
    assert WebhookLog.objects.get().is_queued


ERRORS = [
    ({"is_active": False}, "This subscription is inactive. Activate it first."),
    ({"url": ""}, "This subscription has no URL. Add one first."),
    ({"is_placeholder": True, "is_active": False, "url": "", "trigger": ""}, "Logs refer to this subscription"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("fields", "reason"), ERRORS)
def test_the_reason_is_shown_when_a_test_event_cannot_be_sent(client, operator, fields, reason):
    make_subscription(**fields)
    answer = client.post(PAGE, follow=True)
    assert f"No test event was sent. {reason}" in answer.content.decode()
    answer_of_api = post(client, API, b"", make_token())
    assert answer_of_api.status_code == 422
    assert answer_of_api.json()["errors"][0]["reason"].startswith(reason)
    assert not WebhookLog.objects.exists()
    assert not AuditEntry.objects.filter(action=AuditAction.TEST_SENT).exists()


@pytest.mark.django_db
def test_a_viewer_may_not_send_a_test_event(client, member):
    make_subscription()
    client.force_login(member("Viewer"))
    assert client.post(PAGE).status_code == 403


@pytest.mark.django_db
def test_a_script_with_a_token_of_the_company_may_send_a_test_event(client):
    make_subscription()
    answer = post(client, API, b"", make_token(name="Monitor"))
    log = WebhookLog.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"accepted": [log.pk], "errors": []})
    audit_entry = AuditEntry.objects.get(action=AuditAction.TEST_SENT)
    assert (audit_entry.actor, audit_entry.detail) == (None, f"{log.pk} · API token Monitor")


@pytest.mark.django_db
def test_a_token_of_another_company_does_not_find_the_subscription(client):
    make_subscription()
    assert post(client, API, b"", make_token(make_company(OTHER_COMPANY, "Other"))).status_code == 404
    assert post(client, API, b"").status_code == 401
    assert client.get(API).status_code == 405
    assert not WebhookLog.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_test_event_arrives_at_the_receiver(client, operator, receiver, deliver):
    make_subscription(url=receiver.url)
    client.post(PAGE)
    deliver()
    [request] = receiver.requests
    assert json.loads(request.body)["extraData"] == {"isTest": True}
    assert request.headers["webhook-id"] == WebhookLog.objects.get().pk
    assert WebhookLog.objects.get().state == "delivered"
    assert not connection.in_atomic_block
