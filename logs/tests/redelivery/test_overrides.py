"""Variants, sent by a worker: where a try goes, what it carries, and what it changes of its log. The receivers' ledgers judge."""

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
    RedeliveryRefused,
    State,
    Subscription,
    Variant,
    WebhookLog,
)
from logs.redelivery.dispatcher import dispatch
from logs.redelivery.overrides import queue_override
from logs.retention.log_deletion import delete_logs
from logs.retention.payload_expiry import expire

from ..bulk_redeliveries import DELIVERED, make_object_log, outcomes, start_run
from ..factories import make_log, make_subscription, make_waiting_log
from ..processes import PATIENCE, Worker
from ..receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
OBJECT = "62742b7562f37034d9399914"


@pytest.fixture
def administrator(member):
    return member("Administrator")


@pytest.fixture
def other():
    """Somebody else's receiver."""
    other = Receiver()
    yield other
    other.close()


def stored_event(log) -> str:
    return Payload.objects.get(pk=log.pk).event


def ask(log, user, *, url="", event=None, reason="a trial") -> bool:
    log.refresh_from_db()
    variant = Variant(url=url, event=event, is_edited=event is not None, reason=reason, made_by=user)
    return queue_override(log, variant, stored_event(log), expected_attempts=log.retry or 0)


def told(log) -> tuple:
    log.refresh_from_db()
    return (log.state, log.status, log.cause, log.response, log.fingerprint, log.duration_ms, log.search)


def with_secrets(url: str) -> Subscription:
    subscription = make_subscription(url=url)
    subscription.secret = signing.generate_secret()
    subscription.headers = [("x-api-key", "hunter2")]
    subscription.save()
    return subscription


@pytest.mark.parametrize("status", [200, 500])
def test_another_url_gets_it_once_and_the_log_stays_as_it_was(administrator, receiver, other, deliver, status):
    make_subscription(url=receiver.url)
    other.status = status
    log = make_log()
    before = told(log)
    assert ask(log, administrator, url=other.url)
    deliver()
    assert (len(receiver.ledger), len(other.ledger)) == (0, 1)
    assert told(log) == before
    assert (log.retry, log.is_due, log.requested_by) == (4, False, None)
    attempt = log.attempts.get(number=4)
    assert (attempt.trigger, attempt.url, attempt.status, attempt.actor) == (
        "variant",
        other.url,
        status,
        administrator,
    )
    assert [found.number for found in log.variants.all()] == [4]


def test_another_url_gets_the_id_and_neither_signature_nor_headers_of_the_subscription(
    administrator, receiver, other, deliver
):
    with_secrets(receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url)
    deliver()
    [received] = other.ledger
    assert received.headers["webhook-id"] == log.pk
    assert {"webhook-signature", "x-api-key"} & received.headers.keys() == set()
    assert "hunter2" not in str(received.headers)
    assert received.body.decode() == stored_event(log)


def test_an_edited_payload_arrives_as_it_was_typed_and_the_stored_event_stays(administrator, receiver, deliver):
    with_secrets(receiver.url)
    log = make_log()
    stored = stored_event(log)
    typed = '{\n  "type" : "COTTask",\t"data": {"n": 1.10, "é": "\\u00e9"} }\n'
    ask(log, administrator, event=typed)
    deliver()
    [received] = receiver.ledger
    assert received.body == typed.encode()
    assert {"webhook-signature", "x-api-key"} <= received.headers.keys()
    assert stored_event(log) == stored
    log.refresh_from_db()
    assert (log.state, log.status, log.cause, log.retry) == (State.SUCCEEDED, 200, "", 4)


def test_an_edited_payload_that_fails_is_tried_once_and_is_the_outcome_of_the_log(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 422
    log = make_log()
    ask(log, administrator, event='{"data": {}}')
    deliver()
    assert len(receiver.ledger) == 1
    log.refresh_from_db()
    assert (log.state, log.status, log.cause) == (State.FAILED, 422, "http_4xx")


def test_a_received_log_stays_received_when_its_edited_payload_fails(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    receiver.status = 422
    log = make_log(status=200, retry=1, response="OK")
    ask(log, administrator, event='{"data": {}}')
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.response) == (State.SUCCEEDED, 200, "OK")


def test_both_at_once(administrator, receiver, other, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url, event='{"data": null}')
    deliver()
    [received] = other.ledger
    assert received.body == b'{"data": null}'
    log.refresh_from_db()
    assert (log.state, receiver.ledger) == (State.FAILED, [])


def test_the_guard_judges_when_it_is_sent(administrator, receiver, other, deliver, settings):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url)
    deliver()
    assert other.ledger == []
    assert log.attempts.get(number=4).cause == "blocked"
    log.refresh_from_db()
    assert (log.state, log.cause) == (State.FAILED, "timeout")


def test_the_next_re_delivery_is_an_ordinary_one(administrator, receiver, other, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url, event='{"data": 1}')
    deliver()
    log.refresh_from_db()
    assert log.redeliver(by=administrator, expected_attempts=4)
    deliver()
    [received] = receiver.ledger
    assert received.body.decode() == stored_event(log)
    assert [attempt.trigger for attempt in log.attempts.all()] == ["cotalker", "variant", "manual"]


def test_what_was_taken_out_of_its_lane_is_not_sent_later_and_leaves_the_log_as_it_was(
    administrator, receiver, other, deliver
):
    subscription = make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url)
    log.refresh_from_db()
    assert log.skip(by=administrator, reason="a mistake")
    log.refresh_from_db()
    assert (log.state, log.is_due) == (State.FAILED, False)
    ask(log, administrator, event='{"data": 1}')
    Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
    subscription.refresh_from_db()
    assert subscription.skip_what_waits(by=administrator, reason="gone") == 1
    log.refresh_from_db()
    assert (log.state, log.is_due) == (State.FAILED, False)
    Subscription.objects.filter(pk=subscription.pk).update(is_active=True)
    log.redeliver(by=administrator, expected_attempts=log.retry)
    deliver()
    assert other.ledger == []
    [received] = receiver.ledger
    assert received.body.decode() == stored_event(log)


def test_nothing_is_asked_for_twice_by_a_double_click(administrator, receiver, other, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    event = stored_event(log)
    variants = [Variant(url=other.url, reason="a trial", made_by=administrator) for _click in range(2)]
    assert [queue_override(log, variant, event, expected_attempts=3) for variant in variants] == [True, False]
    deliver()
    assert queue_override(log, variants[1], event, expected_attempts=3) is False
    deliver()
    assert len(other.ledger) == 1
    assert AuditEntry.objects.filter(action=AuditAction.VARIANT_SENT).count() == 1


def test_what_cannot_be_re_delivered_cannot_be_re_delivered_otherwise(administrator, receiver, other):
    make_subscription(url=receiver.url, is_active=False)
    log = make_log()
    with pytest.raises(RedeliveryRefused, match="not active"):
        ask(log, administrator, url=other.url)
    assert Variant.objects.count() == 0


def test_a_lane_on_hold_sends_it_and_stays_on_hold(administrator, receiver, other, deliver):
    subscription = make_subscription(url=receiver.url)
    subscription.hold(by=administrator)
    log = make_log()
    ask(log, administrator, url=other.url)
    deliver()
    assert len(other.ledger) == 1
    subscription.refresh_from_db()
    assert subscription.held_at is not None


def test_after_a_crash_it_is_sent_again_with_the_same_id_and_stays_one_try(administrator, receiver, other, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url, event='{"data": 1}')
    other.gate = threading.Event()
    killed = Worker()
    assert other.arrived.wait(PATIENCE)
    killed.kill()
    other.gate.set()
    deliver()  # once the lease of the dead worker has run out
    assert [received.body for received in other.ledger] == [b'{"data": 1}'] * 2
    assert other.ids == [log.pk, log.pk]
    assert log.attempts.filter(trigger=AttemptTrigger.VARIANT).count() == 1


def test_what_reached_another_url_makes_nothing_stale(administrator, receiver, other, deliver_run, deliver):
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    ask(newer, administrator, url=other.url)
    deliver()
    found = WebhookLog.objects.raw(f"SELECT id FROM logs_webhooklog log WHERE {NEWER_WAS_DELIVERED}")
    assert [log.pk for log in found] == []
    run = deliver_run(start_run(administrator, [older]))
    assert outcomes(run) == {older.pk: (DELIVERED, "")}


def test_an_edited_payload_that_was_received_makes_older_events_stale(administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    ask(newer, administrator, event='{"data": {"name": "mended"}}')
    deliver()
    found = WebhookLog.objects.raw(f"SELECT id FROM logs_webhooklog log WHERE {NEWER_WAS_DELIVERED}")
    assert [log.pk for log in found] == [older.pk]


def test_read_ahead_with_a_run_it_makes_nothing_stale_either(administrator, receiver, other, deliver):
    """The older log of a run and the newer variant are read together; the variant goes first."""
    make_subscription(url=receiver.url)
    older, newer = make_object_log(0, OBJECT), make_object_log(1, OBJECT)
    run = start_run(administrator, [older])
    dispatch()
    ask(newer, administrator, url=other.url)
    deliver()
    assert (other.ids, receiver.ids) == ([newer.pk], [older.pk])
    assert outcomes(run) == {older.pk: (DELIVERED, "")}


def test_the_record_tells_places_and_never_values(administrator, receiver, other):
    make_subscription(url=receiver.url)
    log = make_log(event={"data": {"name": "Pump", "password": "pbkdf2$1"}})
    event = json.loads(stored_event(log))
    event["data"] = {"name": "Fan", "password": "pbkdf2$2"}
    ask(log, administrator, url=f"{other.url}?token=abc", event=json.dumps(event), reason="to look at it")
    entry = AuditEntry.objects.get(action=AuditAction.VARIANT_SENT)
    assert (entry.actor, entry.about) == (administrator, log.pk)
    assert entry.detail == f"attempt 4: to look at it · to {other.url}?token=•••••••• · /data/name, /data/password"


def test_variants_go_with_their_log(administrator, receiver, other, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url, event='{"data": 1}')
    deliver()
    assert list(delete_logs(timezone.now())) == [1]
    assert (Variant.objects.count(), Attempt.objects.count(), WebhookLog.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize("is_month_kept", [False, True])
def test_an_edited_payload_expires_with_the_one_it_was_made_from(
    administrator, receiver, other, deliver, is_month_kept
):
    subscription = make_subscription(url=receiver.url)
    log = make_log()
    ask(log, administrator, url=other.url, event='{"data": 1}')
    deliver()
    if is_month_kept:
        make_waiting_log(subscription, 1)
    months = expire(datetime(2023, 1, 1, tzinfo=UTC), is_dry=False, should_stop=lambda: False)
    assert [(month.removed, month.kept) for month in months] == [(1, int(is_month_kept))]
    variant = Variant.objects.get(log=log)
    assert (variant.is_edited, variant.event, Payload.objects.filter(pk=log.pk).count()) == (True, None, 0)


def test_the_roles(member):
    for role, may in (("Viewer", False), ("Operator", False), ("Administrator", True)):
        user = member(role)
        assert {user.has_perm("logs.redeliver_elsewhere"), user.has_perm("logs.redeliver_edited")} == {may}, role
