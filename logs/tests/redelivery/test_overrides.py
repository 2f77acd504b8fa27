"""Redeliveries with changes, sent by a worker: the URL, the payload, and their effect on the log.

The requests that the receivers got decide.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from logs import signing
from logs.delivery.superseded import NEWER_WAS_DELIVERED
from logs.models import (
    Attempt,
    AttemptTrigger,
    AuditAction,
    AuditEntry,
    Payload,
    RedeliveryOverride,
    RedeliveryRefused,
    State,
    Subscription,
    WebhookLog,
)
from logs.redelivery.dispatcher import dispatch
from logs.redelivery.overrides import queue_override
from logs.retention.log_deletion import delete_logs
from logs.retention.payload_expiry import expire

from ..bulk_redeliveries import DELIVERED, make_object_log, outcomes, start_redelivery
from ..factories import make_log, make_subscription, make_waiting_log
from ..processes import PATIENCE, Worker

pytestmark = pytest.mark.django_db(transaction=True)
OBJECT = "62742b7562f37034d9399914"


def stored_event(log) -> str:
    return Payload.objects.get(pk=log.pk).event


def queue(log, user, *, url="", event=None, reason="a trial") -> bool:
    log.refresh_from_db()
    override = RedeliveryOverride(url=url, event=event, is_edited=event is not None, reason=reason, requested_by=user)
    return queue_override(log, override, stored_event(log), expected_attempts=log.attempt_count or 0)


def outcome_of(log) -> tuple:
    log.refresh_from_db()
    return (log.state, log.status, log.cause, log.response, log.fingerprint, log.duration_ms, log.search)


def with_secrets(url: str) -> Subscription:
    subscription = make_subscription(url=url)
    subscription.secret = signing.generate_secret()
    subscription.headers = [("x-api-key", "hunter2")]
    subscription.save()
    return subscription


@pytest.mark.parametrize("status", [200, 500])
def test_another_url_gets_the_log_once_and_the_log_does_not_change(
    administrator, receiver, other_receiver, deliver, status
):
    make_subscription(url=receiver.url)
    other_receiver.status = status
    log = make_log()
    before = outcome_of(log)
    assert queue(log, administrator, url=other_receiver.url)
    deliver()
    assert (len(receiver.requests), len(other_receiver.requests)) == (0, 1)
    assert outcome_of(log) == before
    assert (log.attempt_count, log.is_queued, log.requested_by) == (4, False, None)
    attempt = log.attempts.get(number=4)
    assert (attempt.trigger, attempt.url, attempt.status, attempt.actor) == (
        "override",
        other_receiver.url,
        status,
        administrator,
    )
    assert [override.number for override in log.overrides.all()] == [4]


def test_another_url_gets_the_id_without_the_signature_and_headers_of_the_subscription(
    administrator, receiver, other_receiver, deliver
):
    with_secrets(receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url)
    deliver()
    [received] = other_receiver.requests
    assert received.headers["webhook-id"] == log.pk
    assert {"webhook-signature", "x-api-key"} & received.headers.keys() == set()
    assert "hunter2" not in str(received.headers)
    assert received.body.decode() == stored_event(log)


def test_an_edited_payload_arrives_as_typed_and_the_stored_event_stays(administrator, receiver, deliver):
    with_secrets(receiver.url)
    log = make_log()
    stored = stored_event(log)
    typed = '{\n  "type" : "COTTask",\t"data": {"n": 1.10, "é": "\\u00e9"} }\n'
    queue(log, administrator, event=typed)
    deliver()
    [received] = receiver.requests
    assert received.body == typed.encode()
    assert {"webhook-signature", "x-api-key"} <= received.headers.keys()
    assert stored_event(log) == stored
    log.refresh_from_db()
    assert (log.state, log.status, log.cause, log.attempt_count) == (State.DELIVERED, 200, "", 4)


def test_a_failed_edited_payload_has_one_attempt_and_is_the_outcome_of_the_log(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 422
    log = make_log()
    queue(log, administrator, event='{"data": {}}')
    deliver()
    assert len(receiver.requests) == 1
    log.refresh_from_db()
    assert (log.state, log.status, log.cause) == (State.FAILED, 422, "http_4xx")


def test_a_delivered_log_stays_delivered_when_its_edited_payload_fails(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 422
    log = make_log(status=200, retry=1, response="OK")
    queue(log, administrator, event='{"data": {}}')
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.response) == (State.DELIVERED, 200, "OK")


def test_url_and_payload_can_be_changed_together(administrator, receiver, other_receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url, event='{"data": null}')
    deliver()
    [received] = other_receiver.requests
    assert received.body == b'{"data": null}'
    log.refresh_from_db()
    assert (log.state, receiver.requests) == (State.FAILED, [])


def test_the_destination_is_checked_before_sending(administrator, receiver, other_receiver, deliver, settings):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url)
    deliver()
    assert other_receiver.requests == []
    assert log.attempts.get(number=4).cause == "blocked"
    log.refresh_from_db()
    assert (log.state, log.cause) == (State.FAILED, "timeout")


def test_the_next_redelivery_has_no_changes(administrator, receiver, other_receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url, event='{"data": 1}')
    deliver()
    log.refresh_from_db()
    assert log.redeliver(by=administrator, expected_attempts=4)
    deliver()
    [received] = receiver.requests
    assert received.body.decode() == stored_event(log)
    assert [attempt.trigger for attempt in log.attempts.all()] == ["cotalker", "override", "manual"]


def test_a_skipped_override_is_not_sent_later_and_does_not_change_the_log(
    administrator, receiver, other_receiver, deliver
):
    subscription = make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url)
    log.refresh_from_db()
    assert log.skip(by=administrator, reason="a mistake")
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.FAILED, False)
    queue(log, administrator, event='{"data": 1}')
    Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
    subscription.refresh_from_db()
    assert subscription.skip_waiting(by=administrator, reason="gone") == 1
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.FAILED, False)
    Subscription.objects.filter(pk=subscription.pk).update(is_active=True)
    log.redeliver(by=administrator, expected_attempts=log.attempt_count)
    deliver()
    assert other_receiver.requests == []
    [received] = receiver.requests
    assert received.body.decode() == stored_event(log)


def test_a_double_click_queues_nothing_twice(administrator, receiver, other_receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    event = stored_event(log)
    overrides = [
        RedeliveryOverride(url=other_receiver.url, reason="a trial", requested_by=administrator) for _click in range(2)
    ]
    assert [queue_override(log, override, event, expected_attempts=3) for override in overrides] == [True, False]
    deliver()
    assert queue_override(log, overrides[1], event, expected_attempts=3) is False
    deliver()
    assert len(other_receiver.requests) == 1
    assert AuditEntry.objects.filter(action=AuditAction.REDELIVERED_WITH_CHANGES).count() == 1


def test_a_log_that_cannot_be_redelivered_cannot_be_redelivered_with_changes(administrator, receiver, other_receiver):
    make_subscription(url=receiver.url, is_active=False)
    log = make_log()
    with pytest.raises(RedeliveryRefused, match="not active"):
        queue(log, administrator, url=other_receiver.url)
    assert RedeliveryOverride.objects.count() == 0


def test_a_paused_queue_sends_the_override_and_stays_paused(administrator, receiver, other_receiver, deliver):
    subscription = make_subscription(url=receiver.url)
    subscription.pause(by=administrator)
    log = make_log()
    queue(log, administrator, url=other_receiver.url)
    deliver()
    assert len(other_receiver.requests) == 1
    subscription.refresh_from_db()
    assert subscription.paused_at is not None


def test_after_a_crash_the_override_is_sent_again_as_the_same_attempt(administrator, receiver, other_receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url, event='{"data": 1}')
    other_receiver.gate = threading.Event()
    killed = Worker()
    assert other_receiver.arrived.wait(PATIENCE)
    killed.kill()
    other_receiver.gate.set()
    deliver()  # once the lease of the dead worker has run out
    assert [received.body for received in other_receiver.requests] == [b'{"data": 1}'] * 2
    assert other_receiver.ids == [log.pk, log.pk]
    assert log.attempts.filter(trigger=AttemptTrigger.OVERRIDE).count() == 1


def test_an_attempt_at_another_url_supersedes_nothing(administrator, receiver, other_receiver, deliver_bulk, deliver):
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    queue(newer, administrator, url=other_receiver.url)
    deliver()
    superseded = WebhookLog.objects.raw(f"SELECT id FROM logs_webhooklog log WHERE {NEWER_WAS_DELIVERED}")
    assert [log.pk for log in superseded] == []
    bulk = deliver_bulk(start_redelivery(administrator, [older]))
    assert outcomes(bulk) == {older.pk: (DELIVERED, "")}


def test_a_delivered_edited_payload_supersedes_older_events(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    queue(newer, administrator, event='{"data": {"name": "corrected"}}')
    deliver()
    superseded = WebhookLog.objects.raw(f"SELECT id FROM logs_webhooklog log WHERE {NEWER_WAS_DELIVERED}")
    assert [log.pk for log in superseded] == [older.pk]


def test_an_override_read_ahead_with_a_bulk_redelivery_supersedes_nothing(
    administrator, receiver, other_receiver, deliver
):
    """The older log of a bulk redelivery and the newer override are read together; the override is sent first."""
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    bulk = start_redelivery(administrator, [older])
    dispatch()
    queue(newer, administrator, url=other_receiver.url)
    deliver()
    assert (other_receiver.ids, receiver.ids) == ([newer.pk], [older.pk])
    assert outcomes(bulk) == {older.pk: (DELIVERED, "")}


def test_the_audit_entry_contains_pointers_and_no_values(administrator, receiver, other_receiver):
    make_subscription(url=receiver.url)
    log = make_log(event={"data": {"name": "Pump", "password": "pbkdf2$1"}})
    event = json.loads(stored_event(log))
    event["data"] = {"name": "Fan", "password": "pbkdf2$2"}
    queue(log, administrator, url=f"{other_receiver.url}?token=abc", event=json.dumps(event), reason="to look at it")
    entry = AuditEntry.objects.get(action=AuditAction.REDELIVERED_WITH_CHANGES)
    assert (entry.actor, entry.target) == (administrator, log.pk)
    assert (
        entry.detail
        == f"attempt 4: to look at it · to {other_receiver.url}?token=•••••••• · /data/name, /data/password"
    )


def test_overrides_are_deleted_with_their_log(administrator, receiver, other_receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url, event='{"data": 1}')
    deliver()
    assert list(delete_logs(timezone.now())) == [1]
    assert (RedeliveryOverride.objects.count(), Attempt.objects.count(), WebhookLog.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize("is_month_kept", [False, True])
def test_an_edited_payload_expires_with_its_original(administrator, receiver, other_receiver, deliver, is_month_kept):
    subscription = make_subscription(url=receiver.url)
    log = make_log()
    queue(log, administrator, url=other_receiver.url, event='{"data": 1}')
    deliver()
    if is_month_kept:
        make_waiting_log(subscription, 1)
    months = expire(datetime(2023, 1, 1, tzinfo=UTC), is_dry=False, should_stop=lambda: False)
    assert [(month.removed, month.retained) for month in months] == [(1, int(is_month_kept))]
    override = RedeliveryOverride.objects.get(log=log)
    assert (override.is_edited, override.event, Payload.objects.filter(pk=log.pk).count()) == (True, None, 0)


def test_each_role_has_its_permissions(member):
    for role, may in (("Viewer", False), ("Operator", False), ("Administrator", True)):
        user = member(role)
        assert {user.has_perm("logs.redeliver_to_custom_url"), user.has_perm("logs.redeliver_edited_payload")} == {
            may
        }, role
