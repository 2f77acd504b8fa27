"""The Django admin site: what staff see and do there, and that it stays usable with many logs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.models import AuditEntry, Company, State, Subscription, WebhookLog

from .factories import COMPANY, import_subscriptions, make_company, make_log, make_subscription, sample

pytestmark = pytest.mark.django_db
LOGS = reverse("admin:logs_webhooklog_changelist")
MODELS = ["company", "subscription", "webhooklog", "attempt", "auditentry", "import"]


@pytest.fixture
def superuser(client, admin_user):
    client.force_login(admin_user)
    return admin_user


@pytest.fixture
def staff(client, member):
    user = member("Operator")
    user.is_staff = True
    user.save()
    client.force_login(user)
    return user


def make_many_logs(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO logs_webhooklog (id, subscription_id, company, created_at, status, retry, response, state, cause,
                fingerprint, event_type, action, object_id, object_name, search)
            SELECT lpad(to_hex(1650000000 + n), 8, '0') || lpad(to_hex(n), 16, '0'), %s, %s,
                to_timestamp(1650000000 + n), 500, 3, repeat('x', 1000), 'failed', 'http_5xx', '', 'COTTask', 'edit', '', 'x', ''
            FROM generate_series(1, %s) n
            """,
            [make_subscription().pk, COMPANY, number],
        )
        cursor.execute("ANALYZE logs_webhooklog")


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_page_opens(client, superuser, model):
    make_subscription()
    make_log()
    assert client.get(reverse(f"admin:logs_{model}_changelist")).status_code == 200


def test_a_log_is_read_only_and_its_masked_values_are_masked(client, superuser):
    make_subscription()
    log = make_log(event=sample("event_user_edit"), response='{"token":"abcdef123"}')
    address = reverse("admin:logs_webhooklog_change", args=[log.pk])
    page = client.get(address).content.decode()
    assert "mechanic@acme.com" in page
    assert "XW1879594653754399642348" not in page
    assert "abcdef123" not in page
    assert 'name="state"' not in page
    assert client.post(address, {"state": "succeeded"}).status_code == 403
    assert client.post(reverse("admin:logs_webhooklog_delete", args=[log.pk]), {"post": "yes"}).status_code == 403


def test_the_list_of_many_logs_counts_nothing_whole_and_reads_no_responses(client, superuser):
    make_many_logs(20_000)
    with CaptureQueriesContext(connection) as captured:
        page = client.get(LOGS)
    assert page.status_code == 200
    assert len(captured) <= 12
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"].upper()]
    assert all("LIMIT 10001" in sql for sql in counts)
    [listing] = [query["sql"] for query in captured if 'ORDER BY "logs_webhooklog"."created_at"' in query["sql"]]
    assert '"logs_webhooklog"."response"' not in listing
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + listing)
        assert "log_newest" in "\n".join(line for (line,) in cursor.fetchall())


def test_a_log_is_searched_by_its_whole_id_or_its_objects(client, superuser):
    make_subscription()
    log, other = make_log(0), make_log(1, event={"data": {"_id": "62742b7562f37034d9390000"}})
    for term, found in ((log.pk, log), ("62742b7562f37034d9390000", other)):
        page = client.get(LOGS, {"q": term})
        assert [row.pk for row in page.context["cl"].result_list] == [found.pk]
    assert "Search here by the whole id" in client.get(LOGS, {"q": "pump"}).content.decode()


def test_re_delivering_asks_first_and_leaves_out_what_was_received(client, superuser):
    make_subscription()
    failed, received = make_log(0), make_log(1, status=200)
    selection = {"action": "redeliver", "_selected_action": [failed.pk, received.pk]}
    page = client.post(LOGS, selection)
    assert "1 was received and is left out" in page.content.decode()
    assert not WebhookLog.objects.filter(next_attempt_at__isnull=False).exists()
    client.post(LOGS, selection | {"confirmed": "yes"})
    failed.refresh_from_db()
    received.refresh_from_db()
    assert (failed.is_due, failed.state, failed.requested_by) == (True, State.PENDING, superuser)
    assert not received.is_due
    assert AuditEntry.objects.filter(action="redelivered", about=failed.pk).count() == 1


def test_a_viewer_on_the_staff_has_no_such_action(client, member):
    user = member("Viewer")
    user.is_staff = True
    user.save()
    client.force_login(user)
    make_subscription()
    log = make_log()
    client.post(LOGS, {"action": "redeliver", "_selected_action": [log.pk], "confirmed": "yes"})
    assert not WebhookLog.objects.get().is_due


def test_staff_see_only_what_belongs_to_their_companies(client, staff):
    other = make_subscription("62685990d918fb5557f9f000", company=make_company("625be93a286ef83c1c0e0000", "Other"))
    make_subscription()
    mine, foreign = make_log(0), make_log(1, subscription=other.pk)
    page = client.get(LOGS)
    assert [row.pk for row in page.context["cl"].result_list] == [mine.pk]
    assert client.get(reverse("admin:logs_webhooklog_change", args=[foreign.pk])).status_code == 302
    listed = client.get(reverse("admin:logs_subscription_changelist")).context["cl"].result_list
    assert other.pk not in [row.pk for row in listed]


def test_a_change_of_a_subscription_is_on_record_and_survives_an_import(client, superuser):
    document = sample("webhook_subscription")
    import_subscriptions(document)
    subscription = Subscription.objects.get()
    data = {"name": "Renamed", "url": "https://8.8.8.8/", "trigger": subscription.trigger, "is_active": "on"}
    data |= {"context_task_group": subscription.context_task_group, "description": subscription.description}
    response = client.post(reverse("admin:logs_subscription_change", args=[subscription.pk]), data)
    assert response.status_code == 302
    import_subscriptions(document)
    subscription.refresh_from_db()
    assert (subscription.name, subscription.url, subscription.code) == ("Renamed", "https://8.8.8.8/", "wo_update")
    [entry] = AuditEntry.objects.filter(about=subscription.pk)
    assert (entry.actor, entry.detail) == (superuser, "name, url")


def test_the_guard_refuses_a_private_url(client, superuser, settings):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    subscription = make_subscription()
    data = {"name": "x", "url": "http://10.0.0.1/", "trigger": subscription.trigger}
    page = client.post(reverse("admin:logs_subscription_change", args=[subscription.pk]), data)
    assert "10.0.0.1 is not a public address" in page.content.decode()
    subscription.refresh_from_db()
    assert subscription.url == "https://www.server.com"


def test_users_are_put_into_companies_there(client, superuser, django_user_model):
    company = make_company()
    user = django_user_model.objects.create_user("somebody")
    client.post(reverse("admin:logs_company_change", args=[company.pk]), {"name": "Austral", "users": [user.pk]})
    assert list(Company.objects.get().users.all()) == [user]
