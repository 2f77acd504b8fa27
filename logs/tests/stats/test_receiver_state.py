"""Whether a receiver has recovered: by attempts, and the same on every page that says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
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


@pytest.fixture(autouse=True)
def subscription(transactional_db, receiver) -> Subscription:
    return make_subscription(url=receiver.url)


def log_of(minutes: int, **fields) -> WebhookLog:
    """An imported log from so many minutes ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    event = {"data": {"_id": f"{minutes:024x}"}}
    document = log_document(event=event) | {
        "_id": objectid.new_objectid(at),
        "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    import_logs(document | fields)
    return WebhookLog.objects.get(pk=document["_id"])


def send_again(log: WebhookLog, user, deliver) -> None:
    assert log.redeliver(by=user, expected_attempts=log.attempt_count, is_confirmed=True)
    deliver()


def assert_shown(client, administrator, failed: WebhookLog, has_recovered: bool) -> None:
    """The sentence and the rows of two pages, and the warning of a plan."""
    badge, other = ("Recovered", "Still failing") if has_recovered else ("Still failing", "Recovered")
    overview, subscription = text_of(client.get("/")), text_of(client.get(f"/subscriptions/{SUBSCRIPTION}/"))
    assert (RECOVERED in overview, FAILING in overview) == (has_recovered, not has_recovered)
    for page in (overview, subscription):
        assert badge in page
        assert other not in page
    assert ("; the last delivery succeeded" in subscription) == has_recovered
    plan = text_of(client.get(plan_logs(administrator, [failed]).get_absolute_url()))
    assert (WARNING in plan) == (not has_recovered)


def test_delivering_an_old_log_now_is_a_recovery(client, administrator, receiver, deliver):
    old, newer = log_of(60, **DOWN), log_of(30, **DOWN)
    assert_shown(client, administrator, newer, has_recovered=False)
    send_again(old, administrator, deliver)
    assert receiver.ids == [old.pk]
    assert_shown(client, administrator, newer, has_recovered=True)


def test_an_old_log_that_fails_now_is_a_failure_despite_newer_deliveries(client, administrator, receiver, deliver):
    failed = log_of(60, **DOWN)
    log_of(5, **UP)
    assert_shown(client, administrator, failed, has_recovered=True)
    receiver.status = 502
    send_again(failed, administrator, deliver)
    assert_shown(client, administrator, failed, has_recovered=False)
    for sort in ("success", "-failure"):
        [row] = subscription_rows(Subscription.objects.all(), timezone.now(), 50, sort).rows
        assert row.last_failure == Attempt.objects.filter(trigger="manual").latest("number").started_at


def test_a_delivered_log_whose_redelivery_fails_is_a_failure(client, administrator, receiver, deliver):
    """The log stays delivered, although its receiver is down now."""
    failed, delivered = log_of(60, **DOWN), log_of(5, **UP)
    receiver.status = 502
    send_again(delivered, administrator, deliver)
    assert_shown(client, administrator, failed, has_recovered=False)


def test_an_attempt_to_another_url_says_nothing_about_the_receiver(client, administrator, receiver, deliver):
    log_of(60, **DOWN)
    failed = log_of(30, **DOWN)
    override = overrides.RedeliveryOverride(
        url=receiver.url + "/elsewhere", reason="a trial", requested_by=administrator
    )
    assert overrides.queue_override(failed, override, None, expected_attempts=failed.attempt_count)
    deliver()
    assert Attempt.objects.get(trigger="override").subscription_id is None
    assert_shown(client, administrator, failed, has_recovered=False)
