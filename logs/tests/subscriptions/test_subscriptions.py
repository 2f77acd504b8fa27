import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from logs.cotalker import objectid
from logs.cotalker.documents import read_subscription, write_subscription
from logs.models import AuditAction, AuditEntry, Company, Priority, State, Subscription, Trigger, WebhookLog
from logs.stats.traffic import TrafficStats
from logs.views.subscriptions import detail_page

pytestmark = pytest.mark.django_db
ADDRESS = "http://127.0.0.1:9000/hook"  # the tests' settings allow it
SECRET = "whsec_" + "QUJD" * 8


@pytest.fixture
def company():
    return Company.objects.create(id=objectid.new_objectid(), name="Austral")


@pytest.fixture
def operator(django_user_model, company):
    """May see, create and change the subscriptions of one company."""
    user = django_user_model.objects.create_user("operator")
    codenames = ["view_subscription", "add_subscription", "change_subscription", "view_webhooklog", "add_webhooklog"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="logs"))
    company.users.add(user)
    return user


@pytest.fixture
def client(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def subscription(company):
    return make_subscription(company, name="Work Orders", code="wo")


@pytest.fixture
def foreign():
    return make_subscription(Company.objects.create(id=objectid.new_objectid()), name="Foreign", code="foreign")


def make_subscription(company, **fields):
    values = {
        "name": "Orders",
        "code": f"code_{objectid.new_objectid()}",
        "url": ADDRESS,
        "trigger": Trigger.TASK,
    } | fields
    return Subscription.objects.create(company=company, **values)


def make_placeholder(company):
    return make_subscription(company, code="", trigger="", url="", is_placeholder=True, is_active=False)


def make_log(subscription, state=State.DELIVERED, age=timedelta(hours=1), **fields):
    at = timezone.now() - age
    return WebhookLog.objects.create(
        id=objectid.new_objectid(at),
        subscription=subscription,
        company=subscription.company_id,
        created_at=at,
        state=state,
        **fields,
    )


def make_imported(company, **changes):
    """A subscription as an import stores it, of the document that Cotalker publishes."""
    document = {
        "_id": objectid.new_objectid(),
        "company": company.pk,
        "name": "Orders",
        "code": "orders",
        "url": ADDRESS,
        "isActive": True,
        "trigger": "create-edit-delete-task",
        "context": {"survey": "", "group": "", "taskGroup": ""},
        "__v": 0,
    } | changes
    read = read_subscription(json.dumps(document).encode())
    columns = {
        name: getattr(read, name) for name in ("id", "company_id", "name", "code", "url", "is_active", "trigger")
    }
    return Subscription.objects.create(document=read.text, **columns)


def posted(**changes):
    """What a filled-in form sends; a value of None is left out."""
    values = {"name": "Pump alarms", "url": ADDRESS, "trigger": "create-edit-delete-task", "is_active": "on"}
    values |= {"secret_choice": "none", "pause_on_exhausted": "False"} | changes
    return {name: value for name, value in values.items() if value is not None}


def address_of(subscription, view="detail"):
    return reverse(f"logs:subscription_{view}", args=[subscription.pk])


def names_in(response):
    return [row.subscription.name for row in response.context["subscriptions"].rows]


def record_of(subscription):
    entries = AuditEntry.objects.filter(target=subscription.pk).order_by("id")
    return [(entry.action, entry.detail) for entry in entries]


class TestList:
    address = "/subscriptions/"

    def test_lowest_success_comes_first_and_those_without_traffic_last(self, client, company):
        quiet, good, bad = (make_subscription(company, name=name) for name in ("Quiet", "Good", "Bad"))
        make_log(good)
        make_log(bad)
        make_log(bad, State.FAILED)
        make_log(quiet, State.FAILED, age=timedelta(days=8))
        response = client.get(self.address)
        assert names_in(response) == ["Bad", "Good", "Quiet"]
        assert [health.success_percent for health in response.context["subscriptions"].rows] == [50.0, 100.0, None]

    def test_health_counts_the_last_seven_days(self, client, subscription):
        failure = make_log(subscription, State.FAILED, age=timedelta(days=6, hours=12), duration_ms=1000)
        newest = make_log(subscription, age=timedelta(minutes=1), duration_ms=500)
        make_log(subscription, State.FAILED, age=timedelta(days=7, minutes=6), duration_ms=9000)
        queued = {"next_attempt_at": timezone.now(), "priority": Priority.NORMAL, "sequence": 1, "attempts_left": 3}
        make_log(subscription, State.PENDING, age=timedelta(days=30), **queued)
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert (health.figures.total, health.figures.delivered, health.figures.failed) == (2, 1, 1)
        assert health.figures.p95_ms == pytest.approx(1000, rel=0.125)  # bins, each a quarter longer than the last
        assert (health.last_failure, health.last_log) == (failure.created_at, newest.created_at)
        page = client.get(self.address).content.decode()
        assert '<td class="num" data-label="Waiting">1</td>' in page

    def test_each_bar_is_of_six_hours_by_utc_and_none_is_lost(self, client, subscription):
        make_log(subscription, State.FAILED, age=timedelta(days=6, hours=23, minutes=50))
        make_log(subscription, age=timedelta(0))
        (health,) = client.get(self.address).context["subscriptions"].rows
        bars = health.traffic.bars
        assert len(bars) in (28, 29)
        assert {bar.start.hour % 6 for bar in bars} == {0}
        assert (sum(bar.failed for bar in bars), bars[-1].delivered) == (1, 1)

    def test_the_last_failure_is_shown_however_old_it_is(self, client, subscription):
        failure = make_log(subscription, State.FAILED, age=timedelta(days=41))
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert health.last_failure == failure.created_at
        assert "no traffic" in client.get(self.address).content.decode()

    def test_a_log_of_a_clock_a_little_ahead_counts_for_the_last_bar_and_one_of_the_future_for_none(
        self, client, subscription
    ):
        make_log(subscription, age=timedelta(minutes=-4))
        make_log(subscription, age=timedelta(days=-3))
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert (health.traffic.bars[-1].delivered, health.traffic.now.total) == (1, 1)

    def test_a_hundred_percent_means_that_nothing_failed(self):
        assert TrafficStats(Counter(delivered=99_999, failed=1)).success_percent == 99.9

    def test_it_says_who_delivers(self, client, company, subscription):
        make_subscription(company, name="Theirs", is_delivered_here=False)
        page = client.get(self.address).content.decode()
        assert page.count("cotadmin delivers") == page.count("Cotalker delivers") == 1

    def test_a_hostile_name_stays_text_in_the_chart_too(self, client, company):
        make_log(make_subscription(company, name='"><script>alert(1)</script>'))
        page = client.get(self.address).content.decode()
        assert "<script>alert" not in page
        assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;, last 7 days: 0 failed, 1 delivered" in page

    def test_blocked_queues_are_counted_and_found(self, client, company, subscription, foreign):
        queued = {"next_attempt_at": timezone.now(), "sequence": 1, "attempts_left": 3}
        make_log(subscription, State.RETRYING, priority=Priority.RETRY, **queued)
        make_log(foreign, State.RETRYING, priority=Priority.RETRY, **queued)
        make_subscription(company, name="Paused", paused_at=timezone.now())
        make_subscription(company, name="Inactive", paused_at=timezone.now(), is_active=False)
        make_log(make_subscription(company, name="Waiting"), State.PENDING, priority=Priority.NORMAL, **queued)
        assert "2 queues are blocked" in client.get(self.address).content.decode()
        assert names_in(client.get(self.address, {"state": "blocked"})) == ["Paused", "Work Orders"]

    def test_only_subscriptions_of_ones_companies_are_shown(self, client, subscription, foreign):
        assert names_in(client.get(self.address)) == ["Work Orders"]

    @pytest.mark.parametrize("words", ["work", "WO", "127.0.0.1:9000"])
    def test_search_finds_name_code_and_url(self, client, company, subscription, words):
        make_subscription(company, name="Other", code="other", url="https://example.com/")
        assert names_in(client.get(self.address, {"q": words})) == ["Work Orders"]

    def test_search_finds_an_id_in_capitals(self, client, company, subscription):
        make_subscription(company, name="Other")
        assert names_in(client.get(self.address, {"q": subscription.pk.upper()})) == ["Work Orders"]

    def test_search_does_not_give_away_the_masked_part_of_a_url(self, client, company):
        make_subscription(company, url="https://example.com/hook?token=abc123")
        assert names_in(client.get(self.address, {"q": "abc1"})) == []

    @pytest.mark.parametrize(
        ("state", "expected"), [("active", ["On"]), ("inactive", ["Off"]), ("placeholder", ["Orders"])]
    )
    def test_state_filters(self, client, company, state, expected):
        make_subscription(company, name="On")
        make_subscription(company, name="Off", is_active=False)
        make_placeholder(company)
        assert names_in(client.get(self.address, {"state": state})) == expected

    @pytest.mark.parametrize(
        "query", ["state=activ", "colour=red", "state=active&state=inactive", "q=%00", "q=" + "x" * 201]
    )
    def test_what_is_not_understood_finds_nothing(self, client, subscription, query):
        response = client.get(f"{self.address}?{query}")
        assert response.status_code == 422
        assert "Work Orders" not in response.content.decode()
        assert 'role="alert"' in response.content.decode()

    def test_without_any_it_says_how_to_get_the_first(self, client):
        page = client.get(self.address).content.decode()
        assert "No subscriptions yet" in page
        assert reverse("logs:import_list") in page

    def test_without_a_match_it_leads_back_to_all(self, client, subscription):
        page = client.get(self.address, {"q": "nothing of that"}).content.decode()
        assert "No matching subscriptions" in page

    def test_htmx_gets_the_region_alone_and_history_the_page(self, client, subscription):
        htmx = {"HX-Request": "true"}
        partial = client.get(self.address, headers=htmx)
        assert partial.content.decode().lstrip().startswith("<section")
        assert (partial["Vary"].count("HX-Request"), partial["Cache-Control"]) == (1, "no-store")
        restored = client.get(self.address, headers=htmx | {"HX-History-Restore-Request": "true"})
        assert restored.content.startswith(b"<!doctype html>")

    def test_bars_are_drawn_with_points_whatever_the_language(self, client, subscription):
        make_log(subscription)
        page = client.get(self.address, headers={"Accept-Language": "es"}).content.decode()
        assert re.search(r'<path class="ok" d="M[\d.]+ 0h[\d.]+v100h-[\d.]+z"/>', page)
        assert "style=" not in page

    def test_of_very_many_the_worst_are_shown(self, client, company, monkeypatch):
        monkeypatch.setattr(detail_page, "MOST_ROWS", 2)
        for name in ("A", "B", "Worst"):
            make_subscription(company, name=name)
        make_log(Subscription.objects.get(name="Worst"), State.FAILED)
        response = client.get(self.address)
        assert names_in(response) == ["Worst", "A"]
        assert "3 subscriptions" in response.content.decode()
        assert "The first 2 are shown." in response.content.decode()

    def test_the_number_of_queries_does_not_grow(self, client, company, django_assert_max_num_queries):
        make_log(make_subscription(company), State.FAILED)
        with django_assert_max_num_queries(12) as few:
            client.get(self.address)
        for _number in range(30):
            make_log(make_subscription(company), State.FAILED)
        with django_assert_max_num_queries(len(few)):
            client.get(self.address)

    def test_it_needs_the_permission(self, client, operator, subscription):
        operator.user_permissions.clear()
        assert client.get(self.address).status_code == 403


class TestDetail:
    @pytest.mark.parametrize(
        ("states", "expected"),
        [
            ([], "No logs in the last 7 days."),
            (["delivered", "delivered"], "None of 2 logs failed in the last 7 days; the last delivery succeeded"),
            (["delivered", "failed"], "1 of 2 logs failed in the last 7 days; nothing has been delivered since"),
            (["failed", "delivered"], "1 of 2 logs failed in the last 7 days; the last delivery succeeded"),
            (["failed", "failed"], "2 of 2 logs failed in the last 7 days and none was delivered"),
            (["pending"], "1 log in the last 7 days, not finished yet."),
        ],
    )
    def test_one_sentence_answers_first(self, client, subscription, states, expected):
        """`states`: oldest first."""
        for index, state in enumerate(states):
            make_log(subscription, state, age=timedelta(hours=len(states) - index))
        page = client.get(address_of(subscription)).content.decode()
        sentence = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)[1]
        assert expected in " ".join(re.sub("<[^>]+>", "", sentence).split())

    def test_failures_and_logs_lead_to_their_pages(self, client, subscription):
        failure, other = make_log(subscription, State.FAILED), make_log(subscription)
        response = client.get(address_of(subscription))
        assert set(response.context["logs"]) == {failure, other}
        page = response.content.decode()
        list_query = f"?subscription={subscription.pk}"
        assert page.count(f'href="{failure.get_absolute_url()}{list_query}"') == 1
        assert f'href="/logs/{list_query}&amp;state=failed" tabindex="-1"' in page  # a value of a row leads to its logs
        assert f"?state=failed&subscription={subscription.pk}&range=7d" in page.replace("&amp;", "&")

    def test_a_url_that_the_destination_check_blocks_is_mentioned(self, client, company):
        blocked = make_subscription(company, url="http://10.0.4.12/hook")
        assert "10.0.4.12 is not a public address" in client.get(address_of(blocked)).content.decode()

    def test_a_placeholder_says_what_to_do_and_cannot_be_activated(self, client, company):
        placeholder = make_placeholder(company)
        page = client.get(address_of(placeholder)).content.decode()
        assert "Logs refer to this subscription, but it has not been imported yet." in page
        assert address_of(placeholder, "activate") not in page

    def test_what_differs_from_cotalker_is_shown(self, client, company):
        imported = make_imported(company, name="As at Cotalker")
        client.post(address_of(imported, "edit"), posted(name="As here"))
        response = client.get(address_of(imported))
        assert [(field.column, field.here, field.at_cotalker) for field in response.context["differences"]] == [
            ("name", "As here", "As at Cotalker")
        ]

    def test_the_secret_is_never_shown(self, client, subscription):
        subscription.secret = SECRET
        subscription.save()
        page = client.get(address_of(subscription)).content.decode()
        assert SECRET not in page

    def test_the_token_in_a_url_is_masked(self, client, company):
        holder = make_subscription(company, url="https://example.com/hook?token=abc123")
        assert "abc123" not in client.get(address_of(holder)).content.decode()
        assert "abc123" not in client.get("/subscriptions/").content.decode()

    @pytest.mark.parametrize("view", ["detail", "edit"])
    def test_a_foreign_one_is_not_found(self, client, foreign, view):
        assert client.get(address_of(foreign, view)).status_code == 404

    def test_queries_are_bounded(self, client, subscription, operator, django_assert_max_num_queries):
        for _number in range(12):
            make_log(subscription, State.FAILED, attempt_count=3)
            AuditEntry.record(operator, AuditAction.ACTIVATED, subscription.pk)
            queued = {"next_attempt_at": timezone.now(), "sequence": _number, "attempts_left": 3}
            make_log(subscription, State.PENDING, priority=Priority.NORMAL, **queued)
        subscription.pause(by=operator)
        with django_assert_max_num_queries(13):
            client.get(address_of(subscription))
        Subscription.objects.filter(pk=subscription.pk).update(blocking_log=WebhookLog.objects.failed().first().pk)
        with django_assert_max_num_queries(13):
            client.get(address_of(subscription))


class TestCreate:
    address = "/subscriptions/new/"

    def test_it_creates_one_in_the_only_company_with_a_code_of_its_name(self, client, company):
        response = client.post(self.address, posted(name="Órdenes de trabajo"))
        created = Subscription.objects.get()
        assert response.headers["Location"] == created.get_absolute_url()
        assert (created.company, created.code, created.url) == (company, "ordenes_de_trabajo", ADDRESS)
        assert (created.is_active, created.edited_fields) == (True, [])
        assert record_of(created) == [("subscription_created", "")]

    def test_a_suggested_code_avoids_those_of_the_company(self, client, company, foreign):
        make_subscription(company, code="pump_alarms")
        make_subscription(company, code="pump_alarms_2")
        client.post(self.address, posted())
        assert Subscription.objects.filter(code="pump_alarms_3").exists()

    def test_of_several_companies_one_is_selected(self, client, company, operator):
        other = Company.objects.create(id=objectid.new_objectid())
        other.users.add(operator)
        assert client.post(self.address, posted()).status_code == 422
        client.post(self.address, posted(company=other.pk))
        assert Subscription.objects.get().company == other

    def test_it_cannot_be_created_in_a_foreign_company(self, client, company, operator, foreign):
        Company.objects.create(id=objectid.new_objectid()).users.add(operator)
        assert client.post(self.address, posted(company=foreign.company_id)).status_code == 422
        assert Subscription.objects.count() == 1

    def test_without_a_company_it_says_so(self, client, company):
        company.users.clear()
        assert "No company available" in client.get(self.address).content.decode()
        assert client.post(self.address, posted()).status_code == 422

    @pytest.mark.parametrize(
        ("changes", "field", "message"),
        [
            ({"name": ""}, "name", "required"),
            ({"code": "WO-update"}, "code", "Only a–z, 0–9 and _ are allowed."),
            ({"code": "taken"}, "code", "another subscription with this code"),
            ({"url": ""}, "url", "required"),
            ({"url": "ftp://example.com/"}, "url", "not an http or https URL"),
            ({"url": "https://exa mple.com/"}, "url", "not an http or https URL"),
            ({"url": "https://" + "a" * 64 + ".example/"}, "url", "This host name is not valid in DNS."),
            ({"url": "http://[::1/"}, "url", "URL"),
            ({"url": "http://10.0.4.12/hook"}, "url", "DELIVERY_ALLOWED_NETWORKS"),
            ({"url": "http://169.254.169.254/"}, "url", "never allowed"),
            ({"trigger": "everything"}, "trigger", "not one of the available choices"),
            ({"context_task_group": "12"}, "context_task_group", "24 digits"),
            ({"secret_choice": "own", "own_secret": "short"}, "own_secret", "24 to 64 bytes"),
            ({"timeout": "0"}, "timeout", "greater than or equal to 1"),
            ({"timeout": "121"}, "timeout", "less than or equal to 120"),
            ({"timeout": "soon"}, "timeout", "whole number"),
            ({"headers": "X-Tenant"}, "headers", "Line 1: there is no colon"),
            ({"pause_on_exhausted": None}, "pause_on_exhausted", "required"),
        ],
    )
    def test_mistakes_are_named_at_their_field(self, client, company, changes, field, message):
        make_subscription(company, code="taken")
        response = client.post(self.address, posted(description="kept", **changes))
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]
        assert message in response.context["form"].errors[field][0]
        page = response.content.decode()
        assert f'href="#id_{field}"' in page
        assert f'id="id_{field}_error"' in page
        assert "kept</textarea>" in page
        assert re.search(rf'aria-describedby="[^"]*id_{field}_error', page)
        assert Subscription.objects.count() == 1

    def test_an_own_secret_is_not_sent_back(self, client, company):
        response = client.post(self.address, posted(name="", secret_choice="own", own_secret=SECRET))
        assert SECRET not in response.content.decode()

    def test_a_name_that_does_not_resolve_is_only_a_warning(self, client, company):
        response = client.post(self.address, posted(url="https://receiver.invalid/hook"), follow=True)
        assert Subscription.objects.get().url == "https://receiver.invalid/hook"
        assert "does not resolve right now" in response.content.decode()

    @pytest.mark.parametrize(
        ("trigger", "kept"),
        [
            ("create-edit-delete-task", ["context_task_group"]),
            ("create-edit-delete-survey", ["context_survey", "context_group"]),
            ("logout-user", []),
        ],
    )
    def test_context_that_does_not_belong_to_the_trigger_is_dropped(self, client, company, trigger, kept):
        names = ["context_task_group", "context_survey", "context_group"]
        given = {name: "62742B759D46B3000797F1FC" if name in kept else "nonsense, longer than an id" for name in names}
        client.post(self.address, posted(trigger=trigger, **given))
        created = Subscription.objects.get()
        assert {name for name in names if getattr(created, name) == "62742b759d46b3000797f1fc"} == set(kept)
        assert {name for name in names if getattr(created, name) == ""} == set(names) - set(kept)

    def test_a_generated_secret_is_shown_once(self, client, company):
        page = client.post(self.address, posted(secret_choice="generate"), follow=True).content.decode()
        created = Subscription.objects.get()
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created.secret)
        assert f'data-copy="{created.secret}"' in page
        assert created.secret not in client.get(address_of(created)).content.decode()
        assert record_of(created) == [("subscription_created", ""), ("secret_changed", "")]

    def test_an_own_secret_is_kept_and_not_shown(self, client, company):
        page = client.post(self.address, posted(secret_choice="own", own_secret=SECRET), follow=True).content.decode()
        assert Subscription.objects.get().secret == SECRET
        assert SECRET not in page

    def test_a_secret_is_generated_where_nothing_else_is_selected(self, client, company):
        choices = client.get(self.address).context["form"]["secret_choice"]
        assert choices.initial == "generate"
        assert [radio.data["value"] for radio in choices if radio.data["selected"]] == ["generate"]

    def test_how_it_is_delivered_is_kept(self, client, company):
        data = posted(timeout="7", pause_on_exhausted="True", headers="X-Tenant: austral")
        client.post(self.address, data)
        created = Subscription.objects.get()
        assert (created.timeout, created.pause_on_exhausted) == (7, True)
        assert created.headers == [("X-Tenant", "austral")]

    def test_a_code_that_was_taken_meanwhile_is_an_error_of_the_form(self, client, company, operator):
        def take(execute, sql, params, many, context):
            """Somebody else creates one between the check and the writing."""
            if sql.startswith("INSERT") and not taken:
                taken.append(True)
                make_subscription(company, code="pump")
            return execute(sql, params, many, context)

        taken = []
        with connection.execute_wrapper(take):
            response = client.post(self.address, posted(code="pump"))
        assert response.status_code == 422
        assert list(response.context["form"].errors) == ["code"]

    def test_it_needs_the_permission(self, client, operator):
        operator.user_permissions.clear()
        assert client.get(self.address).status_code == 403
        assert client.post(self.address, posted()).status_code == 403


class TestCode:
    address = "/subscriptions/code/"

    def test_it_suggests_a_code_for_the_name(self, client, company):
        make_subscription(company, code="pump_alarms")
        page = client.get(self.address, {"name": "Pump alarms"}).content.decode()
        assert page.count('value="pump_alarms_2"') == 1

    def test_a_suggestion_is_replaced_as_the_name_goes_on(self, client, company):
        query = {"name": "Pump al", "code": "pump", "suggested": "pump"}
        assert 'value="pump_al"' in client.get(self.address, query).content.decode()

    def test_a_code_that_was_typed_is_left_alone(self, client, company):
        query = {"name": "Pump al", "code": "mine", "suggested": "pump"}
        assert client.get(self.address, query).status_code == 204

    def test_a_foreign_company_says_nothing(self, client, company, foreign):
        page = client.get(self.address, {"name": "Foreign", "company": foreign.company_id}).content.decode()
        assert "foreign_2" not in page


class TestEdit:
    def test_what_changed_is_marked_and_on_record(self, client, company):
        imported = make_imported(company)
        response = client.post(address_of(imported, "edit"), posted(name="Orders", url=ADDRESS + "/v2", is_active=None))
        assert response.headers["Location"] == imported.get_absolute_url()
        imported.refresh_from_db()
        assert (imported.url, imported.is_active) == (ADDRESS + "/v2", False)
        assert imported.edited_fields == ["is_active", "url"]
        assert json.loads(write_subscription(imported))["url"] == ADDRESS + "/v2"
        assert record_of(imported) == [("subscription_changed", "url, is_active")]

    def test_saving_without_a_change_leaves_no_trace(self, client, company):
        imported = make_imported(company)
        Subscription.objects.update(description="Two\nlines")
        client.post(address_of(imported, "edit"), posted(name="Orders", description="Two\r\nlines"))
        imported.refresh_from_db()
        assert (imported.edited_fields, record_of(imported)) == ([], [])

    def test_how_it_is_delivered_is_changed_and_is_no_difference_to_cotalker(self, client, company):
        imported = make_imported(company)
        data = posted(name="Orders", timeout="7", pause_on_exhausted="True")
        client.post(address_of(imported, "edit"), data)
        imported.refresh_from_db()
        assert (imported.timeout, imported.pause_on_exhausted, imported.edited_fields) == (7, True, [])
        assert record_of(imported) == [("subscription_changed", "timeout, pause_on_exhausted")]
        assert client.get(address_of(imported)).context["differences"] == []
        client.post(address_of(imported, "edit"), data | {"timeout": ""})
        imported.refresh_from_db()
        assert imported.timeout is None

    def test_the_default_timeout_is_named(self, client, subscription, settings):
        settings.DELIVERY_TIMEOUT = 17
        assert "Leave empty for the default, 17." in client.get(address_of(subscription, "edit")).content.decode()

    @pytest.mark.parametrize(
        ("changes", "versions"),
        [
            ({"url": ADDRESS + "/v2"}, 1),
            ({"headers": "X-Tenant: austral"}, 1),
            ({"timeout": "7"}, 1),
            ({"secret_choice": "generate"}, 1),
            ({"is_active": None}, 1),
            ({"url": ADDRESS + "/v2", "secret_choice": "generate"}, 1),
            ({"description": "Pumps"}, 0),
            ({}, 0),
        ],
    )
    def test_workers_notice_what_changes_the_next_request(self, client, subscription, changes, versions):
        client.post(address_of(subscription, "edit"), posted(name="Work Orders", **changes))
        assert Subscription.objects.get(pk=subscription.pk).queue_version == versions

    def test_context_cleared_with_its_trigger_counts_as_edited(self, client, company):
        subscription = make_subscription(company, context_task_group=objectid.new_objectid())
        client.post(address_of(subscription, "edit"), posted(name=subscription.name, trigger="create-edit-delete-note"))
        subscription.refresh_from_db()
        assert (subscription.context_task_group, subscription.edited_fields) == ("", ["context_task_group", "trigger"])

    def test_a_blocked_url_that_came_with_an_import_does_not_block_other_edits(self, client, company):
        blocked = make_subscription(company, url="http://10.0.4.12/hook")
        edit = address_of(blocked, "edit")
        assert client.post(edit, posted(url="http://10.0.4.12/hook", description="Old")).status_code == 302
        assert client.post(edit, posted(url="http://10.0.4.12/other")).status_code == 422

    def test_code_and_company_stay_as_they_are(self, client, subscription, foreign):
        changes = posted(code="other", company=foreign.company_id)
        client.post(address_of(subscription, "edit"), changes)
        stored = Subscription.objects.get(pk=subscription.pk)
        assert (stored.code, stored.company_id, stored.name) == ("wo", subscription.company_id, "Pump alarms")

    def test_the_first_sequence_of_the_queue_is_not_set_back(self, client, subscription):
        def move_on(execute, sql, params, many, context):
            """A worker moves on while the form is being checked."""
            if "FOR UPDATE" in sql:
                Subscription.objects.filter(pk=subscription.pk).update(first_sequence=7)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(move_on):
            client.post(address_of(subscription, "edit"), posted())
        assert Subscription.objects.get(pk=subscription.pk).first_sequence == 7

    def test_a_placeholder_becomes_a_subscription(self, client, company):
        placeholder = make_placeholder(company)
        client.post(address_of(placeholder, "edit"), posted(code="pumps"))
        placeholder.refresh_from_db()
        assert (placeholder.is_placeholder, placeholder.code, placeholder.is_active) == (False, "pumps", True)

    def test_a_placeholder_needs_a_trigger(self, client, company):
        placeholder = make_placeholder(company)
        assert client.post(address_of(placeholder, "edit"), posted(trigger=None)).status_code == 422
        placeholder.refresh_from_db()
        assert placeholder.is_placeholder

    def test_a_placeholder_imported_meanwhile_is_not_written_over(self, client, company):
        placeholder = make_placeholder(company)

        def import_it(execute, sql, params, many, context):
            if "FOR UPDATE" in sql:
                Subscription.objects.filter(pk=placeholder.pk).update(
                    is_placeholder=False, code="imported", trigger=Trigger.NOTE
                )
            return execute(sql, params, many, context)

        with connection.execute_wrapper(import_it):
            response = client.post(address_of(placeholder, "edit"), posted(code="typed"))
        assert response.status_code == 422
        assert "was imported while you were editing it" in response.content.decode()
        assert Subscription.objects.get(pk=placeholder.pk).code == "imported"

    @pytest.mark.parametrize(("choice", "expected"), [("keep", SECRET), ("none", ""), ("own", "whsec_" + "WFla" * 8)])
    def test_the_secret_is_kept_removed_or_replaced(self, client, subscription, choice, expected):
        subscription.secret = SECRET
        subscription.save()
        data = posted(name="Work Orders", secret_choice=choice, own_secret="whsec_" + "WFla" * 8)
        client.post(address_of(subscription, "edit"), data)
        subscription.refresh_from_db()
        assert subscription.secret == expected
        assert record_of(subscription) == ([] if choice == "keep" else [("secret_changed", "")])

    def test_the_page_of_an_invalid_form_keeps_the_stored_name_in_its_title(self, client, subscription):
        response = client.post(address_of(subscription, "edit"), posted(name="Typed", url="nonsense"))
        assert "<h1>Edit Work Orders</h1>" in response.content.decode()
        assert 'value="Typed"' in response.content.decode()


class TestActivation:
    def test_it_is_activated_and_on_record(self, client, company):
        subscription = make_subscription(company, is_active=False)
        response = client.post(address_of(subscription, "activate"))
        assert response.headers["Location"] == subscription.get_absolute_url()
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields, record_of(subscription)) == (
            True,
            ["is_active"],
            [("activated", "")],
        )

    @pytest.mark.parametrize(("view", "was_active"), [("activate", False), ("deactivate", True)])
    def test_workers_notice_and_what_waits_is_not_sent_on_the_side(self, client, company, view, was_active):
        subscription = make_subscription(company, is_active=was_active, is_draining=True)
        for _time in range(2):
            client.post(address_of(subscription, view))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.is_draining, subscription.queue_version) == (
            not was_active,
            False,
            1,
        )

    def test_it_is_deactivated_and_on_record(self, client, subscription):
        client.post(address_of(subscription, "deactivate"))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields) == (False, ["is_active"])
        assert record_of(subscription) == [("deactivated", "")]

    @pytest.mark.parametrize(("is_active", "view"), [(True, "activate"), (False, "deactivate")])
    def test_twice_is_once(self, client, company, is_active, view):
        subscription = make_subscription(company, is_active=is_active)
        client.post(address_of(subscription, view))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields, record_of(subscription)) == (is_active, [], [])

    def test_a_placeholder_is_not_activated(self, client, company):
        placeholder = make_placeholder(company)
        page = client.post(address_of(placeholder, "activate"), follow=True).content.decode()
        assert "Not activated. This subscription has not been imported yet." in page
        assert not Subscription.objects.get(pk=placeholder.pk).is_active

    def test_one_without_a_url_is_not_activated(self, client, company):
        subscription = make_subscription(company, url="", is_active=False)
        page = client.post(address_of(subscription, "activate"), follow=True).content.decode()
        assert "This subscription has no URL." in page
        assert not Subscription.objects.get(pk=subscription.pk).is_active

    @pytest.mark.parametrize(("view", "is_active", "status"), [("activate", False, 302), ("deactivate", True, 405)])
    def test_only_posts_by_those_who_may(self, client, operator, subscription, foreign, view, is_active, status):
        Subscription.objects.update(is_active=is_active)
        assert client.get(address_of(subscription, view)).status_code == status
        assert Subscription.objects.get(pk=subscription.pk).is_active == is_active
        assert client.post(address_of(foreign, view)).status_code == 404
        operator.user_permissions.clear()
        assert client.post(address_of(subscription, view)).status_code == 403


class TestOrder:
    @pytest.fixture
    def subscriptions(self, company):
        """By what each is put in order: success, last failure, last log, time to answer; the last one has none of them."""
        created = {name: make_subscription(company, name=name) for name in ("Zeta", "Ábaco", "Beta", "Gamma")}
        make_log(created["Zeta"], State.FAILED, age=timedelta(hours=3), duration_ms=900)
        make_log(created["Zeta"], age=timedelta(hours=2), duration_ms=900)
        make_log(created["Ábaco"], State.FAILED, age=timedelta(hours=5), duration_ms=40)
        make_log(created["Beta"], age=timedelta(hours=4), duration_ms=200)
        make_log(created["Gamma"], age=timedelta(days=30))
        return created

    @pytest.mark.parametrize(
        ("sort", "names"),
        [
            ("", ["Ábaco", "Zeta", "Beta", "Gamma"]),
            ("success", ["Ábaco", "Zeta", "Beta", "Gamma"]),
            ("-success", ["Beta", "Zeta", "Ábaco", "Gamma"]),
            ("name", ["Ábaco", "Beta", "Gamma", "Zeta"]),
            ("-name", ["Zeta", "Gamma", "Beta", "Ábaco"]),
            ("-p95", ["Zeta", "Beta", "Ábaco", "Gamma"]),
            ("failure", ["Ábaco", "Zeta", "Beta", "Gamma"]),
            ("-failure", ["Zeta", "Ábaco", "Beta", "Gamma"]),
            ("-log", ["Zeta", "Beta", "Ábaco", "Gamma"]),
            ("-waiting", ["Beta", "Gamma", "Zeta", "Ábaco"]),
        ],
    )
    def test_the_list_is_put_in_order_by_a_column(self, client, subscriptions, sort, names):
        page = client.get(reverse("logs:subscription_list"), {"sort": sort}).content.decode()
        table = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
        assert re.findall(r'<th class="name"[^>]*>\s*<a[^>]*>([^<]*)<', table) == names

    def test_a_head_turns_the_order_and_keeps_the_search(self, client, subscriptions):
        page = client.get(reverse("logs:subscription_list"), {"q": "a", "sort": "-failure"}).content.decode()
        assert re.search(r'aria-sort="descending"><a href="\?q=a&amp;sort=failure"[^>]*>Last failure', page)
        assert re.search(r'scope="col"><a href="\?q=a&amp;sort=-waiting"[^>]*>Waiting', page)
        assert '<input type="hidden" name="sort" value="-failure">' in page

    def test_an_unknown_order_is_an_error(self, client, subscriptions):
        assert client.get(reverse("logs:subscription_list"), {"sort": "colour"}).status_code == 422
