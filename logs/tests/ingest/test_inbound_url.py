"""The inbound endpoint for Cotalker: POST /webhooks/in/<secret>, or its alias /in/<secret>."""

import json
import logging
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from cotadmin.log_formatters import TextFormatter
from logs.ingest import credentials, intake
from logs.ingest.matching import matching_subscriptions
from logs.models import (
    AcceptedEvent,
    AttemptTrigger,
    InboundEndpoint,
    Payload,
    Priority,
    Subscription,
    UnmatchedCount,
    WebhookLog,
)

from ..events import as_bytes, at_once, make_endpoint, make_event, post, waiting_logs
from ..factories import COMPANY, OTHER_COMPANY, ids_found, make_company, make_subscription
from ..processes import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db


def test_an_event_becomes_a_log_that_waits_in_its_queue(client):
    subscription = make_subscription()
    before = timezone.now()
    answer = post(client, make_endpoint(), as_bytes(make_event()))
    log = WebhookLog.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"accepted": [log.pk], "errors": []}
    assert (log.subscription, log.company, log.state, log.attempt_count) == (subscription, COMPANY, "pending", 0)
    assert (log.priority, log.attempts_left) == (Priority.NORMAL, settings.DELIVERY_MAX_ATTEMPTS)
    assert (log.trigger, log.is_test, log.status, log.response) == (AttemptTrigger.AUTO, False, None, None)
    assert (log.event_type, log.action, log.object_id) == ("COTTask", "create", f"62742b75{0:016x}")
    assert log.object_name == "Equipment sector 1 - Equipment 1-A"
    assert log.next_attempt_at == log.created_at
    assert abs(log.created_at - before).total_seconds() < 60


def test_the_payload_is_stored_byte_for_byte(client):
    make_subscription()
    text = json.dumps(make_event(), indent=3).replace('"indentation": 0', '"indentation": 0.10e1 ') + "\n"
    post(client, make_endpoint(), text.encode())
    assert Payload.objects.get().event == text.strip()


def test_its_words_are_found_and_masked_ones_are_not(client):
    make_subscription()
    post(client, make_endpoint(), as_bytes(make_event(data={"name": "Bomba P-204", "password": "hunter2"})))
    assert len(ids_found("bomba")) == 1
    assert ids_found("hunter2") == []


def test_every_matching_subscription_gets_its_own_log(client):
    first, second = make_subscription(), make_subscription(pk="62685990d918fb5557f9f993")
    make_subscription(pk="62685990d918fb5557f9f994", is_active=False)
    answer = post(client, make_endpoint(), as_bytes(make_event()))
    assert answer.json()["accepted"] == [waiting_logs(first)[0].pk, waiting_logs(second)[0].pk]
    assert Payload.objects.count() == 2


def test_events_are_queued_in_the_order_of_arrival(client):
    subscription, endpoint = make_subscription(), make_endpoint()
    for number in (3, 1, 2):
        post(client, endpoint, as_bytes(make_event(number)))
    assert [log.object_id[-1] for log in waiting_logs(subscription)] == ["3", "1", "2"]
    assert len({log.sequence for log in waiting_logs(subscription)}) == 3


def test_an_unmatched_event_is_accepted_and_counted(client):
    endpoint = make_endpoint()
    for number in range(2):
        answer = post(client, endpoint, as_bytes(make_event(number)))
        assert (answer.status_code, answer.json()) == (202, {"accepted": [], "errors": []})
    counted = UnmatchedCount.objects.get()
    assert (counted.company_id, counted.event_type, counted.action, counted.count) == (COMPANY, "COTTask", "create", 2)
    assert not WebhookLog.objects.exists()


def test_an_unmatched_event_is_stored_when_it_is_repeated_with_a_subscription(client):
    endpoint = make_endpoint()
    post(client, endpoint, as_bytes(make_event()))
    make_subscription()
    assert len(post(client, endpoint, as_bytes(make_event())).json()["accepted"]) == 1


def test_an_event_of_another_company_is_rejected(client):
    make_company(OTHER_COMPANY, "Other")
    answer = post(client, make_endpoint(), as_bytes(make_event(company=OTHER_COMPANY)))
    assert answer.status_code == 422
    reason = "the inbound endpoint is for events of another company"
    assert answer.json() == {"accepted": [], "errors": [{"index": 0, "path": "/company", "reason": reason}]}


@pytest.mark.parametrize("company", [make_event()["company"].upper(), make_event()["company"]])
def test_the_company_can_be_written_in_capitals(client, company):
    make_subscription()
    assert post(client, make_endpoint(), as_bytes(make_event(company=company))).status_code == 202
    assert WebhookLog.objects.get().company == COMPANY


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_any_content_type_is_accepted(client, content_type):
    make_subscription()
    assert post(client, make_endpoint(), as_bytes(make_event()), content_type=content_type).status_code == 202


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[" + as_bytes(make_event()) + b"]", as_bytes(make_event(), make_event(1))]
)
def test_a_request_contains_exactly_one_event(client, body):
    make_subscription()
    answer = post(client, make_endpoint(), body)
    assert answer.status_code == 422
    assert [error["index"] for error in answer.json()["errors"]] == [0]
    assert not WebhookLog.objects.exists()


def test_an_unknown_endpoint_answers_404_in_json(client):
    answer = post(client, "/in/nothing", as_bytes(make_event()))
    assert answer.status_code == 404
    assert answer.json()["errors"] == [
        {"index": None, "path": "", "reason": "There is no such inbound endpoint, or it was revoked."}
    ]


def test_the_short_url_is_the_same_endpoint(client):
    address = make_endpoint().removeprefix("/webhooks")
    assert address.startswith("/in/")
    assert post(client, address, as_bytes(make_event())).status_code == 202


def test_a_revoked_endpoint_is_closed(client):
    address = make_endpoint()
    assert credentials.revoke_credential(InboundEndpoint.objects.get(), by=None)
    assert post(client, address, as_bytes(make_event())).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options", "patch"])
def test_other_methods_are_not_allowed(client, method):
    answer = getattr(client, method)(make_endpoint())
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_the_endpoint_needs_no_csrf_token_and_creates_no_session(db):
    answer = post(Client(enforce_csrf_checks=True), make_endpoint(), as_bytes(make_event()))
    assert answer.status_code == 202
    assert not answer.cookies


def test_its_use_is_recorded_at_most_once_a_minute(client):
    endpoint = make_endpoint()
    post(client, endpoint, as_bytes(make_event()))
    last_used_at = InboundEndpoint.objects.get().last_used_at
    assert last_used_at is not None
    post(client, endpoint, as_bytes(make_event(1)))
    assert InboundEndpoint.objects.get().last_used_at == last_used_at
    InboundEndpoint.objects.update(last_used_at=last_used_at - timedelta(seconds=61))
    post(client, endpoint, as_bytes(make_event(2)))
    assert InboundEndpoint.objects.get().last_used_at > last_used_at - timedelta(seconds=61)


def test_its_secret_is_stored_nowhere(client):
    secret = make_endpoint().removeprefix("/webhooks/in/")
    endpoint = InboundEndpoint.objects.get()
    assert len(secret) == 43
    assert endpoint.hint == secret[-4:]
    assert secret not in str(InboundEndpoint.objects.values_list().get())


def test_no_log_line_contains_the_secret(client, caplog):
    address = make_endpoint()
    with caplog.at_level(logging.INFO):
        post(client, address, b"nonsense")
    lines = [TextFormatter().format(record) for record in caplog.records if record.name == "django.request"]
    assert lines
    assert not any(address.removeprefix("/webhooks/in/") in line for line in lines)
    assert "/in/…" in lines[0]


def test_an_event_costs_few_statements(client, django_assert_max_num_queries):
    make_subscription()
    endpoint = make_endpoint()
    post(client, endpoint, as_bytes(make_event()))
    # the endpoint, begin, matching, the claim, the sequence, the log, its payload, the wake-up, commit
    with django_assert_max_num_queries(9):
        post(client, endpoint, as_bytes(make_event(1)))


@pytest.fixture
def deactivated_after_matching(monkeypatch):
    """Call it with a subscription to deactivate it between the matching of the next event and its sequence."""

    def prepare(subscription):
        def then_deactivate(events):
            subscription_ids = matching_subscriptions(events)
            Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
            return subscription_ids

        monkeypatch.setattr(intake, "matching_subscriptions", then_deactivate)

    return prepare


def test_a_subscription_deactivated_at_the_same_time_gets_nothing(client, deactivated_after_matching):
    deactivated_after_matching(make_subscription())
    assert post(client, make_endpoint(), as_bytes(make_event())).json() == {"accepted": [], "errors": []}
    assert not WebhookLog.objects.exists()
    assert not AcceptedEvent.objects.exists()
    assert UnmatchedCount.objects.get().count == 1


def test_the_other_subscriptions_still_get_the_event(client, deactivated_after_matching):
    first, second = make_subscription(), make_subscription(pk="62685990d918fb5557f9f993")
    deactivated_after_matching(first)
    endpoint = make_endpoint()
    answer = post(client, endpoint, as_bytes(make_event())).json()
    assert answer["accepted"] == [log.pk for log in waiting_logs(second)]
    assert post(client, endpoint, as_bytes(make_event())).json() == answer
    assert WebhookLog.objects.count() == 1
    assert not UnmatchedCount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_event_waits_for_a_concurrent_deactivation():
    """Not yet committed when the event is matched, committed when it is to be queued."""
    subscription, endpoint = make_subscription(), make_endpoint()
    is_changed = threading.Event()

    def deactivate() -> None:
        with transaction.atomic():
            Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
            is_changed.set()
            wait_until(somebody_waits_for_a_lock)

    def send() -> dict:
        is_changed.wait(30)
        return post(Client(), endpoint, as_bytes(make_event())).json()

    _nothing, answer = at_once([deactivate, send])
    assert answer == {"accepted": [], "errors": []}
    assert not WebhookLog.objects.exists()
