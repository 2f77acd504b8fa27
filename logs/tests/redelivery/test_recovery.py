"""Recover: the plan of an incident, from its button until everything is green."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.incidents import update
from logs.incidents.update import update_incidents
from logs.models import (
    AuditAction,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryState,
    Cause,
    Incident,
    Priority,
    State,
    Subscription,
    WebhookLog,
)
from logs.redelivery.recovery import recovery_of
from logs.templatetags.incidents import recovery_in_words

from ..bulk_redeliveries import make_object_log
from ..factories import OTHER_COMPANY, OTHER_SUBSCRIPTION, make_company, make_subscription, make_waiting_log
from ..html import text_of

pytestmark = pytest.mark.django_db(transaction=True)
OBJECT = "a" * 24
PLAN = {"rollout": "none", "max_attempts": "1", "failure_percent": "100", "superseded_policy": "exclude"}


@pytest.fixture
def subscription(receiver):
    return make_subscription(url=receiver.url)


@pytest.fixture(autouse=True)
def no_incident_is_history(monkeypatch):
    """The sample's logs are years old."""
    monkeypatch.setattr(update, "LEFT_AFTER", timedelta(days=36_500))


@pytest.fixture
def incident(subscription) -> Incident:
    """Three logs failed, one of which a newer event of its object superseded."""
    make_object_log(1, OBJECT)
    make_object_log(2, "b" * 24)
    make_object_log(3, "c" * 24)
    make_object_log(4, OBJECT, status=200, response="OK", retry=1)
    update_incidents()
    return Incident.objects.get()


def plan_of(client, incident: Incident) -> BulkRedelivery:
    """Press Recover…"""
    answer = client.post("/redeliveries/plan/", {"source": "incident", "incident": incident.pk})
    assert answer.status_code == 303
    return BulkRedelivery.objects.get(pk=int(answer["Location"].strip("/").split("/")[-1]))


def start(client, plan: BulkRedelivery, number: int, **choices):
    data = PLAN | {"reason": "the outage", "number": number, "subscriptions": plan.selected_subscriptions} | choices
    return client.post(f"{plan.get_absolute_url()}start/", data, follow=True)


def block(subscription, **fields) -> WebhookLog:
    """The next event of its queue waits for its next attempt."""
    values = {"state": State.RETRYING, "priority": Priority.RETRY, "cause": Cause.HTTP_5XX, "attempt_count": 1}
    later = timezone.now() + timedelta(hours=1)
    return make_waiting_log(subscription, 5, **values | {"next_attempt_at": later} | fields)


def test_the_button_says_what_it_will_do(client, operator, incident, subscription):
    page = text_of(client.get(incident.get_absolute_url()))
    assert "Recover… Redeliver 2 logs, settle 1 as superseded" in page
    subscription.pause(by=operator)
    assert recovery_in_words(recovery_of(incident, operator)) == (
        f"Resume {subscription}, redeliver 2 logs, settle 1 as superseded"
    )


def test_viewers_get_no_button(client, viewer, incident):
    assert "Recover…" not in text_of(client.get(incident.get_absolute_url()))
    assert client.post("/redeliveries/plan/", {"source": "incident", "incident": incident.pk}).status_code == 403


def test_the_plan_holds_the_failed_logs_and_proposes_the_reason(client, operator, incident):
    plan = plan_of(client, incident)
    assert (plan.incident, plan.items.count()) == (incident, 3)
    page = client.get(plan.get_absolute_url())
    assert f"Incident {incident.pk}: {incident.receiver}, No answer in time" in text_of(page)
    assert f'value="Incident {incident.pk}: {incident.receiver}, No answer in time"' in page.content.decode()
    assert f'href="{incident.get_absolute_url()}"' in page.content.decode()
    assert "(1 settled as superseded)" in text_of(page)


def test_starting_it_redelivers_settles_and_resolves_the_incident(client, operator, incident, receiver, deliver_bulk):
    plan = plan_of(client, incident)
    page = start(client, plan, 2)
    assert f"Back to incident {incident.pk}" in text_of(page)
    bulk = deliver_bulk(plan)
    assert bulk.state == BulkRedeliveryState.FINISHED
    assert len(receiver.ids) == len(set(receiver.ids)) == 2
    update_incidents()
    incident.refresh_from_db()
    assert (incident.failed_count, incident.delivered_count, incident.superseded_count) == (0, 2, 1)
    assert incident.resolved_at is not None
    assert "Nothing of it is failed any more." in text_of(client.get(incident.get_absolute_url()))


def test_blocked_queues_are_retried_and_resumed(client, operator, incident, subscription):
    other = make_subscription(OTHER_SUBSCRIPTION, url=subscription.url, name="ERP")
    blocked = block(other)
    subscription.pause(by=operator)
    update_incidents()
    incident.refresh_from_db()
    plan = plan_of(client, incident)
    page = text_of(client.get(plan.get_absolute_url()))
    assert "Retry ERP now" in page
    assert f"Resume {subscription}" in page
    start(client, plan, 2, resume=[subscription.pk], retry=[other.pk])
    subscription.refresh_from_db()
    blocked.refresh_from_db()
    assert subscription.paused_at is None
    assert blocked.next_attempt_at <= timezone.now()
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {AuditAction.QUEUE_RESUMED, AuditAction.RETRIED_NOW, AuditAction.BULK_STARTED} <= actions


def test_what_is_taken_out_stays_as_it_is(client, operator, incident, subscription):
    other = make_subscription(OTHER_SUBSCRIPTION, url=subscription.url, name="ERP")
    blocked = block(other)
    subscription.pause(by=operator)
    update_incidents()
    plan = plan_of(client, incident)
    start(client, plan, 2)
    subscription.refresh_from_db()
    assert subscription.paused_at is not None
    assert WebhookLog.objects.get(pk=blocked.pk).next_attempt_at == blocked.next_attempt_at


def test_the_choice_of_queues_is_kept_in_the_address(client, operator, incident, subscription):
    subscription.pause(by=operator)
    plan = plan_of(client, incident)
    data = PLAN | {"preview": "1", "rollout": "stages", "subscriptions": plan.selected_subscriptions}
    answer = client.post(f"{plan.get_absolute_url()}start/", data, headers={"HX-Request": "true"})
    address = answer["HX-Replace-Url"]
    assert address.endswith(f"blocked={subscription.pk}")
    box = f'name="resume" value="{subscription.pk}"'
    page = " ".join(client.get(address).content.decode().split())
    assert box in page
    assert f"{box} checked" not in page
    assert f"{box} checked" in " ".join(client.get(plan.get_absolute_url()).content.decode().split())


def test_an_incident_without_failed_logs_can_still_unblock_its_queue(client, operator, subscription):
    blocked = block(subscription)
    update_incidents()
    incident = Incident.objects.get()
    assert recovery_in_words(recovery_of(incident, operator)) == f"Retry {subscription}"
    plan = plan_of(client, incident)
    answer = start(client, plan, 0, retry=[subscription.pk])
    assert answer.status_code == 200
    blocked.refresh_from_db()
    assert blocked.next_attempt_at <= timezone.now()


def test_nothing_starts_if_every_part_is_taken_out(client, operator, subscription):
    block(subscription)
    update_incidents()
    plan = plan_of(client, Incident.objects.get())
    answer = start(client, plan, 0)
    assert answer.status_code == 422
    assert "there is nothing to send" in text_of(answer)
    plan.refresh_from_db()
    assert plan.state == BulkRedeliveryState.PLANNED


def test_a_queue_that_went_on_meanwhile_is_left_alone(client, operator, incident, subscription):
    subscription.pause(by=operator)
    plan = plan_of(client, incident)
    subscription.resume(by=operator)
    before = AuditEntry.objects.filter(action=AuditAction.QUEUE_RESUMED).count()
    assert start(client, plan, 2, resume=[subscription.pk]).status_code == 200
    assert AuditEntry.objects.filter(action=AuditAction.QUEUE_RESUMED).count() == before


def test_a_queue_that_was_paused_meanwhile_is_neither_retried_nor_resumed(client, operator, incident, subscription):
    """Who ticked "Retry now" hasn't seen that somebody paused it since."""
    other = make_subscription(OTHER_SUBSCRIPTION, url=subscription.url, name="ERP")
    blocked = block(other)
    update_incidents()
    plan = plan_of(client, incident)
    other.pause(by=operator)
    start(client, plan, 2, retry=[other.pk])
    other.refresh_from_db()
    assert other.paused_at is not None
    assert WebhookLog.objects.get(pk=blocked.pk).next_attempt_at == blocked.next_attempt_at


def test_the_audit_entry_says_which_queues_were_retried_and_resumed(client, operator, incident, subscription):
    other = make_subscription(OTHER_SUBSCRIPTION, url=subscription.url, name="ERP")
    block(other)
    subscription.pause(by=operator)
    update_incidents()
    start(client, plan_of(client, incident), 2, resume=[subscription.pk], retry=[other.pk])
    entry = AuditEntry.objects.get(action=AuditAction.BULK_STARTED)
    assert entry.data == {"logs": 2, "retried": [other.pk], "resumed": [subscription.pk]}


def test_nothing_starts_if_a_queue_cannot_be_resumed(client, operator, incident, subscription, monkeypatch):
    subscription.pause(by=operator)
    plan = plan_of(client, incident)
    client.raise_request_exception = False
    monkeypatch.setattr(Subscription, "resume", lambda self, *, by: 1 / 0)
    assert start(client, plan, 2, resume=[subscription.pk]).status_code == 500
    plan.refresh_from_db()
    assert plan.state == BulkRedeliveryState.PLANNED
    assert not WebhookLog.objects.filter(state=State.SUPERSEDED).exists()


def test_a_double_click_makes_one_plan_and_another_company_none(client, operator, member, incident):
    assert plan_of(client, incident) == plan_of(client, incident)
    client.force_login(member("Operator", company=make_company(OTHER_COMPANY, "Other")))
    answer = client.post("/redeliveries/plan/", {"source": "incident", "incident": incident.pk})
    assert answer.status_code == 422
    assert BulkRedelivery.objects.count() == 1


@pytest.mark.parametrize("incident_id", ["", "x", "99999999", "-1"])
def test_an_unknown_incident_is_an_error(client, operator, incident, incident_id):
    answer = client.post("/redeliveries/plan/", {"source": "incident", "incident": incident_id})
    assert answer.status_code == 422
    assert not BulkRedelivery.objects.exists()


def test_an_incident_that_is_gone_leaves_its_bulk_redelivery_readable(client, operator, incident):
    plan = plan_of(client, incident)
    start(client, plan, 2)
    incident.delete()
    assert client.get(plan.get_absolute_url()).status_code == 200
    assert "An incident" in text_of(client.get("/redeliveries/"))
