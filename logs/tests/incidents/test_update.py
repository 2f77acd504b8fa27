"""How the worker opens, continues and resolves incidents, from attempts, queues and imported logs."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from cotadmin.database import connection_parameters
from logs.incidents import update
from logs.incidents.update import UPDATE_LOCK, update_incidents
from logs.models import Attempt, Cause, Incident, IncidentEntry, IncidentInbox, IncidentLog, State, WebhookLog
from logs.redelivery.settle import settle, unsettle

from ..factories import OTHER_COMPANY, OTHER_SUBSCRIPTION, make_company, make_log_of_age, make_subscription

pytestmark = pytest.mark.django_db(transaction=True)
Kind = IncidentEntry.Kind
THIRD_SUBSCRIPTION = "62685990d918fb5557f9f994"


@pytest.fixture
def subscription():
    return make_subscription(url="https://erp.example.com/tasks")


def failed(subscription, minutes: int, **fields) -> WebhookLog:
    """An imported log that failed so many minutes ago."""
    values = {"cause": Cause.HTTP_5XX, "status": 500, "attempt_count": 3} | fields
    return make_log_of_age(subscription, State.FAILED, timedelta(minutes=minutes), **values)


def delivered(subscription, minutes: int) -> WebhookLog:
    return make_log_of_age(subscription, State.DELIVERED, timedelta(minutes=minutes))


def attempt(log: WebhookLog, minutes: int, state: str, cause: str = "") -> None:
    """An attempt of ours so many minutes ago, and its outcome."""
    number = (log.attempt_count or 0) + 1
    at = timezone.now() - timedelta(minutes=minutes)
    Attempt.objects.create(
        log=log, subscription_id=log.subscription_id, number=number, trigger="manual", started_at=at, cause=cause
    )
    WebhookLog.objects.filter(pk=log.pk).update(state=state, cause=cause, attempt_count=number, sequence=1)
    log.refresh_from_db()


def kinds(incident: Incident) -> list[str]:
    return list(incident.entries.values_list("kind", flat=True))


def only_incident() -> Incident:
    while update_incidents():
        pass
    return Incident.objects.get()


def test_an_outage_of_a_host_is_one_incident_with_several_subscriptions_and_causes(subscription):
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://erp.example.com/users")
    first = failed(subscription, 60)
    failed(other, 55, cause=Cause.TIMEOUT, status=None)
    last = failed(subscription, 50)
    incident = only_incident()
    assert (incident.receiver, incident.company_id) == ("erp.example.com", subscription.company_id)
    assert incident.subscription_ids == [subscription.pk, other.pk]
    assert incident.causes == ["http_5xx", "timeout"]
    assert (incident.started_at, incident.last_failed_at) == (first.created_at, last.created_at)
    assert (incident.first_log, incident.last_log) == (first.pk, last.pk)
    assert (incident.failed_count, incident.log_count, incident.is_failing) == (3, 3, True)
    assert kinds(incident) == [Kind.OPENED]
    assert not IncidentInbox.objects.exists()


def test_receivers_and_companies_are_kept_apart(subscription):
    elsewhere = make_subscription(OTHER_SUBSCRIPTION, url="https://crm.example.com/")
    others = make_subscription(
        THIRD_SUBSCRIPTION, url="https://erp.example.com/", company=make_company(OTHER_COMPANY, "Other")
    )
    for place in (subscription, elsewhere, others):
        failed(place, 10)
    while update_incidents():
        pass
    found = Incident.objects.order_by("receiver", "company").values_list("receiver", "company", "failed_count")
    assert sorted(found) == sorted(
        [
            ("crm.example.com", subscription.company_id, 1),
            ("erp.example.com", OTHER_COMPANY, 1),
            ("erp.example.com", subscription.company_id, 1),
        ]
    )


def test_imported_logs_count_by_their_own_times_whatever_their_order(subscription):
    failed(subscription, 600)
    delivered(subscription, 500)
    failed(subscription, 100)
    while update_incidents():
        pass
    delivered(subscription, 90)
    while update_incidents():
        pass
    earlier, later = Incident.objects.order_by("started_at")
    assert [incident.recovered_at is not None for incident in (earlier, later)] == [True, True]
    assert [incident.failed_count for incident in (earlier, later)] == [1, 1]
    assert earlier.recovered_at < later.started_at < later.recovered_at


@pytest.mark.parametrize(
    "then, has_recovered",
    [
        pytest.param([], False, id="nothing since"),
        pytest.param([("old", 5, "")], True, id="an older log delivered by an attempt"),
        pytest.param([("old", 5, ""), ("old", 4, "timeout")], False, id="delivered, then failed"),
        pytest.param([("old", 5, "timeout"), ("old", 4, "")], True, id="failed, then delivered"),
        pytest.param([("new", 5, "timeout")], False, id="a new event fails"),
    ],
)
def test_a_receiver_has_recovered_by_its_attempts(subscription, then, has_recovered):
    failed(subscription, 30)
    logs = {"old": make_log_of_age(subscription, age=timedelta(hours=9)), "new": failed(subscription, 20)}
    for name, minutes, cause in then:
        attempt(logs[name], minutes, State.FAILED if cause else State.DELIVERED, cause)
    assert (only_incident().recovered_at is not None) == has_recovered


def test_each_subscription_must_have_delivered(subscription):
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://erp.example.com/users")
    failed(subscription, 30)
    failed(other, 29)
    delivered(subscription, 10)
    assert only_incident().recovered_at is None
    newest = delivered(other, 5)
    assert only_incident().recovered_at == newest.created_at


@pytest.mark.parametrize("is_active, has_recovered", [(True, False), (False, True)])
def test_inactive_subscriptions_do_not_count(subscription, is_active, has_recovered):
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://erp.example.com/users", is_active=is_active)
    failed(subscription, 30)
    failed(other, 29)
    delivered(subscription, 10)
    assert (only_incident().recovered_at is not None) == has_recovered


def test_a_blocked_queue_keeps_its_incident_failing(subscription):
    failed(subscription, 30)
    delivered(subscription, 10)
    subscription.paused_at = timezone.now()
    subscription.save()
    assert only_incident().recovered_at is None
    subscription.paused_at = None
    subscription.save()
    assert only_incident().recovered_at is not None


def test_an_incident_is_resolved_once_nothing_is_failed_any_more(subscription):
    logs = [failed(subscription, 40), failed(subscription, 39), failed(subscription, 38)]
    for log, minutes in zip(logs[:2], (10, 9), strict=True):
        attempt(log, minutes, State.DELIVERED)
    incident = only_incident()
    assert (incident.failed_count, incident.delivered_count, incident.resolved_at) == (1, 2, None)
    attempt(logs[2], 8, State.DELIVERED)
    incident = only_incident()
    assert (incident.failed_count, incident.delivered_count, incident.log_count) == (0, 3, 3)
    assert incident.resolved_at is not None
    assert kinds(incident) == [Kind.OPENED, Kind.RECOVERED, Kind.RESOLVED]


def test_logs_that_were_left_failed_for_a_week_are_history(subscription):
    week = 7 * 24 * 60
    failed(subscription, week + 60)
    delivered(subscription, week + 5)
    incident = only_incident()
    assert (incident.failed_count, incident.resolved_at is not None) == (1, True)
    assert kinds(incident) == [Kind.OPENED, Kind.RECOVERED, Kind.LEFT]


def test_settled_logs_are_counted_apart_and_reopen_it_when_unsettled(subscription, administrator):
    log = failed(subscription, 40, object_id="a" * 24)
    make_log_of_age(subscription, State.DELIVERED, timedelta(minutes=5), object_id="a" * 24)
    assert only_incident().failed_count == 1
    assert settle([log.pk], by=administrator) == 1
    incident = only_incident()
    assert (incident.failed_count, incident.superseded_count, incident.resolved_at is None) == (0, 1, False)
    assert unsettle([log.pk], by=administrator) == 1
    incident = only_incident()
    assert (incident.failed_count, incident.superseded_count, incident.resolved_at) == (1, 0, None)
    assert Kind.REOPENED in kinds(incident)


def test_flapping_is_one_incident_and_its_timeline_says_so(subscription):
    failed(subscription, 60)
    delivered(subscription, 55)
    assert only_incident().recovered_at is not None
    failed(subscription, 50)
    assert only_incident().recovered_at is None
    delivered(subscription, 45)
    incident = only_incident()
    assert kinds(incident) == [Kind.OPENED, Kind.RECOVERED, Kind.FAILED_AGAIN, Kind.RECOVERED]
    assert incident.failed_count == 2


def test_a_log_that_fails_again_stays_in_its_unresolved_incident(subscription):
    log = failed(subscription, 600)
    delivered(subscription, 500)
    assert only_incident().recovered_at is not None
    attempt(log, 5, State.FAILED, Cause.HTTP_4XX)
    incident = only_incident()
    assert (incident.failed_count, incident.recovered_at, incident.causes[0]) == (1, None, "http_4xx")


def test_an_event_between_attempts_is_part_of_an_incident_at_once(subscription):
    log = make_log_of_age(subscription, State.RETRYING, timedelta(minutes=1), cause=Cause.REFUSED, sequence=1)
    incident = only_incident()
    assert (incident.queued_count, incident.failed_count, incident.is_failing) == (1, 0, True)
    attempt(log, 0, State.DELIVERED)
    incident = only_incident()
    assert (incident.queued_count, incident.delivered_count) == (0, 1)


@pytest.mark.parametrize(
    "cause, elsewhere, stays",
    [(Cause.HTTP_5XX, False, True), (Cause.TIMEOUT, False, False), (Cause.HTTP_5XX, True, False)],
)
def test_an_ignored_incident_is_shown_again_once_it_changes(subscription, cause, elsewhere, stays):
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://erp.example.com/users")
    failed(subscription, 30)
    Incident.objects.filter(pk=only_incident().pk).update(ignored_at=timezone.now())
    failed(other if elsewhere else subscription, 20, cause=cause)
    incident = only_incident()
    assert (incident.ignored_at is not None) == stays
    assert (Kind.CHANGED in kinds(incident)) != stays


def test_deliveries_and_waiting_events_open_no_incident(subscription):
    delivered(subscription, 10)
    make_log_of_age(subscription, State.PENDING, timedelta(minutes=1))
    make_log_of_age(subscription, State.SKIPPED, timedelta(minutes=1))
    update_incidents()
    assert not Incident.objects.exists()
    assert not IncidentInbox.objects.exists()


def test_a_log_deleted_before_the_worker_looks_does_no_harm(subscription):
    failed(subscription, 30).delete()
    failed(subscription, 20)
    assert only_incident().failed_count == 1
    assert IncidentLog.objects.count() == 1


def test_a_change_that_commits_while_the_worker_counts_is_not_missed(subscription, monkeypatch):
    log = failed(subscription, 30)
    delivered(subscription, 5)
    group = update.add_to_spans

    def meanwhile(*arguments) -> None:
        with psycopg.connect(**connection_parameters()) as other:
            other.execute("UPDATE logs_webhooklog SET state = 'delivered', cause = '' WHERE id = %s", [log.pk])
        group(*arguments)

    monkeypatch.setattr(update, "add_to_spans", meanwhile)
    incident = only_incident()
    assert (incident.failed_count, incident.delivered_count) == (0, 1)
    assert incident.resolved_at is not None


def test_test_events_and_attempts_at_another_url_open_no_incident(subscription):
    failed(subscription, 10, is_test=True)
    log = delivered(subscription, 9)
    number = log.attempt_count = 2
    at = timezone.now()
    Attempt.objects.create(log=log, number=number, trigger="override", started_at=at, cause=Cause.TIMEOUT)
    WebhookLog.objects.filter(pk=log.pk).update(attempt_count=number)
    update_incidents()
    assert not Incident.objects.exists()


def test_only_one_process_updates_at_a_time(subscription):
    failed(subscription, 30)
    with psycopg.connect(**connection_parameters()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [UPDATE_LOCK])
        assert update_incidents() == 0
    assert only_incident().failed_count == 1
