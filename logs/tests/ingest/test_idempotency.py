"""Repeated events, one after the other and at the same time."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from logs.ingest import idempotency, unmatched
from logs.models import AcceptedEvent, Subscription, UnmatchedCount, WebhookLog

from ..events import as_array, as_bytes, at_once, make_endpoint, make_event, make_token, post, waiting_logs
from ..factories import COMPANY, make_company, make_subscription

ADDRESS = "/api/v3/events"
DAY = timedelta(hours=24)


@pytest.mark.django_db
def test_a_repeated_event_gets_the_first_logs_as_response(client):
    make_subscription()
    make_subscription(pk="62685990d918fb5557f9f993")
    token = make_token()
    first = post(client, ADDRESS, as_bytes(make_event()), token)
    assert len(first.json()["accepted"]) == 2
    for address, body in [
        (ADDRESS, as_bytes(make_event())),
        (ADDRESS, as_array(make_event())),
        (make_endpoint(), as_bytes(make_event())),
    ]:
        again = post(client, address, body, token)
        assert (again.status_code, again.json()) == (202, first.json())
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_an_event_that_differs_in_one_byte_is_another_event(client):
    make_subscription()
    token = make_token()
    for body in (as_bytes(make_event()), as_bytes(make_event()).replace(b": ", b":", 1)):
        post(client, ADDRESS, body, token)
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_a_repeated_event_within_a_batch_creates_one_log(client):
    subscription = make_subscription()
    answer = post(client, ADDRESS, as_array(make_event(1), make_event(2), make_event(1)), make_token()).json()
    first, second = waiting_logs(subscription)
    assert answer == {"accepted": [first.pk, second.pk, first.pk], "errors": []}


@pytest.mark.django_db
def test_the_idempotency_key_takes_precedence_over_the_bytes(client):
    make_subscription()
    token = make_token()
    for key in ("a", "a", "b"):
        assert post(client, ADDRESS, as_bytes(make_event()), token, **{"Idempotency-Key": key}).status_code == 202
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_each_event_of_a_batch_has_its_own_key(client):
    make_subscription()
    token, batch = make_token(), as_array(make_event(1), make_event(1), make_event(2))
    first = post(client, ADDRESS, batch, token, **{"Idempotency-Key": "batch"}).json()
    assert len(set(first["accepted"])) == 3
    assert post(client, ADDRESS, batch, token, **{"Idempotency-Key": "batch"}).json() == first


@pytest.mark.django_db
def test_another_event_with_the_same_key_is_an_error_of_that_event(client):
    make_subscription()
    token = make_token()
    reason = "another event was sent with this Idempotency-Key in the last 24 hours"
    post(client, ADDRESS, as_array(make_event(1), make_event(2)), token, **{"Idempotency-Key": "a"})
    mixed = post(client, ADDRESS, as_array(make_event(1), make_event(3)), token, **{"Idempotency-Key": "a"})
    assert (mixed.status_code, len(mixed.json()["accepted"])) == (202, 1)
    assert mixed.json()["errors"] == [{"index": 1, "path": "", "reason": reason}]
    alone = post(client, ADDRESS, as_bytes(make_event(3)), token, **{"Idempotency-Key": "a"})
    assert (alone.status_code, alone.json()["accepted"]) == (422, [])
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_keys_are_separate_for_each_company(client):
    other = make_company("625be93a286ef83c1c0e0000", "Other")
    make_subscription()
    make_subscription(pk="62685990d918fb5557f9f993", company=other)
    token = make_token(make_company(), other)
    for number, company in enumerate((COMPANY, other.pk)):
        answer = post(client, ADDRESS, as_bytes(make_event(number, company=company)), token, **{"Idempotency-Key": "a"})
        assert answer.json()["errors"] == []
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_a_repeated_event_is_new_after_24_hours(client):
    make_subscription()
    token = make_token()
    first = post(client, ADDRESS, as_bytes(make_event()), token).json()["accepted"]
    now = timezone.now()
    AcceptedEvent.objects.update(accepted_at=now - DAY + timedelta(minutes=1))
    assert post(client, ADDRESS, as_bytes(make_event()), token).json()["accepted"] == first
    AcceptedEvent.objects.update(accepted_at=now - DAY - timedelta(minutes=1))
    second = post(client, ADDRESS, as_bytes(make_event()), token).json()["accepted"]
    assert first != second
    assert AcceptedEvent.objects.get().logs == second
    assert AcceptedEvent.objects.get().accepted_at > now - timedelta(minutes=1)


@pytest.mark.django_db
def test_a_repeated_event_is_recognized_after_its_subscription_stopped(client):
    make_subscription()
    token = make_token()
    first = post(client, ADDRESS, as_bytes(make_event()), token).json()
    Subscription.objects.update(is_active=False)
    assert post(client, ADDRESS, as_bytes(make_event()), token).json() == first
    assert not UnmatchedCount.objects.exists()


@pytest.mark.django_db
def test_old_keys_are_deleted(client):
    make_subscription()
    token = make_token()
    post(client, ADDRESS, as_array(make_event(1), make_event(2), make_event(3, type="COTUser")), token)
    old, young = AcceptedEvent.objects.order_by("key")
    AcceptedEvent.objects.filter(pk=old.pk).update(accepted_at=timezone.now() - DAY - timedelta(minutes=1))
    counted = UnmatchedCount.objects.get()
    today = counted.day
    for days in (90, 91):
        UnmatchedCount.objects.create(company_id=COMPANY, day=today - timedelta(days=days), event_type="A", action="B")
    idempotency.purge_idempotency_keys()
    unmatched.purge_unmatched()
    assert list(AcceptedEvent.objects.all()) == [young]
    assert {count.day for count in UnmatchedCount.objects.all()} == {today, today - timedelta(days=90)}


@pytest.mark.django_db(transaction=True)
def test_concurrent_copies_of_an_event_create_one_log():
    subscription, token = make_subscription(), make_token()
    answers = at_once([lambda: post(Client(), ADDRESS, as_bytes(make_event()), token).json()] * 8)
    log = WebhookLog.objects.get()
    assert answers == [{"accepted": [log.pk], "errors": []}] * 8
    assert waiting_logs(subscription) == [log]


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_same_events_in_any_order_cause_no_deadlock():
    """Eight at once for three queues, each beginning with another event; also with unmatched events."""
    triggers = ["create-edit-delete-task", "create-edit-delete-user", "create-edit-delete-note"]
    subscriptions = [
        make_subscription(pk=f"62685990d918fb5557f9f9{n:02x}", trigger=trigger) for n, trigger in enumerate(triggers)
    ]
    token = make_token()
    types = ["COTTask", "COTUser", "COTNote", "COTProperty", "COTSurvey"]
    events = [make_event(number, type=types[number % 5]) for number in range(60)]
    batches = [as_array(*(events[start:] + events[:start])) for start in range(0, 56, 7)]
    answers = at_once([lambda batch=batch: post(Client(), ADDRESS, batch, token) for batch in batches])
    assert [answer.status_code for answer in answers] == [202] * 8
    assert len({tuple(sorted(answer.json()["accepted"])) for answer in answers}) == 1
    assert [len(waiting_logs(subscription)) for subscription in subscriptions] == [12, 12, 12]
    for subscription in subscriptions:
        assert len({log.sequence for log in waiting_logs(subscription)}) == 12
    assert sum(UnmatchedCount.objects.values_list("count", flat=True)) == 8 * 24


@pytest.mark.django_db(transaction=True)
def test_batches_for_the_same_queues_are_stored_one_after_another():
    """Each batch begins with another queue and another kind of unmatched event."""
    types = ["COTTask", "COTUser", "COTNote"]
    triggers = ["create-edit-delete-task", "create-edit-delete-user", "create-edit-delete-note"]
    subscriptions = [
        make_subscription(pk=f"62685990d918fb5557f9f9{n:02x}", trigger=trigger) for n, trigger in enumerate(triggers)
    ]
    token = make_token()

    def batch(number: int) -> bytes:
        kinds = [*types, *(f"Nobody{kind}" for kind in range(40))]
        turned = kinds[number % 3 :] + kinds[: number % 3] if number % 2 else kinds[::-1]
        return as_array(*(make_event(100 * number + n, type=kind) for n, kind in enumerate(turned * 2)))

    for start in (0, 8, 16):
        calls = [lambda n=n: post(Client(), ADDRESS, batch(n), token).status_code for n in range(start, start + 8)]
        assert at_once(calls) == [202] * 8
    for subscription in subscriptions:
        assert len({log.sequence for log in waiting_logs(subscription)}) == 48
        objects = [int(log.object_id[8:], 16) for log in waiting_logs(subscription)]
        batches = [number // 100 for number in objects]
        assert all(first == second for first, second in zip(batches[::2], batches[1::2], strict=True))
        assert all(first < second for first, second in zip(objects[::2], objects[1::2], strict=True))
    assert set(UnmatchedCount.objects.values_list("count", flat=True)) == {48}


@pytest.mark.django_db(transaction=True)
def test_counting_unmatched_events_causes_no_deadlock():
    token = make_token()
    events = [make_event(number, type=f"Nobody{number}") for number in range(300)]
    bodies = [as_array(*events), as_array(*reversed(events))] * 4
    for _time in range(3):
        answers = at_once([lambda body=body: post(Client(), ADDRESS, body, token).status_code for body in bodies])
        assert answers == [202] * 8
    assert set(UnmatchedCount.objects.values_list("count", flat=True)) == {24}


@pytest.mark.django_db(transaction=True)
def test_cleaning_up_does_not_wait_for_events_being_stored():
    make_subscription()
    post(Client(), ADDRESS, as_array(make_event(1), make_event(2)), make_token())
    AcceptedEvent.objects.update(accepted_at=timezone.now() - 2 * DAY)
    first = AcceptedEvent.objects.order_by("key")[0]
    is_locked, may_end = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic():
            AcceptedEvent.objects.select_for_update().get(pk=first.pk)
            is_locked.set()
            may_end.wait(30)

    def clean_up() -> None:
        is_locked.wait(30)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        try:
            idempotency.purge_idempotency_keys()
        finally:
            may_end.set()

    at_once([lock, clean_up])
    assert list(AcceptedEvent.objects.all()) == [first]
