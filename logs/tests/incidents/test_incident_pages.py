"""The pages of incidents: what they say, what each role may do, and what other companies never see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.incidents import contents
from logs.incidents.update import update_incidents
from logs.models import Cause, Incident, IncidentEntry, State, Subscription, WebhookLog

from ..factories import OTHER_COMPANY, OTHER_SUBSCRIPTION, make_company, make_log_of_age, make_subscription
from ..html import ids_in, text_of

pytestmark = pytest.mark.django_db(transaction=True)
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def incident(subscription) -> Incident:
    """Two logs failed at the receiver of one subscription; nothing has been delivered since."""
    subscription.url = "https://erp.example.com/tasks"
    subscription.save()
    for minutes in (30, 20):
        make_log_of_age(
            subscription,
            State.FAILED,
            timedelta(minutes=minutes),
            cause=Cause.HTTP_5XX,
            status=500,
            response=MARKUP,
            event_type="COTTask",
            object_id=f"{minutes:024x}",
        )
    update_incidents()
    return Incident.objects.get()


def deliver_again(incident: Incident) -> None:
    make_log_of_age(incident_subscription(incident), State.DELIVERED, timedelta(minutes=1))
    update_incidents()


def incident_subscription(incident: Incident):
    return Subscription.objects.get(pk=incident.subscription_ids[0])


def post(client, incident: Incident, action: str, **data):
    return client.post(f"/incidents/{incident.pk}/{action}/", data, follow=True)


def test_the_page_says_what_broke_for_whom_and_whether_it_still_fails(client, viewer, incident):
    page = text_of(client.get(incident.get_absolute_url()))
    assert "erp.example.com has been failing since" in page
    assert "Error at the receiver (5xx). 2 logs are affected in 1 subscription." in page
    assert "2 tasks" in page
    deliver_again(incident)
    page = text_of(client.get(incident.get_absolute_url()))
    assert "2 logs failed at erp.example.com from" in page
    assert "The receiver recovered at" in page
    assert "2 logs are still failed." in page


def test_what_a_receiver_answered_is_shown_and_never_run(client, viewer, incident):
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert MARKUP not in page


def test_masked_values_are_shown_neither_in_an_answer_nor_in_a_failure_group(client, viewer, incident):
    answer = '{"error": "bad login", "password": "secretsecret"}'
    WebhookLog.objects.update(response=answer, fingerprint=answer)
    page = client.get(incident.get_absolute_url()).content.decode()
    assert page.count("bad login") == 3  # two answers, one group
    assert "secretsecret" not in page


@pytest.mark.parametrize("path", ["/incidents/", "/incidents/{pk}/", "/"])
def test_other_companies_see_nothing_of_it(client, member, incident, path):
    make_company(OTHER_COMPANY, "Other")
    client.force_login(member("Administrator", company=make_company(OTHER_COMPANY, "Other")))
    answer = client.get(path.format(pk=incident.pk))
    assert answer.status_code == (404 if "{pk}" in path else 200)
    assert "erp.example.com" not in answer.content.decode()
    for action in ("acknowledge", "assign", "ignore", "notes"):
        assert client.post(f"/incidents/{incident.pk}/{action}/", {"until": "1h", "text": "x"}).status_code == 404
    assert not incident.entries.exclude(kind=IncidentEntry.Kind.OPENED).exists()


def test_viewers_read_and_operators_act(client, viewer, member, incident):
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "Acknowledge" not in page
    for action in ("acknowledge", "assign", "ignore", "notes"):
        assert client.post(f"/incidents/{incident.pk}/{action}/", {"until": "1h", "text": "x"}).status_code == 403
    client.force_login(member("Operator", company=incident.company))
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "Acknowledge" in page


@pytest.mark.parametrize("until, hours", [("1h", 1), ("4h", 4), ("resolved", None), ("morning", None)])
def test_it_is_acknowledged_for_a_time_and_taken_back(client, operator, incident, until, hours):
    page = text_of(post(client, incident, "acknowledge", until=until))
    assert "You have acknowledged the incident." in page
    assert f"Acknowledged by {operator}" in page
    incident.refresh_from_db()
    if hours:
        assert incident.acknowledged_until - incident.acknowledged_at > timedelta(hours=hours, minutes=-1)
    assert (incident.acknowledged_until is None) == (until == "resolved")
    assert incident.is_acknowledged
    text_of(post(client, incident, "acknowledge", take_back="1"))
    incident.refresh_from_db()
    assert not incident.is_acknowledged
    kinds = list(incident.entries.values_list("kind", "actor"))
    assert kinds == [("opened", None), ("acknowledged", operator.pk), ("unacknowledged", operator.pk)]


def test_an_acknowledgement_ends_with_its_time(incident):
    now = timezone.now()
    incident.acknowledged_at, incident.acknowledged_until = now, now + timedelta(hours=1)
    assert incident.is_acknowledged_at(now + timedelta(minutes=59))
    assert not incident.is_acknowledged_at(now + timedelta(minutes=61))


def test_it_is_assigned_only_to_those_who_see_it(client, operator, member, incident):
    stranger = member("Operator", company=make_company(OTHER_COMPANY, "Other"))
    page = text_of(post(client, incident, "assign", assignee=stranger.pk))
    assert "This person can’t be assigned: they don’t see the incident." in page
    post(client, incident, "assign", assignee=operator.pk)
    incident.refresh_from_db()
    assert incident.assignee == operator
    post(client, incident, "assign", assignee="")
    incident.refresh_from_db()
    assert incident.assignee is None
    assert [entry.text for entry in incident.entries.filter(kind="assigned")] == [str(operator), ""]


def test_an_ignored_incident_leaves_the_open_ones_until_it_is_taken_back(client, operator, incident):
    post(client, incident, "ignore")
    assert "All clear: no open incidents" in text_of(client.get("/incidents/"))
    assert "erp.example.com" in text_of(client.get("/incidents/?state=ignored"))
    post(client, incident, "ignore", stop="1")
    assert "erp.example.com" in text_of(client.get("/incidents/"))
    kinds = list(incident.entries.values_list("kind", flat=True))
    assert kinds == ["opened", "ignored", "not_ignored"]


def test_notes_are_kept_with_their_author_and_escaped(client, operator, incident):
    page = post(client, incident, "notes", text=f"Called SAP {MARKUP}").content.decode()
    assert "Called SAP &lt;script&gt;" in page
    assert MARKUP not in page
    entry = incident.entries.get(kind="note")
    assert (entry.actor, entry.text) == (operator, f"Called SAP {MARKUP}")


@pytest.mark.parametrize("text", ["", "x" * 1001])
def test_a_note_without_text_or_too_long_is_an_error_and_keeps_what_was_typed(client, operator, incident, text):
    answer = client.post(f"/incidents/{incident.pk}/notes/", {"text": text})
    assert answer.status_code == 422
    assert text in answer.content.decode()
    assert not incident.entries.filter(kind="note").exists()


def test_the_timeline_tells_what_happened_to_its_queues(client, administrator, incident):
    incident_subscription(incident).pause(by=administrator)
    page = text_of(client.get(incident.get_absolute_url()))
    assert page.index("First failure") < page.index("Paused the queue")


def test_a_check_of_its_receiver_is_in_the_timeline(client, operator, incident, receiver):
    subscription = incident_subscription(incident)
    Subscription.objects.filter(pk=subscription.pk).update(url=receiver.url)
    client.post(f"/subscriptions/{subscription.pk}/receiver-check/")
    entry = incident.entries.get(kind="checked")
    assert (entry.actor, entry.text) == (operator, f"{subscription}: reachable")
    assert f"Receiver checked {operator}" in text_of(client.get(incident.get_absolute_url()))


def test_a_resolved_incident_keeps_its_story(client, operator, incident):
    for log in incident.incident_logs.all():
        type(log.log).objects.filter(pk=log.log_id).update(state=State.DELIVERED, cause="")
    deliver_again(incident)
    page = text_of(client.get(incident.get_absolute_url()))
    assert "2 logs failed at erp.example.com" in page
    assert "Everything was delivered again." in page
    assert "Recover…" not in page
    assert "erp.example.com" in text_of(client.get("/incidents/?state=resolved"))
    assert "All clear." in text_of(client.get("/"))


def test_acknowledged_incidents_come_last_and_ignored_ones_leave_the_overview(client, operator, incident):
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://crm.example.com/")
    make_log_of_age(other, State.FAILED, timedelta(hours=9), cause=Cause.TIMEOUT)
    update_incidents()
    assert "erp.example.com has been failing since" in text_of(client.get("/"))
    post(client, incident, "acknowledge", until="1h")
    assert "crm.example.com has been failing since" in text_of(client.get("/"))
    post(client, incident, "ignore")
    post(client, Incident.objects.get(receiver="crm.example.com"), "ignore")
    overview = text_of(client.get("/"))
    assert "has been failing since" not in overview
    assert "All clear." not in overview
    assert "3 logs failed" in overview


def test_the_overview_names_blocked_queues_beside_the_incident(client, operator, incident):
    incident_subscription(incident).pause(by=operator)
    overview = text_of(client.get("/"))
    assert "erp.example.com has been failing since" in overview
    assert "1 queue is blocked." in overview


def test_failing_receivers_come_first(client, operator, incident):
    deliver_again(incident)
    other = make_subscription(OTHER_SUBSCRIPTION, url="https://crm.example.com/")
    make_log_of_age(other, State.FAILED, timedelta(hours=9), cause=Cause.TIMEOUT)
    update_incidents()
    page = text_of(client.get("/incidents/"))
    assert page.index("crm.example.com") < page.index("erp.example.com")
    overview = text_of(client.get("/"))
    assert "crm.example.com has been failing since" in overview


@pytest.mark.parametrize(
    "query", ["state=none", "state=open&state=resolved", "before=x", "before=9", "before=99999999999", "colour=red"]
)
def test_an_unknown_filter_is_an_error_and_lists_nothing(client, viewer, incident, query):
    answer = client.get(f"/incidents/?{query}")
    assert answer.status_code == 422
    assert "erp.example.com" not in answer.content.decode()


def test_resolved_incidents_are_paged_by_number(client, viewer, incident):
    now = timezone.now()
    Incident.objects.bulk_create(
        Incident(
            company=incident.company,
            receiver=f"host-{number}.example.com",
            started_at=now,
            last_failed_at=now,
            resolved_at=now,
            first_log="0" * 24,
            last_log="0" * 24,
        )
        for number in range(30)
    )
    first = client.get("/incidents/?state=resolved").content.decode()
    assert first.count("host-") == 25
    oldest = min(pk for pk in Incident.objects.filter(receiver__startswith="host-").values_list("pk", flat=True))
    second = client.get(f"/incidents/?state=resolved&before={oldest + 5}").content.decode()
    assert second.count("host-") == 5


def test_logs_of_an_incident_are_found_by_its_number(client, viewer, incident):
    make_log_of_age(incident_subscription(incident), State.DELIVERED)
    page = client.get(f"/logs/?q=incident:{incident.pk}").content.decode()
    assert page.count("data-row-link") == 2
    assert client.get(f"/logs/?q=-incident:{incident.pk}").content.decode().count("data-row-link") == 1
    assert client.get("/logs/?q=incident:none").status_code == 422


def test_logs_that_moved_to_another_company_are_shown_nowhere_on_the_page(client, viewer, incident):
    Subscription.objects.update(company=make_company(OTHER_COMPANY, "Other"))
    page = text_of(client.get(incident.get_absolute_url()))
    assert "These logs have been deleted." in page
    assert "2 tasks" not in page
    assert "Still failed, by cause" not in page


def test_the_page_of_a_log_leads_to_its_incident(client, viewer, incident):
    page = client.get(f"/logs/{incident.first_log}/").content.decode()
    assert f'<a href="{incident.get_absolute_url()}">Incident {incident.pk}</a>' in page
    delivered = make_log_of_age(incident_subscription(incident), State.DELIVERED)
    assert f"Incident {incident.pk}<" not in client.get(delivered.get_absolute_url()).content.decode()


def test_deleted_accounts_and_logs_leave_a_readable_page(client, operator, member, incident):
    colleague = member("Operator", company=incident.company)
    client.force_login(colleague)
    post(client, incident, "acknowledge", until="resolved")
    post(client, incident, "assign", assignee=colleague.pk)
    client.force_login(operator)
    colleague.delete()
    for row in incident.incident_logs.all():
        row.log.delete()
    page = text_of(client.get(incident.get_absolute_url()))
    assert "These logs have been deleted." in page
    assert "Acknowledged by –" in page


def test_a_group_names_its_subscription_and_finds_exactly_its_logs(client, viewer, incident):
    subscription = incident_subscription(incident)
    [old, new] = WebhookLog.objects.order_by("pk")
    WebhookLog.objects.filter(pk=old.pk).update(fingerprint="500 one & two")
    WebhookLog.objects.filter(pk=new.pk).update(fingerprint="500 three")
    page = client.get(incident.get_absolute_url())
    groups = page.context["groups"]
    assert [(group.subscription, group.number) for group in groups] == [(subscription, 1), (subscription, 1)]
    assert {tuple(ids_in(client.get(group.address))) for group in groups} == {(old.pk,), (new.pk,)}


def test_it_says_at_least_how_many_objects_if_there_are_more_logs_than_it_reads(client, viewer, incident, monkeypatch):
    assert "Objects 2 tasks" in text_of(client.get(incident.get_absolute_url()))
    monkeypatch.setattr(contents, "LOGS_LOOKED_AT", 1)
    assert "Objects at least 1 task" in text_of(client.get(incident.get_absolute_url()))


def test_one_log_and_fifty_cost_the_same_number_of_queries(client, operator, incident, django_assert_max_num_queries):
    with django_assert_max_num_queries(35) as few:
        client.get(incident.get_absolute_url())
    for number in range(48):
        make_log_of_age(
            incident_subscription(incident),
            State.FAILED,
            timedelta(minutes=10),
            cause=Cause.TIMEOUT,
            fingerprint=str(number),
        )
    update_incidents()
    with django_assert_max_num_queries(len(few)):
        assert client.get(incident.get_absolute_url()).context["incident"].failed_count == 50
