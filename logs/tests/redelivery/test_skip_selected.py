"""Skipping the selected logs that are queued: confirmed with a reason, on record, and only those that were shown."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, State, WebhookLog
from logs.views.logs import selected

from ..factories import OTHER_COMPANY, make_company, make_log, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
SKIP = reverse("logs:selection_skip")


def states(*logs: WebhookLog) -> list[str]:
    stored = dict(WebhookLog.objects.values_list("pk", "state"))
    return [stored[log.pk] for log in logs]


def confirm(client, page, reason="a duplicate"):
    """Send the confirmation as the page holds it."""
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
    return client.post(SKIP, dict(fields) | {"reason": reason}, follow=True)


@pytest.fixture
def logs(subscription) -> list[WebhookLog]:
    """Two that wait, and one that has failed."""
    return [make_waiting_log(subscription, 1), make_waiting_log(subscription, 2), make_log(3)]


def test_only_the_queued_ones_are_skipped_after_the_reason_was_given(client, operator, logs):
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [log.pk for log in logs]})
    assert "2 of 3 selected logs are queued." in page.content.decode()
    assert states(*logs) == [State.PENDING, State.PENDING, State.FAILED]
    answer = confirm(client, page).content.decode()
    assert "2 events were skipped." in answer
    assert states(*logs) == [State.SKIPPED, State.SKIPPED, State.FAILED]
    entries = AuditEntry.objects.filter(action=AuditAction.SKIPPED)
    assert {(entry.target, entry.actor, entry.detail) for entry in entries} == {
        (log.pk, operator, "a duplicate") for log in logs[:2]
    }


def test_without_a_reason_nothing_is_skipped(client, operator, logs):
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [log.pk for log in logs]})
    answer = confirm(client, page, reason=" ")
    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()
    assert states(*logs)[0] == State.PENDING
    confirm(client, answer)
    assert states(*logs)[:2] == [State.SKIPPED, State.SKIPPED]


def test_a_filter_is_confirmed_by_the_logs_that_it_found(client, operator, logs, subscription):
    page = client.post(SKIP, {"source": "filter", "query": "state=pending"})
    later = make_waiting_log(subscription, 4)
    answer = confirm(client, page)
    assert answer.redirect_chain[0][0].startswith("/logs/?state=pending")
    assert states(*logs[:2], later) == [State.SKIPPED, State.SKIPPED, State.PENDING]


def test_what_was_sent_meanwhile_is_not_skipped(client, operator, logs):
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [log.pk for log in logs]})
    WebhookLog.objects.filter(pk=logs[0].pk).update(state=State.DELIVERED, next_attempt_at=None)
    answer = confirm(client, page).content.decode()
    assert "1 event was skipped. 1 was not queued any more." in answer
    assert states(*logs[:2]) == [State.DELIVERED, State.SKIPPED]


def test_an_event_that_blocks_its_queue_can_be_skipped(client, operator, subscription):
    log = make_log(1)
    type(subscription).objects.filter(pk=subscription.pk).update(blocking_log=log.pk, paused_at=timezone.now())
    confirm(client, client.post(SKIP, {"source": "selected", "query": "", "log": [log.pk]}))
    subscription.refresh_from_db()
    assert (states(log), subscription.paused_at) == ([State.SKIPPED], None)


def test_where_nothing_is_queued_or_too_much_the_page_says_so(client, operator, logs, monkeypatch):
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [logs[2].pk]}).content.decode()
    assert "None of the selected logs is queued" in page
    monkeypatch.setattr(selected, "MAX_SKIPPED", 1)
    page = client.post(SKIP, {"source": "filter", "query": "state=pending"}).content.decode()
    assert "More than 1 of them are queued." in page
    assert states(*logs[:2]) == [State.PENDING, State.PENDING]


def test_logs_of_others_are_never_skipped_and_a_viewer_may_not(client, operator, member, logs):
    foreign = make_waiting_log(make_subscription(pk="6" * 24, company=make_company(OTHER_COMPANY, "Other")), 5)
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [foreign.pk]}).content.decode()
    assert "None of the selected logs is queued" in page
    client.post(SKIP, {"source": "ids", "query": "", "ids": foreign.pk, "reason": "not mine"})
    assert states(foreign) == [State.PENDING]
    client.force_login(member("Viewer"))
    assert client.post(SKIP, {"source": "ids", "query": "", "ids": logs[0].pk, "reason": "no"}).status_code == 403


def test_a_log_that_is_deleted_meanwhile_does_not_stop_the_others(client, operator, logs, monkeypatch):
    page = client.post(SKIP, {"source": "selected", "query": "", "log": [log.pk for log in logs]})
    skip = WebhookLog.skip

    def delete_first(log, **how) -> bool:
        WebhookLog.objects.filter(pk=logs[0].pk).delete()
        return skip(log, **how)

    monkeypatch.setattr(WebhookLog, "skip", delete_first)
    assert "1 event was skipped. 1 was not queued any more." in confirm(client, page).content.decode()
    assert states(logs[1]) == [State.SKIPPED]
