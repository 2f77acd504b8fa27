"""The admin site: what staff can see and change, and that it works with many logs."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.admin.base import format_json
from logs.cotalker import objectid
from logs.models import (
    Attempt,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryState,
    Company,
    Import,
    Subscription,
    WebhookLog,
)
from logs.signing import validate_secret

from ..factories import OTHER_COMPANY, SUBSCRIPTION, make_company, make_log, make_subscription
from .pages import change_page, rows_of

pytestmark = pytest.mark.django_db
OTHER_SUBSCRIPTION = "62685990d918fb5557f90000"
LOGS = reverse("admin:logs_webhooklog_changelist")
SUBSCRIPTIONS = reverse("admin:logs_subscription_changelist")
READ_ONLY = ["webhooklog", "attempt", "auditentry", "import", "bulkredelivery", "bulkredeliveryitem"]
MODELS = ["company", "subscription", *READ_ONLY]


def test_the_site_shows_its_name(admin_client):
    assert "cotadmin administration" in admin_client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "webhooklog/?state=%00",
        "webhooklog/?pk__in=%00",
        "subscription/?company=a%00",
        "company/a%00/change/",
        "subscription/%00/history/",
    ],
)
def test_a_url_with_a_nul_is_not_valid(admin_client, address):
    answer = admin_client.get(reverse("admin:app_list", args=["logs"]) + address)
    assert answer.status_code == 400
    assert "This URL is not valid" in answer.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_a_superuser_finds_and_opens_every_row(admin_client, one_of_each, model):
    row = one_of_each[model]
    assert rows_of(admin_client.get(reverse(f"admin:logs_{model}_changelist"))) == [str(row.pk)]
    assert admin_client.get(change_page(row)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_no_page_contains_what_the_content_security_policy_would_block(admin_client, one_of_each, model):
    for address in (reverse(f"admin:logs_{model}_changelist"), change_page(one_of_each[model])):
        answer = admin_client.get(address)
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.content.decode()) == []


@pytest.mark.parametrize("model", MODELS)
def test_staff_of_another_company_find_nothing(client, staff, one_of_each, model):
    staff("Administrator", make_company(OTHER_COMPANY, "Other"))
    row = one_of_each[model]
    assert str(row.pk) not in rows_of(client.get(reverse(f"admin:logs_{model}_changelist")))
    assert client.get(change_page(row)).status_code == 302  # Django's "it does not exist", on the index page


@pytest.mark.parametrize("model", MODELS)
def test_staff_of_the_company_find_their_rows(client, staff, one_of_each, model):
    user = staff("Operator")
    if model == "import":
        Import.objects.update(uploaded_by=user)
    assert rows_of(client.get(reverse(f"admin:logs_{model}_changelist"))) == [str(one_of_each[model].pk)]
    assert client.get(change_page(one_of_each[model])).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_records_can_neither_be_added_nor_changed_by_a_superuser(admin_client, one_of_each, model):
    row = one_of_each[model]
    assert admin_client.get(reverse(f"admin:logs_{model}_add")).status_code == 403
    assert admin_client.post(change_page(row), {"state": "skipped"}).status_code == 403
    assert 'name="_save"' not in admin_client.get(change_page(row)).content.decode()


@pytest.mark.parametrize(
    "model", ["attempt", "auditentry", "import", "subscription", "bulkredelivery", "bulkredeliveryitem"]
)
def test_records_cannot_be_deleted_by_a_superuser(admin_client, one_of_each, model):
    row = one_of_each[model]
    address = reverse(f"admin:logs_{model}_delete", args=[row.pk])
    assert admin_client.post(address, {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


# Webhook logs


def test_a_superuser_deletes_one_log_with_its_attempts(admin_client, one_of_each):
    log = one_of_each["webhooklog"]
    address = reverse("admin:logs_webhooklog_delete", args=[log.pk])
    assert "Are you sure" in admin_client.get(address).content.decode()
    admin_client.post(address, {"post": "yes"})
    assert (WebhookLog.objects.count(), Attempt.objects.count()) == (0, 0)
    assert LogEntry.objects.get().object_id == log.pk


def test_staff_delete_no_log(client, staff, one_of_each):
    staff("Administrator")
    address = reverse("admin:logs_webhooklog_delete", args=[one_of_each["webhooklog"].pk])
    assert client.post(address, {"post": "yes"}).status_code == 403


def test_logs_cannot_be_deleted_in_bulk(admin_client, one_of_each):
    page = admin_client.get(LOGS).content.decode()
    assert 'value="redeliver_selected"' in page
    assert "delete_selected" not in page


@pytest.mark.parametrize(
    ("term", "is_found"),
    [("{pk}", True), (" {PK} ", True), ("{object_id}", True), ("62742dd8", False), ("Work Orders", False)],
)
def test_logs_are_found_by_whole_ids_alone(admin_client, one_of_each, term, is_found):
    log = one_of_each["webhooklog"]
    term = term.format(pk=log.pk, PK=log.pk.upper(), object_id=log.object_id)
    assert log.object_id
    assert rows_of(admin_client.get(LOGS, {"q": term})) == ([log.pk] if is_found else [])


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"event_type": "COTTask"}, {1}),
        ({"event_type": "other"}, {2}),
        ({"state__exact": "failed"}, {1}),
        ({"cause__exact": "timeout"}, {1}),
        ({"state__exact": "delivered"}, {2}),
    ],
)
def test_logs_are_filtered(admin_client, query, numbers):
    make_subscription()
    logs = {1: make_log(1), 2: make_log(2, event={"type": "COTNew"}, status=200, response="ok")}
    assert rows_of(admin_client.get(LOGS, query)) == [logs[number].pk for number in numbers]


def test_the_page_of_a_log_masks_the_payload_and_the_response(admin_client):
    make_subscription()
    log = make_log(event={"data": {"password": "hunter2", "n": 1.50}}, response='{"token": "hunter3", "why": "no"}')
    page = admin_client.get(change_page(log)).content.decode()
    assert "hunter2" not in page
    assert "hunter3" not in page
    assert "&quot;n&quot;: 1.5" in page
    assert "&quot;why&quot;: &quot;no&quot;" in page
    assert f'href="{log.get_absolute_url()}"' in page


def test_a_user_without_the_permission_sees_no_payload(client, staff, one_of_each):
    user = staff("Viewer")
    user.groups.get().permissions.filter(codename="view_payload").delete()
    page = client.get(change_page(one_of_each["webhooklog"])).content.decode()
    assert "<pre" not in page


def test_json_is_indented_without_being_parsed_again():
    assert format_json('{"b":1e400,"a":1.50,"a":2,"token":"x"}') == (
        '{\n  "b": 1e400,\n  "a": 1.50,\n  "a": 2,\n  "token": "••••••••"\n}'
    )


def test_json_too_long_for_a_page_is_cut():
    assert len(format_json(json.dumps({"a": "x" * 300_000}))) < 200_100


# Redelivery


def ask(client, *logs: WebhookLog):
    return client.post(LOGS, {"action": "redeliver_selected", "_selected_action": [log.pk for log in logs]})


def confirm(client, question, *logs: WebhookLog):
    """Press the button of the confirmation page."""
    hidden = dict(re.findall(r'name="(expected_attempts_\w+)" value="(\d+)"', question.content.decode()))
    data = {"action": "redeliver_selected", "_selected_action": [log.pk for log in logs], "confirmed": "Redeliver"}
    return client.post(LOGS, data | hidden, follow=True)


def texts(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_redelivery_asks_first_and_then_queues_each_failed_log_once(client, staff):
    user = staff("Operator")
    make_subscription()
    failed, delivered = make_log(2), make_log(1, status=200, response="ok")
    question = ask(client, failed, delivered)
    page = question.content.decode()
    assert "1 log will be sent once more" in page
    assert "1 log was already delivered and is excluded." in page
    assert not WebhookLog.objects.filter(next_attempt_at__isnull=False).exists()

    outcome = texts(confirm(client, question, failed, delivered))
    assert outcome == ["1 log is queued.", "1 log is excluded: It was delivered."]
    assert [log.pk for log in WebhookLog.objects.filter(next_attempt_at__isnull=False)] == [failed.pk]
    assert list(AuditEntry.objects.values_list("actor", "action", "target")) == [(user.pk, "redelivered", failed.pk)]


def test_queued_logs_are_not_offered_again(admin_client):
    make_subscription()
    logs = [make_log(1), make_log(2)]
    confirm(admin_client, ask(admin_client, logs[0]), logs[0])
    page = ask(admin_client, *logs).content.decode()
    assert "1 log will be sent once more" in page
    assert "1 log is already queued and is excluded." in page
    assert f"expected_attempts_{logs[0].pk}" not in page


def test_a_double_click_queues_once_even_after_an_attempt_in_between(admin_client):
    make_subscription()
    log = make_log()
    question = ask(admin_client, log)
    confirm(admin_client, question, log)
    WebhookLog.objects.update(next_attempt_at=None, state="failed", attempt_count=log.attempt_count + 1)
    outcome = texts(confirm(admin_client, question, log))
    assert outcome[-1] == "1 log is excluded: It is already queued, or another attempt was made in the meantime."
    assert AuditEntry.objects.count() == 1


def test_logs_that_cannot_be_sent_are_excluded_with_the_reason(admin_client):
    make_subscription(is_active=False)
    logs = [make_log(1), make_log(2)]
    outcome = texts(confirm(admin_client, ask(admin_client, *logs), *logs))
    assert outcome[-1] == "2 logs are excluded: Its subscription is not active. Activate it first."
    assert not WebhookLog.objects.filter(next_attempt_at__isnull=False).exists()


def test_only_logs_on_the_confirmation_page_are_sent(admin_client):
    make_subscription()
    seen, unseen = make_log(1), make_log(2)
    outcome = texts(confirm(admin_client, ask(admin_client, seen), seen, unseen))
    assert outcome == ["1 log is queued.", "1 log is excluded: It was not on the confirmation page."]


def test_more_than_100_logs_become_a_plan(admin_client):
    make_subscription()
    many_logs(101)
    data = {"action": "redeliver_selected", "_selected_action": ["x"], "select_across": "1", "confirmed": "1"}
    answer = admin_client.post(LOGS, data, follow=True)
    bulk = BulkRedelivery.objects.get()
    assert (answer.redirect_chain, bulk.state) == ([(f"/redeliveries/{bulk.pk}/", 302)], BulkRedeliveryState.PLANNED)
    assert set(bulk.items.values_list("log", flat=True)) == set(WebhookLog.objects.values_list("pk", flat=True))
    assert texts(answer) == [
        "These are too many to redeliver directly, so a plan was created. Nothing has been sent yet."
    ]
    assert not WebhookLog.objects.filter(next_attempt_at__isnull=False).exists()


def test_a_viewer_cannot_redeliver(client, staff):
    staff("Viewer")
    make_subscription()
    log = make_log()
    assert "redeliver_selected" not in client.get(LOGS).content.decode()
    confirm(client, ask(client, log), log)
    assert WebhookLog.objects.get().next_attempt_at is None


def test_staff_cannot_redeliver_logs_of_another_company(client, staff):
    staff("Operator", make_company(OTHER_COMPANY, "Other"))
    make_subscription()
    log = make_log()
    question = ask(client, log)
    client.post(
        LOGS,
        {
            "action": "redeliver_selected",
            "_selected_action": [log.pk],
            "confirmed": "1",
            f"expected_attempts_{log.pk}": log.attempt_count,
        },
    )
    assert log.pk not in question.content.decode()
    assert WebhookLog.objects.get().next_attempt_at is None


# Many logs


def many_logs(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO logs_webhooklog (id, subscription_id, company, created_at, status, attempt_count, response,
                state, cause, fingerprint, event_type, action, object_id, object_name, search)
            SELECT lpad(to_hex(1651781080 + n), 8, '0') || lpad(to_hex(n), 16, '0'), %s, %s,
                to_timestamp(1651781080 + n), 500, 3, repeat('x', 500), 'failed', 'http_5xx',
                '', (ARRAY['COTTask', 'COTNew'])[1 + n %% 2], 'create', '', 'Pump', ''
            FROM generate_series(1, %s) AS n
            """,
            [SUBSCRIPTION, make_company().pk, number],
        )
        cursor.execute("ANALYZE logs_webhooklog")


@pytest.mark.parametrize("role", ["superuser", "Operator"])
def test_the_list_of_many_logs_counts_to_10_000_and_reads_one_page(client, staff, admin_user, role):
    make_subscription()
    many_logs(30_000)
    client.force_login(admin_user) if role == "superuser" else staff(role)
    client.get(reverse("admin:index"))  # fills the caches of content types
    for query in ("", "?state__exact=failed", "?p=50", "?event_type=other", "?_facets=True", "?all=", "?o=2"):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(LOGS + query)
        assert answer.status_code == 200, query
        queries = [e["sql"] for e in captured]
        counts = [sql for sql in queries if "COUNT(" in sql.upper()]
        lists = [sql for sql in queries if 'FROM "logs_webhooklog"' in sql and sql not in counts]
        assert len(queries) <= 12, query
        assert all("LIMIT 10001" in sql for sql in counts), query
        assert len(lists) == 1, query
        assert 'ORDER BY "logs_webhooklog"."created_at" DESC, "logs_webhooklog"."id" DESC LIMIT 100' in lists[0], query
        assert '"response"' not in lists[0], query
        assert "DISTINCT" not in lists[0], query


def test_the_number_of_many_logs_is_shown_as_10_000_and_more(admin_client):
    make_subscription()
    many_logs(10_001)
    page = re.sub(r"\s+", " ", admin_client.get(LOGS + "?state__exact=failed").content.decode())
    assert "10,000+ webhook logs" in page
    assert "10000 results" not in page


def test_the_list_of_many_logs_walks_an_index(admin_client):
    make_subscription()
    many_logs(30_000)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(LOGS)
    [query] = [e["sql"] for e in captured if 'FROM "logs_webhooklog"' in e["sql"] and "COUNT(" not in e["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "log_newest" in plan
    assert "Sort" not in plan


def test_a_search_among_many_logs_uses_indexes(admin_client):
    make_subscription()
    many_logs(30_000)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(LOGS, {"q": objectid.new_objectid()})
    [query] = [e["sql"] for e in captured if 'FROM "logs_webhooklog"' in e["sql"] and "COUNT(" not in e["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "log_of_object" in plan
    assert "Seq Scan on logs_webhooklog" not in plan


# Subscriptions and companies


def form_of(subscription: Subscription, **changes) -> dict:
    names = ["name", "description", "url", "trigger", "context_task_group", "context_survey", "context_group"]
    data = {name: getattr(subscription, name) for name in names}
    return data | ({"is_active": "on"} if subscription.is_active else {}) | changes


def test_a_change_is_stored_kept_by_the_next_import_and_audited(client, staff):
    user = staff("Administrator")
    subscription = make_subscription(first_sequence=7)
    subscription.edited_fields = ["trigger"]
    subscription.save()
    answer = client.post(change_page(subscription), form_of(subscription, name="Pumps", url="https://new.example/x"))
    assert answer.status_code == 302
    subscription.refresh_from_db()
    assert (subscription.name, subscription.url) == ("Pumps", "https://new.example/x")
    assert subscription.edited_fields == ["name", "trigger", "url"]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == (user, "subscription_changed")
    assert (entry.target, entry.detail) == (subscription.pk, "name, url")


def test_saving_without_a_change_leaves_no_trace(client, staff):
    staff("Administrator")
    subscription = make_subscription()
    assert client.post(change_page(subscription), form_of(subscription)).status_code == 302
    subscription.refresh_from_db()
    assert (subscription.edited_fields, AuditEntry.objects.count()) == ([], 0)


def test_code_and_company_cannot_be_changed(client, staff):
    staff("Administrator")
    subscription, other = make_subscription(), make_company(OTHER_COMPANY, "Other")
    client.post(change_page(subscription), form_of(subscription, code="another", company=other.pk))
    stored = Subscription.objects.get()
    assert (stored.code, stored.company_id) == (subscription.code, subscription.company_id)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://169.254.169.254/", "which exposes credentials. It is never allowed."),
        ("http://10.0.0.1/", "10.0.0.1 is not a public address"),
        ("ftp://server.example/", "This is not an http or https URL."),
        ("https://a b.example/", "This is not an http or https URL."),
        ("", "This field is required."),
    ],
)
def test_a_url_that_the_destination_check_refuses_is_rejected(client, staff, url, message):
    staff("Administrator")
    subscription = make_subscription()
    answer = client.post(change_page(subscription), form_of(subscription, url=url))
    assert message in answer.content.decode()
    assert Subscription.objects.get().url == subscription.url


def test_a_name_that_resolves_to_a_private_address_is_refused_as_on_the_page(settings, client, staff):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    staff("Administrator")
    subscription = make_subscription()
    answer = client.post(change_page(subscription), form_of(subscription, url="http://localhost:9/"))
    assert "Deliveries to this URL would be blocked:" in answer.content.decode()
    assert Subscription.objects.get().url == subscription.url


def test_names_cannot_change_the_text_direction_of_a_page(admin_client):
    subscription = make_subscription(name="Pumps\u202etxt")
    for address in (SUBSCRIPTIONS, change_page(subscription), subscription.get_absolute_url(), "/subscriptions/"):
        page = admin_client.get(address).content.decode()
        assert r"Pumps\u202etxt" in page
        assert "\u202e" not in re.sub(r"<[^>]+>", "", page)


def test_other_fields_can_be_edited_beside_a_stored_refused_url(client, staff):
    staff("Administrator")
    subscription = make_subscription(url="http://10.0.0.1/")
    client.post(change_page(subscription), form_of(subscription, name="Pumps"))
    assert Subscription.objects.get().name == "Pumps"


def test_a_new_subscription_has_a_secret_and_is_audited(client, staff):
    staff("Administrator")
    data = {
        "company": make_company().pk,
        "name": "New",
        "code": "new",
        "url": "https://a.example",
        "trigger": "logout-user",
    }
    page = client.post(reverse("admin:logs_subscription_add"), data, follow=True).content.decode()
    stored = Subscription.objects.get()
    assert (stored.name, stored.is_active) == ("New", False)
    assert list(AuditEntry.objects.order_by("id").values_list("action", "target")) == [
        ("subscription_created", stored.pk),
        ("secret_changed", stored.pk),
    ]
    assert "A signing secret was created." in page
    validate_secret(stored.secret)
    assert stored.secret not in page


def test_workers_notice_a_change(client, staff):
    staff("Administrator")
    subscription = make_subscription(is_active=False, is_draining=True, queue_version=3)
    client.post(change_page(subscription), form_of(subscription, is_active="on"))
    subscription.refresh_from_db()
    assert (subscription.is_active, subscription.is_draining, subscription.queue_version) == (True, False, 4)


def test_a_code_that_is_taken_is_refused(client, staff):
    staff("Administrator")
    taken = make_subscription()
    data = form_of(taken, company=taken.company_id, code=taken.code)
    answer = client.post(reverse("admin:logs_subscription_add"), data)
    assert "This company has another subscription with this code." in answer.content.decode()
    assert Subscription.objects.count() == 1


def test_nobody_creates_a_subscription_in_another_company(client, staff):
    staff("Administrator")
    other = make_company(OTHER_COMPANY, "Other")
    data = {"company": other.pk, "name": "New", "code": "new", "url": "https://a.example", "trigger": "logout-user"}
    assert client.post(reverse("admin:logs_subscription_add"), data).status_code == 200
    assert not Subscription.objects.exists()


def test_secrets_are_never_on_a_page(client, staff):
    subscription = make_subscription(url="https://a.example/?token=hunter2", document='{"password": "hunter3"}')
    subscription.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLawz"
    subscription.save()
    staff("Viewer")
    viewed = client.get(change_page(subscription)).content.decode()
    staff("Administrator")
    edited = client.get(change_page(subscription)).content.decode()
    for page in (viewed, edited):
        assert subscription.encrypted_secret not in page
        assert subscription.secret not in page
        assert "hunter3" not in page
    assert "hunter2" not in viewed
    assert client.get(SUBSCRIPTIONS, {"q": "hunter2"}).context["cl"].result_count == 0
    assert client.get(SUBSCRIPTIONS, {"q": "a.example"}).context["cl"].result_count == 1


@pytest.mark.parametrize("column", ["name", "code", "pk"])
def test_subscriptions_are_found_by(client, staff, column):
    staff("Viewer")
    pumps = make_subscription(name="Pumps", code="pumps")
    make_subscription(OTHER_SUBSCRIPTION, name="Valves", code="valves", url="https://other.example")
    assert rows_of(client.get(SUBSCRIPTIONS, {"q": getattr(pumps, column)})) == [pumps.pk]


def test_a_placeholder_is_not_edited_here(client, staff):
    staff("Administrator")
    placeholder = make_subscription(is_placeholder=True, is_active=False, url="", trigger="")
    assert client.post(change_page(placeholder), form_of(placeholder, url="https://a.example")).status_code == 403


def test_the_id_of_a_company_cannot_be_changed(admin_client, admin_user):
    company = make_company()
    admin_client.post(change_page(company), {"id": OTHER_COMPANY, "name": "Renamed", "users": [admin_user.pk]})
    assert list(Company.objects.values_list("id", "name", "users")) == [(company.pk, "Renamed", admin_user.pk)]


def test_attempts_are_shown_masked(admin_client, one_of_each):
    attempt = one_of_each["attempt"]
    Attempt.objects.update(
        url="https://a.example/?token=hunter1",
        response="password=hunter2",
        response_headers=[["Set-Cookie", "hunter3"]],
    )
    page = admin_client.get(change_page(attempt)).content.decode()
    assert "https://a.example/?token=••••••••" in page
    assert not re.search(r"hunter\d", page)


def test_attempts_of_a_log_are_one_click_away(admin_client, one_of_each):
    log = one_of_each["webhooklog"]
    [address] = re.findall(r'href="([^"]+/attempt/[?]q=[^"]+)"', admin_client.get(change_page(log)).content.decode())
    assert rows_of(admin_client.get(address)) == [str(one_of_each["attempt"].pk)]
