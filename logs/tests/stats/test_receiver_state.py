"""Whether a receiver has recovered: by attempts, and the same on every page that says so."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import Attempt, Subscription, WebhookLog
from logs.redelivery import overrides
from logs.stats.subscription_list import subscription_rows

from ..bulk_redeliveries import plan_logs
from ..factories import SUBSCRIPTION, import_logs, log_document, make_subscription
from ..html import text_of

DOWN = {"status": 502, "response": "502 Bad Gateway", "retry": 3}
UP = {"status": 200, "response": "OK", "retry": 1}
FAILING = "Nothing has been delivered since the last failure."
RECOVERED = "The subscription has recovered."
WARNING = "1 receiver has had no successful delivery since its last failure."


@pytest.fixture
def operator(client, member, transactional_db, receiver):
    user = member("Administrator")
    client.force_login(user)
    make_subscription(url=receiver.url)
    return user


def log_of(minutes: int, **fields) -> WebhookLog:
    """An imported one, of so many minutes ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    event = {"data": {"_id": f"{minutes:024x}"}}
    document = log_document(event=event) | {
        "_id": objectid.new_objectid(at),
        "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    import_logs(document | fields)
    return WebhookLog.objects.get(pk=document["_id"])


def send_again(log: WebhookLog, user, deliver) -> None:
    assert log.redeliver(by=user, expected_attempts=log.retry, is_confirmed=True)
    deliver()


def assert_told(client, operator, failed: WebhookLog, has_recovered: bool) -> None:
    """The sentence and the rows of three pages, and the warning of a plan."""
    badge, other = ("Recovered", "Still failing") if has_recovered else ("Still failing", "Recovered")
    overview, failures = text_of(client.get("/")), text_of(client.get("/failures/"))
    assert (RECOVERED in overview, FAILING in overview) == (has_recovered, not has_recovered)
    for page in (overview, failures):
        assert badge in page
        assert other not in page
    subscription = text_of(client.get(f"/subscriptions/{SUBSCRIPTION}/"))
    assert ("; the last delivery succeeded" in subscription) == has_recovered
    plan = text_of(client.get(plan_logs(operator, [failed]).get_absolute_url()))
    assert (WARNING in plan) == (not has_recovered)


def test_an_old_log_that_is_received_now_is_a_recovery(client, operator, receiver, deliver):
    old, newer = log_of(60, **DOWN), log_of(30, **DOWN)
    assert_told(client, operator, newer, has_recovered=False)
    send_again(old, operator, deliver)
    assert receiver.ids == [old.pk]
    assert_told(client, operator, newer, has_recovered=True)


def test_an_old_log_that_fails_now_is_a_failure_whatever_newer_events_were_received_before(
    client, operator, receiver, deliver
):
    failed = log_of(60, **DOWN)
    log_of(5, **UP)
    assert_told(client, operator, failed, has_recovered=True)
    receiver.status = 502
    send_again(failed, operator, deliver)
    assert_told(client, operator, failed, has_recovered=False)
    for sort in ("success", "-failure"):
        [row] = subscription_rows(Subscription.objects.all(), timezone.now(), 50, sort).rows
        assert row.last_failure == Attempt.objects.filter(trigger="manual").latest("number").started_at


def test_what_was_received_and_fails_when_it_is_sent_again_is_a_failure(client, operator, receiver, deliver):
    """It stays received, and yet its receiver is down now."""
    failed, received = log_of(60, **DOWN), log_of(5, **UP)
    receiver.status = 502
    send_again(received, operator, deliver)
    assert_told(client, operator, failed, has_recovered=False)


def test_what_went_to_another_url_tells_nothing_of_the_receiver(client, operator, receiver, deliver):
    log_of(60, **DOWN)
    failed = log_of(30, **DOWN)
    variant = overrides.Variant(url=receiver.url + "/elsewhere", reason="a trial", made_by=operator)
    assert overrides.queue_override(failed, variant, None, expected_attempts=failed.retry)
    deliver()
    assert Attempt.objects.get(trigger="variant").subscription_id is None
    assert_told(client, operator, failed, has_recovered=False)


def test_attempts_of_before_are_told_apart_in_the_same_way(operator, receiver, deliver):
    """By the migration that gave them their subscription."""
    ours, elsewhere = log_of(60, **DOWN), log_of(30, **DOWN)
    send_again(ours, operator, deliver)
    overrides.queue_override(
        elsewhere,
        overrides.Variant(url=receiver.url, reason="a trial", made_by=operator),
        None,
        expected_attempts=elsewhere.retry,
    )
    deliver()
    before = set(Attempt.objects.values_list("trigger", "log", "subscription"))
    assert before == {
        ("cotalker", ours.pk, None),
        ("manual", ours.pk, SUBSCRIPTION),
        ("cotalker", elsewhere.pk, None),
        ("variant", elsewhere.pk, None),
    }
    Attempt.objects.update(subscription=None)
    with connection.cursor() as cursor:
        cursor.execute(import_module("logs.migrations.0018_attempts_of_receivers").FILL)
    assert set(Attempt.objects.values_list("trigger", "log", "subscription")) == before
