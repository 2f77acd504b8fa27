"""Settling failed logs as superseded: they no longer count as failed, it is on record, and it can be undone."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, State, Subscription, WebhookLog
from logs.redelivery.settle import settle

from ..bulk_redeliveries import EXCLUDED, make_delivered_log, make_object_log, outcomes, plan_logs, start_redelivery
from ..factories import COMPANY, OTHER_COMPANY, import_logs, log_document, make_company, make_subscription

pytestmark = pytest.mark.django_db
A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"


@pytest.fixture(autouse=True)
def subscription(db) -> Subscription:
    return make_subscription()


def states(*logs: WebhookLog) -> list[str]:
    stored = dict(WebhookLog.objects.values_list("pk", "state"))
    return [stored[log.pk] for log in logs]


def record() -> list[tuple[str, str, str]]:
    entries = AuditEntry.objects.filter(action__in=[AuditAction.SETTLED, AuditAction.UNSETTLED]).order_by("pk")
    return [(entry.action, entry.target, str(entry.actor)) for entry in entries]


def press(client, page, address: str):
    """Submit the page's form or button with this URL, with all fields of the form."""
    text = page.content.decode()
    assert f'"{address}"' in text, "the page does not offer it"
    return client.post(address, follow=True)


def test_the_button_on_a_superseded_log_settles_it_and_another_undoes_it(client, operator):
    log, newer = make_object_log(1, A), make_delivered_log(2, A)
    page = client.get(log.get_absolute_url())
    page = press(client, page, reverse("logs:log_settle", args=[log.pk]))
    text = " ".join(page.content.decode().split())
    assert states(log, newer) == [State.SUPERSEDED, State.DELIVERED]
    assert f"Settled by {operator}" in text
    assert f'Superseded by <a href="{newer.get_absolute_url()}">a newer event of this object</a>' in text
    page = press(client, page, reverse("logs:log_unsettle", args=[log.pk]))
    assert states(log) == [State.FAILED]
    assert "It counts as failed again." in page.content.decode()
    assert record() == [("settled", log.pk, str(operator)), ("unsettled", log.pk, str(operator))]


def test_a_settled_log_leaves_the_failures_and_has_a_filter_of_its_own(client, operator):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    other = make_object_log(3, B)
    assert settle([log.pk], by=operator) == 1
    for query, found in (("state=failed", [other]), ("state=superseded", [log]), ("q=state:superseded", [log])):
        page = client.get(reverse("logs:webhook_log_list") + f"?{query}").content.decode()
        assert re.findall(r'<tr data-log="(\w+)"', page) == [one.pk for one in found]
    exported = client.get(reverse("logs:webhook_log_list") + "?state=superseded").content.decode()
    assert 'data-state="superseded"' in exported


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.DELIVERED},
        {"state": State.SKIPPED},
        {"next_attempt_at": timezone.now(), "priority": 1, "sequence": 7, "attempts_left": 1},
    ],
    ids=["delivered", "skipped", "queued"],
)
def test_only_a_failed_log_that_is_not_queued_is_settled(operator, change):
    log = make_object_log(1, A)
    make_delivered_log(2, A)
    WebhookLog.objects.filter(pk=log.pk).update(**change)
    before = states(log)
    assert settle([log.pk], by=operator) == 0
    assert (states(log), record()) == (before, [])


def test_a_log_without_a_newer_delivered_event_is_not_settled(client, operator):
    older, log, newer = make_delivered_log(1, A), make_object_log(2, A), make_object_log(3, A)
    make_delivered_log(4, B)
    assert settle([log.pk, newer.pk], by=operator) == 0
    assert states(older, log, newer) == [State.DELIVERED, State.FAILED, State.FAILED]
    page = client.get(log.get_absolute_url()).content.decode()
    assert reverse("logs:log_settle", args=[log.pk]) not in page


def test_the_event_that_blocks_its_queue_is_not_settled(operator, subscription):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    Subscription.objects.filter(pk=subscription.pk).update(paused_at=timezone.now(), blocking_log=log.pk)
    assert settle([log.pk], by=operator) == 0
    assert states(log) == [State.FAILED]


def test_a_log_that_waits_in_a_bulk_redelivery_is_not_settled(operator):
    log = make_object_log(1, A)
    start_redelivery(operator, [log])
    make_delivered_log(2, A)
    assert settle([log.pk], by=operator) == 0


def test_selected_logs_are_settled_as_far_as_they_are_superseded(client, operator):
    log, other = make_object_log(1, A), make_object_log(3, B)
    make_delivered_log(2, A)
    address = reverse("logs:selection_settle")
    page = client.post(address, {"source": "selected", "query": "", "log": [log.pk, other.pk]}, follow=True)
    assert "1 log was settled as superseded." in page.content.decode()
    assert states(log, other) == [State.SUPERSEDED, State.FAILED]


def test_all_logs_of_a_filter_are_settled_and_unsettled(client, operator):
    logs = [make_object_log(1, A), make_object_log(2, A)]
    make_delivered_log(3, A)
    settled = client.post(reverse("logs:selection_settle"), {"source": "filter", "query": "state=failed"}, follow=True)
    assert "2 logs were settled as superseded." in settled.content.decode()
    assert states(*logs) == [State.SUPERSEDED] * 2
    undone = {"source": "filter", "query": "state=superseded"}
    page = client.post(reverse("logs:selection_unsettle"), undone, follow=True)
    assert "2 logs count as failed again." in page.content.decode()
    assert states(*logs) == [State.FAILED] * 2


@pytest.mark.parametrize("query", ["range=99d", "state=broken", "nothing=1"])
def test_an_invalid_filter_settles_nothing(client, operator, query):
    log = make_object_log(1, A)
    make_delivered_log(2, A)
    answer = client.post(reverse("logs:selection_settle"), {"source": "filter", "query": query})
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.content.decode()
    assert states(log) == [State.FAILED]


def test_a_plan_settles_what_it_excludes_as_superseded(client, operator):
    log, other = make_object_log(1, A), make_object_log(3, B)
    make_delivered_log(2, A)
    bulk = start_redelivery(operator, [log, other])
    assert outcomes(bulk)[log.pk] == (EXCLUDED, "superseded")
    assert states(log) == [State.SUPERSEDED]
    page = " ".join(html.unescape(client.get(log.get_absolute_url()).content.decode()).split())
    assert f'href="{bulk.get_absolute_url()}" >bulk redelivery {bulk.pk}' in page


def test_a_plan_that_has_nothing_to_send_settles_by_its_own_button(client, operator):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    bulk = plan_logs(operator, [log])
    page = client.get(bulk.get_absolute_url())
    page = press(client, page, reverse("logs:bulk_redelivery_settle", args=[bulk.pk]))
    assert "1 log was settled as superseded." in page.content.decode()
    assert states(log) == [State.SUPERSEDED]


def test_a_settled_log_can_be_redelivered_after_a_confirmation(client, operator):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    settle([log.pk], by=operator)
    log.refresh_from_db()
    assert log.redeliver(by=operator, expected_attempts=log.attempt_count, is_confirmed=True)
    assert states(log) == [State.PENDING]


def test_importing_the_same_document_again_leaves_it_settled(operator):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    settle([log.pk], by=operator)
    document = log_document(1, {"data": {"_id": A, "name": f"object {A[-2:]}"}})
    assert import_logs(document).unchanged == 1
    assert states(log) == [State.SUPERSEDED]


def test_nobody_settles_logs_of_another_company_or_without_the_permission(client, member):
    log, _newer = make_object_log(1, A), make_delivered_log(2, A)
    settle_one = reverse("logs:log_settle", args=[log.pk])
    selected = {"source": "selected", "query": "", "log": log.pk}
    client.force_login(member("Viewer", make_company(COMPANY)))
    assert client.post(settle_one).status_code == 403
    assert client.post(reverse("logs:selection_settle"), selected).status_code == 403
    client.force_login(member("Operator", make_company(OTHER_COMPANY, "Other")))
    assert client.post(settle_one).status_code == 404
    client.post(reverse("logs:selection_settle"), selected)
    assert states(log) == [State.FAILED]
