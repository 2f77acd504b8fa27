"""The overview: its sentence, its figures and the blocked queues, for each user."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from logs.cotalker import objectid
from logs.incidents.update import update_incidents
from logs.models import Company, Priority, State, Subscription, WebhookLog, Worker

from ..factories import make_company, make_log_of_age, make_subscription
from ..html import ids_in

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def log(subscription, state=State.DELIVERED, age=HOUR, **fields):
    if state == State.FAILED:
        fields = {"cause": "http_5xx", "fingerprint": "502 Bad Gateway", "response": "502 Bad Gateway"} | fields
    return make_log_of_age(subscription, state, age, **fields)


def waiting_log(subscription, sequence=1, age=HOUR, priority=Priority.NORMAL, **fields):
    queued = {"next_attempt_at": timezone.now(), "sequence": sequence, "priority": priority, "attempts_left": 3}
    return log(subscription, State.RETRYING if priority == Priority.RETRY else State.PENDING, age, **queued | fields)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def sentence(page: str) -> str:
    return text(re.search(r'<p class="summary">(.*?)</p>', page, re.DOTALL)[1])


def figures(page: str) -> dict[str, tuple[str, str]]:
    """By its name, each figure and what has changed."""
    block = re.search(r'<dl class="stats".*?</dl>', page, re.DOTALL)[0]
    rows = re.findall(
        r'<dt>(.*?)</dt>.*?<dd class="value"[^>]*>(.*?)</dd>.*?<dd class="change"[^>]*>(.*?)</dd>', block, re.DOTALL
    )
    return {name: (text(value), text(change)) for name, value, change in rows}


@pytest.fixture
def look(client, operator):
    def at(address="/", status=200):
        response = client.get(address)
        assert response.status_code == status
        return response.content.decode()

    return at


class TestSentence:
    def test_it_says_which_subscription_fails_and_how_often(self, look, subscription):
        log(subscription, age=3 * HOUR)
        log(subscription, State.FAILED, age=2 * HOUR)
        log(subscription, State.FAILED, age=HOUR)
        said = sentence(look())
        assert said.startswith(
            "2 logs failed in the last 24 hours. All of them failed for the same reason in Work Orders Update, "
        )
        assert said.endswith("Nothing has been delivered since the last failure.")

    def test_a_subscription_that_delivered_again_has_recovered(self, look, subscription):
        log(subscription, State.FAILED, age=2 * HOUR)
        log(subscription)
        assert sentence(look()).endswith("The subscription has recovered.")

    def test_it_counts_the_subscriptions_that_still_fail(self, look, subscription):
        other = make_subscription(pk=objectid.new_objectid(), name="Users to HR")
        log(subscription, State.FAILED, age=2 * HOUR)
        log(subscription)
        log(other, State.FAILED, cause="timeout", fingerprint="connect ETIMEDOUT")
        log(other, State.FAILED, cause="timeout", fingerprint="connect ETIMEDOUT")
        said = sentence(look())
        assert said.startswith(
            "3 logs failed in the last 24 hours. 2 of them failed for the same reason in Users to HR, "
        )
        assert said.endswith("1 of 2 subscriptions is still failing.")

    def test_it_says_when_nothing_failed(self, look, subscription):
        log(subscription)
        assert sentence(look()) == "All clear. Nothing failed in the last 24 hours: 1 log was delivered."

    def test_an_unfinished_log_is_not_a_success(self, look, subscription):
        waiting_log(subscription)
        assert sentence(look()).startswith("1 event was accepted in the last 24 hours, and it isn’t finished yet.")

    def test_it_names_the_newest_log_in_a_quiet_time(self, look, subscription):
        log(subscription, age=3 * DAY)
        assert sentence(look()).startswith("No events in the last 24 hours. The latest is from")

    def test_before_the_first_log_it_says_how_to_get_one(self, look):
        page = look()
        assert "No logs yet" in page
        assert 'class="stats"' not in page

    def test_a_blocked_queue_is_mentioned(self, look, subscription):
        waiting_log(subscription, priority=Priority.RETRY, cause="timeout")
        assert "1 queue is blocked." in sentence(look())

    def test_without_a_worker_it_says_what_waits(self, look, subscription):
        waiting_log(subscription)
        assert "1 log is waiting, but no worker is running to send it." in sentence(look())
        Worker.objects.create(id="a", started_at=timezone.now(), seen_at=timezone.now())
        assert "no worker" not in sentence(look())


class TestFigures:
    def test_each_figure_shows_the_previous_period_too(self, look, subscription):
        for _number in range(3):
            log(subscription, duration_ms=100)
        log(subscription, State.FAILED)
        log(subscription, State.SKIPPED)
        waiting_log(subscription)
        for state in (State.DELIVERED, State.DELIVERED, State.FAILED):
            log(subscription, state, age=DAY + HOUR, duration_ms=300)
        log(subscription, State.FAILED, age=2 * DAY + HOUR)  # before both times
        assert figures(look()) == {
            "Events": ("6", "100.0 % more (was 3)"),
            "Delivered": ("3", "50.0 % more (was 2)"),
            "Failed": ("1", "same as in the previous period"),
            "Success": ("75.0 %", "8.4 points higher (was 66.6 %)"),
            "p95 latency": ("97 ms", "296 ms in the previous period"),  # by bins, right to an eighth
            "Waiting now": ("1", "oldest: 1 h ago"),
        }

    @pytest.mark.parametrize(
        ("now", "earlier", "text"),
        [
            (4, 2, "100.0 % more (was 2)"),
            (9, 2, "4.5 times as many (was 2)"),
            (20, 2, "10.0 times as many (was 2)"),
            (21, 2, "2 in the previous period"),
            (1, 4, "75.0 % less (was 4)"),
        ],
    )
    def test_more_than_double_is_a_number_of_times(self, look, subscription, now, earlier, text):
        for _number in range(now):
            log(subscription)
        for _number in range(earlier):
            log(subscription, age=DAY + HOUR)
        assert figures(look())["Delivered"] == (str(now), text)

    def test_without_a_previous_period_nothing_is_compared(self, look, subscription):
        log(subscription)
        shown = figures(look())
        assert shown["Delivered"] == ("1", "0 in the previous period")
        assert shown["Success"] == ("100.0 %", "no data for the previous period")
        assert shown["p95 latency"] == ("–", "only for deliveries sent by cotadmin")
        assert shown["Waiting now"] == ("0", "nothing waiting")

    def test_a_log_from_a_clock_ahead_of_ours_counts(self, look, subscription):
        log(subscription, State.FAILED, age=-4 * MINUTE)
        assert figures(look())["Failed"][0] == "1"

    @pytest.mark.parametrize(("range_", "number"), [("15m", "1"), ("1h", "2"), ("24h", "3"), ("7d", "4"), ("30d", "5")])
    def test_a_range_has_exactly_its_length(self, look, subscription, range_, number):
        for age in (10 * MINUTE, 50 * MINUTE, 23 * HOUR, 6 * DAY, 29 * DAY, 31 * DAY):
            log(subscription, State.FAILED, age=age)
        assert figures(look(f"/?range={range_}"))["Failed"][0] == number

    def test_it_follows_the_state_of_a_log(self, look, subscription):
        failed = log(subscription, State.FAILED)
        WebhookLog.objects.filter(pk=failed.pk).update(state=State.DELIVERED, cause="", fingerprint="")
        page = look()
        assert figures(page)["Failed"][0] == "0"
        assert 'id="overview-groups"' not in page


class TestChart:
    def test_failures_are_charted_by_time_and_listed_in_a_table(self, look, subscription):
        log(subscription, State.FAILED)
        log(subscription)
        page = look()
        assert "Failures per 30 minutes" in page
        rows = re.findall(
            r'<th scope="row">[^<]+</th>\s*<td class="numeric">(\d+)</td>\s*<td class="numeric">(\d+)</td>', page
        )
        assert rows == [("1", "1")]

    def test_without_failures_the_chart_shows_deliveries(self, look, subscription):
        log(subscription)
        assert "Deliveries per 30 minutes" in look()

    @pytest.mark.parametrize(
        ("zone", "title"), [("UTC", "Failures per day"), ("America/Santiago", "Failures per day (UTC)")]
    )
    def test_days_are_in_utc_and_labelled_so(self, look, subscription, client, zone, title):
        failed = log(subscription, State.FAILED)
        client.cookies["zone"] = zone
        page = look("/?range=30d")
        assert title in re.search(r'id="chart-title">([^<]*)<', page)[1]
        day = date_format(failed.created_at, "j M")
        assert f"<title>{day}: 1 failed, 0 delivered</title>" in page

    def test_bars_begin_at_the_same_times_in_every_zone(self, look, subscription, settings, monkeypatch):
        now = timezone.now()
        monkeypatch.setattr("django.utils.timezone.now", lambda: now)
        settings.TIME_ZONE = "America/Santiago"
        log(subscription, State.FAILED)
        there = re.findall(r'<rect class="failed" x="[\d.]+"', look())
        settings.TIME_ZONE = "Asia/Kathmandu"
        assert re.findall(r'<rect class="failed" x="[\d.]+"', look()) == there

    def test_bars_have_different_labels_when_the_clock_goes_back(self, look, subscription, client, monkeypatch):
        now = datetime(2022, 4, 3, 9, 10, tzinfo=UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda: now)
        client.cookies["timezone"] = "America/Santiago"
        for number in range(16):  # a log in each half hour
            log(subscription, State.FAILED, age=timedelta(minutes=30 * number))
        page = look()
        titles = [title.partition(": ")[0] for title in re.findall(r"<title>([^<]*failed, [^<]*)</title>", page)]
        rows = re.findall(r'<th scope="row">([^<]+)</th>\s*<td class="numeric">1</td>', page)
        assert (len(titles), len(rows)) == (49, 16)
        assert len(set(titles)) == 49
        assert len(set(rows)) == 16
        assert {"2 Apr 2022 23:30 (UTC−3)", "2 Apr 2022 23:30 (UTC−4)", "3 Apr 2022 00:00"} <= set(rows)

    def test_numbers_are_drawn_with_points_and_without_styles(self, client, look, subscription):
        log(subscription, State.FAILED)
        page = client.get("/", headers={"Accept-Language": "es"}).content.decode()
        assert re.search(r'<rect class="failed" x="[\d.]+"\s+y="0.0" width="[\d.]+" height="100.0"/>', page)
        assert "style=" not in page


class TestQueues:
    def test_each_blocked_queue_says_why_and_how_many_wait_behind(self, look, subscription):
        paused = make_subscription(
            pk=objectid.new_objectid(), name="Elements to ERP", paused_at=timezone.now() - 2 * HOUR
        )
        waiting_log(paused, 1)
        waiting_log(paused, 2)
        waiting_log(subscription, 1, priority=Priority.RETRY, cause="timeout")
        waiting_log(subscription, 2)
        shown = re.search(r'<section class="panel" id="queues".*?</section>', look(), re.DOTALL)[0]
        first, second = (text(item) for item in re.findall(r"<li>(.*?)</li>", shown, re.DOTALL))
        assert first == "Elements to ERP Paused 2 more waiting · paused 2 h ago"
        assert second.startswith("Work Orders Update Retrying 1 more waiting · next attempt: ")
        assert second.endswith("· No answer in time")
        assert f'href="{paused.get_absolute_url()}#queue"' in shown

    def test_a_queue_of_an_inactive_subscription_is_not_blocked(self, look):
        idle = make_subscription(is_active=False)
        waiting_log(idle, priority=Priority.RETRY)
        assert "No queue is blocked." in look()

    def test_a_queue_paused_after_a_recovery_is_not_failing(self, look, subscription, client):
        log(subscription, State.FAILED, age=2 * HOUR)
        log(subscription)
        subscription.pause(by=None)
        assert "The subscription has recovered. 1 queue is blocked." in text(look())
        page = text(client.get(subscription.get_absolute_url()).content.decode())
        assert "1 of 2 logs failed in the last 7 days; the last delivery succeeded" in page


class TestAttention:
    @pytest.mark.parametrize(
        ("is_paused", "later", "shown"),
        [
            (False, True, "Recovered"),
            (False, False, "Still failing"),
            (True, False, "Paused"),
            (True, True, "Paused"),
        ],
    )
    def test_each_row_shows_the_current_state(self, look, subscription, is_paused, later, shown):
        if is_paused:
            subscription.pause(by=None)
        log(subscription, age=3 * HOUR)
        log(subscription, State.FAILED, age=2 * HOUR)
        if later:
            log(subscription)
        (row,) = re.findall(r'<table class="table top-failing-table">.*?<tbody>(.*?)</tbody>', look(), re.DOTALL)
        assert text(row).removesuffix(" Check receiver now").endswith(shown)

    def test_subscriptions_with_the_most_failures_come_first(self, look):
        for index in range(7):
            subscription = make_subscription(pk=objectid.new_objectid(), name=f"Orders {index}")
            for _number in range(index):
                log(subscription, State.FAILED)
        page = look()
        table = re.search(r'<table class="table top-failing-table">.*?</table>', page, re.DOTALL)[0]
        assert re.findall(r">(Orders \d)<", table) == ["Orders 6", "Orders 5", "Orders 4", "Orders 3", "Orders 2"]
        assert "5 of 6 with failures" in page

    def test_names_and_responses_are_escaped(self, look):
        hostile = make_subscription(name="<img src=x onerror=alert(1)>")
        log(hostile, State.FAILED, response="<script>alert(1)</script>", fingerprint='"><script>')
        page = look()
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert '"><script>' not in page


class TestWho:
    def test_nothing_of_other_companies_is_counted_or_named(self, look, subscription):
        foreign = make_subscription(
            pk=objectid.new_objectid(),
            name="Foreign",
            company=make_company("625be93a286ef83c1c0e0000"),
            paused_at=timezone.now(),
        )
        log(foreign, State.FAILED)
        waiting_log(foreign)
        log(subscription)
        page = look()
        assert "Foreign" not in page
        assert figures(page)["Failed"][0] == "0"
        assert figures(page)["Waiting now"][0] == "0"
        assert "No queue is blocked." in page

    def test_a_person_without_a_company_sees_nothing(self, look, operator, subscription):
        log(subscription, State.FAILED)
        operator.companies.clear()
        assert "No logs yet" in look()

    def test_a_superuser_sees_all(self, client, django_user_model, subscription):
        log(
            make_subscription(pk=objectid.new_objectid(), company=make_company("625be93a286ef83c1c0e0000")),
            State.FAILED,
        )
        log(subscription, State.FAILED)
        client.force_login(django_user_model.objects.create_superuser("root"))
        assert figures(client.get("/").content.decode())["Failed"][0] == "2"


@pytest.mark.parametrize("query", ["range=2h", "range=", "colour=red", "range=24h&state=failed"])
def test_an_unknown_filter_shows_no_figures(look, subscription, query):
    log(subscription, State.FAILED)
    page = look(f"/?{query}", status=422)
    assert "There is no such range." in page
    assert "Work Orders" not in page


def queries_of(client, django_assert_max_num_queries, most: int, address: str) -> int:
    with django_assert_max_num_queries(most) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("role", ["Operator", "superuser"])
def test_one_subscription_and_fifty_cost_the_same_twenty_five_queries(
    client, member, django_user_model, django_assert_max_num_queries, role
):
    """Four of them are for the session, the user and the permissions."""
    user = member(role) if role != "superuser" else django_user_model.objects.create_superuser("root")
    client.force_login(user)
    subscription = make_subscription()
    log(subscription, State.FAILED)
    waiting_log(subscription, priority=Priority.RETRY)
    update_incidents()
    few = queries_of(client, django_assert_max_num_queries, 25, "/?range=7d")
    for index in range(49):
        subscription = make_subscription(pk=objectid.new_objectid(), name=f"Orders {index}")
        log(subscription, State.FAILED, fingerprint=f"{index}")
        log(subscription, age=MINUTE)
        waiting_log(subscription, priority=Priority.RETRY)
    update_incidents()
    assert queries_of(client, django_assert_max_num_queries, 25, "/?range=7d") == few
    assert Company.objects.count() == 1
    assert Subscription.objects.count() == 50


@pytest.mark.parametrize("name", ["15m", "24h", "30d"])
def test_logs_dated_in_the_future_are_in_no_range(client, operator, subscription, name):
    """A sender's clock may be some minutes ahead; one that is a day ahead, or a year, is wrong."""
    log(subscription, State.FAILED, 5 * MINUTE)
    log(subscription, State.FAILED, -4 * MINUTE)
    for age in (-12 * MINUTE, -DAY, -400 * DAY):
        log(subscription, State.FAILED, age)
    assert figures(client.get(f"/?range={name}").content.decode())["Events"][0] == "2"
    assert client.get(f"/?range={name}").context["overview"].largest.count == 2
    listed = client.get(f"/logs/?range={name}&state=failed")
    assert (len(ids_in(listed)), "2 logs" in text(listed.content.decode())) == (2, True)
    assert len(ids_in(client.get("/logs/"))) == 5
