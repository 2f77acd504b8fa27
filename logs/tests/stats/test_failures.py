"""The page of failure groups: failures of one subscription that have the same cause and fingerprint."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.urls import reverse
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import Attempt, Priority, State, WebhookLog
from logs.stats import failure_groups, group_counts
from logs.templatetags.stats_format import time_span

from ..factories import make_company, make_log_of_age, make_subscription
from ..html import plain_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GATEWAY = {"cause": "http_5xx", "fingerprint": "502 Bad Gateway", "response": "502 Bad Gateway", "status": 502}
TIMEOUT = {"cause": "timeout", "fingerprint": "connect ETIMEDOUT {ip}:443", "response": "connect ETIMEDOUT 1.2.3.4:443"}


def failed(subscription, age=HOUR, **fields):
    return make_log_of_age(subscription, State.FAILED, age, **GATEWAY | fields)


@pytest.fixture
def rows(client):
    """The rows of the table as text."""

    def read(query="", status=200):
        response = client.get(f"/failures/{query}")
        assert response.status_code == status
        return [
            plain_text(row) for row in re.findall(r"<tr>(?!<th scope=\"col\")(.*?)</tr>", body(response), re.DOTALL)
        ]

    return read


def body(response) -> str:
    match = re.search(
        r'<table class="table failure-groups-table">.*?<tbody>(.*?)</tbody>', response.content.decode(), re.DOTALL
    )
    return match[1] if match else ""


def groups(client, query=""):
    return client.get(f"/failures/{query}").context["failures"].groups


class TestGroups:
    def test_similar_failures_form_one_group_and_others_do_not(self, client, subscription):
        other = make_subscription(pk=objectid.new_objectid(), name="Users to HR")
        for number in range(3):
            failed(subscription, age=HOUR + number * MINUTE)
        failed(subscription, **TIMEOUT)
        failed(other)
        found = {(str(group.subscription), group.kind.cause): group.count for group in groups(client)}
        assert found == {
            ("Work Orders Update", "http_5xx"): 3,
            ("Work Orders Update", "timeout"): 1,
            ("Users to HR", "http_5xx"): 1,
        }

    def test_each_shows_cause_response_status_and_number_in_words(self, rows, subscription):
        failed(subscription)
        failed(subscription)
        (row,) = rows()
        assert row.startswith("Error at the receiver (5xx) 502 502 Bad Gateway Work Orders Update 2 ")
        assert row.endswith("Open 2 logs")

    @pytest.mark.parametrize(
        ("zone", "shown"),
        [
            ("UTC", "23 Nov 23:30 – today 03:10"),
            ("America/Santiago", "23 Nov 20:30 – today 00:10"),
            ("Asia/Kathmandu", "05:15 – 08:55"),
        ],
    )
    def test_first_and_last_are_shown_in_the_users_zone(self, zone, shown):
        first, last = datetime(2026, 11, 23, 23, 30, tzinfo=UTC), datetime(2026, 11, 24, 3, 10, tzinfo=UTC)
        with timezone.override(zone), patch("django.utils.timezone.now", lambda: last + MINUTE):
            assert plain_text(time_span(first, last)) == shown

    def test_first_last_and_example_come_from_its_logs(self, client, subscription):
        oldest = failed(subscription, age=5 * HOUR, response="502 first")
        newest = failed(subscription, age=2 * HOUR, response="502 last")
        failed(subscription, age=HOUR, **TIMEOUT)
        group = next(group for group in groups(client) if group.kind.cause == "http_5xx")
        assert (group.first_at, group.last_at) == (oldest.created_at, newest.created_at)
        assert (group.example.pk, group.example.response) == (newest.pk, "502 last")

    def test_logs_that_changed_since_are_not_shown(self, client, subscription):
        oldest = failed(subscription, age=5 * HOUR)
        newest = failed(subscription, age=MINUTE)
        WebhookLog.objects.filter(pk=newest.pk).update(state=State.DELIVERED, cause="", fingerprint="")
        (group,) = groups(client)
        assert (group.count, group.last_at, group.example.pk) == (1, oldest.created_at, oldest.pk)

    def test_its_bars_count_only_its_failures(self, client, subscription):
        failed(subscription, age=2 * HOUR)
        failed(subscription, age=MINUTE)
        failed(subscription, age=MINUTE, **TIMEOUT)
        group = next(group for group in groups(client) if group.kind.cause == "http_5xx")
        assert [bar.failed for bar in group.bars if bar.failed] == [1, 1]

    def test_its_link_finds_exactly_its_logs_in_the_explorer(self, client, subscription):
        other = make_subscription(pk=objectid.new_objectid(), name="Users to HR")
        expected = {failed(subscription, fingerprint='<b>&"{n}" ').pk for _number in range(2)}
        failed(subscription)
        failed(subscription, **TIMEOUT)
        failed(other, fingerprint='<b>&"{n}" ')
        failed(subscription, fingerprint='<b>&"{n}" ', age=2 * DAY)
        address = next(group.address for group in groups(client) if group.count == 2)
        page = client.get(address).content.decode()
        assert set(re.findall(r'data-log="([0-9a-f]{24})"', page)) == expected

    def test_the_example_masks_what_is_masked(self, rows, subscription):
        failed(subscription, response='{"password": "hunter2", "error": "no"}')
        (row,) = rows()
        assert "hunter2" not in row
        assert "password" in row


class TestNow:
    def test_a_later_success_of_the_subscription_is_a_recovery(self, rows, client, subscription):
        failed(subscription, age=2 * HOUR)
        success = make_log_of_age(subscription)
        (row,) = rows()
        assert "Recovered last success 1 h ago" in row
        assert groups(client)[0].attempts.delivered_at == success.created_at

    def test_an_earlier_success_is_not_a_recovery(self, rows, subscription):
        make_log_of_age(subscription, age=2 * HOUR)
        failed(subscription)
        (row,) = rows()
        assert "Still failing last success 2 h ago" in row

    def test_the_success_of_another_subscription_is_not_a_recovery(self, rows, subscription):
        failed(subscription, age=2 * HOUR)
        make_log_of_age(make_subscription(pk=objectid.new_objectid()))
        (row,) = rows()
        assert "Still failing no success in this period" in row

    def test_within_the_same_five_minutes_the_logs_decide(self, client, subscription):
        make_log_of_age(subscription, age=2 * MINUTE)
        failed(subscription, age=timedelta(seconds=119))
        make_log_of_age(subscription, age=timedelta(seconds=118))
        failed(subscription, age=timedelta(seconds=117), **TIMEOUT)
        assert {group.kind.cause: group.has_recovered for group in groups(client)} == {
            "http_5xx": True,
            "timeout": False,
        }

    def test_a_paused_queue_is_linked(self, rows, client, subscription):
        subscription.pause(by=None)
        failed(subscription)
        make_log_of_age(
            subscription, State.PENDING, next_attempt_at=timezone.now(), priority=2, sequence=1, attempts_left=3
        )
        (row,) = rows()
        assert "Paused 1 waiting" in row
        assert f'href="{subscription.get_absolute_url()}#queue"' in client.get("/failures/").content.decode()

    def test_a_blocked_queue_has_not_recovered_despite_later_deliveries(self, rows, subscription):
        failed(subscription, age=2 * HOUR)
        make_log_of_age(subscription)
        (row,) = rows()
        assert "Recovered" in row
        make_log_of_age(
            subscription,
            State.RETRYING,
            next_attempt_at=timezone.now(),
            priority=Priority.RETRY,
            sequence=1,
            attempts_left=2,
        )
        (row,) = rows()
        assert "Still failing last success" in row
        subscription.pause(by=None)
        (row,) = rows()
        assert "Paused 1 waiting" in row
        assert row.endswith("Open queue")

    def test_the_last_success_is_dated_by_its_delivery_not_by_when_its_event_came_in(self, rows, subscription):
        failed(subscription, age=5 * HOUR)
        delivered = make_log_of_age(subscription, age=3 * HOUR)
        at = timezone.now() - 10 * MINUTE
        Attempt.objects.create(log=delivered, number=1, trigger="auto", started_at=at, status=200)
        (row,) = rows()
        assert "last success 10 min ago" in row


class TestFilter:
    @pytest.mark.parametrize(("range_", "count"), [("15m", 1), ("1h", 2), ("24h", 3), ("7d", 4), ("30d", 5)])
    def test_groups_are_filtered_by_range(self, client, subscription, range_, count):
        for age in (10 * MINUTE, 50 * MINUTE, 23 * HOUR, 6 * DAY, 29 * DAY, 31 * DAY):
            failed(subscription, age=age)
        assert groups(client, f"?range={range_}")[0].count == count

    def test_groups_are_filtered_by_subscription_and_cause(self, client, subscription):
        other = make_subscription(pk=objectid.new_objectid(), name="Users to HR")
        for each in (subscription, other):
            failed(each)
            failed(each, **TIMEOUT)
        found = groups(client, f"?subscription={subscription.pk}&cause=timeout")
        assert [(group.subscription, group.kind.cause) for group in found] == [(subscription, "timeout")]

    def test_empty_fields_of_the_form_do_not_filter(self, client, subscription):
        failed(subscription)
        assert len(groups(client, "?range=24h&subscription=&cause=&sort=most")) == 1

    def test_groups_are_sorted_newest_first_or_most_frequent_first(self, client, subscription):
        for number in range(3):
            failed(subscription, age=3 * HOUR + number * MINUTE)
        failed(subscription, age=HOUR, **TIMEOUT)
        assert [group.kind.cause for group in groups(client)] == ["timeout", "http_5xx"]
        assert [group.kind.cause for group in groups(client, "?sort=most")] == ["http_5xx", "timeout"]

    def test_newest_first_is_exact_within_a_bucket(self, client, subscription):
        for index, second in enumerate((30, 10, 20)):
            failed(subscription, age=timedelta(seconds=second), fingerprint=str(index))
        assert [group.kind.fingerprint for group in groups(client, "?range=30d")] == ["1", "2", "0"]

    @pytest.mark.parametrize(
        "query",
        [
            "range=2h",
            "range=24h&range=7d",
            "colour=red",
            "cause=boredom",
            "cause=timeout&cause=boredom",
            "sort=oldest",
            "all=yes",
            "subscription=62685990d918fb5557f9f9ff",
            "subscription=x",
            "state=failed",
        ],
    )
    def test_an_unknown_filter_finds_nothing_and_says_so(self, client, rows, subscription, query):
        failed(subscription)
        assert rows(f"?{query}", status=422) == []
        page = client.get(f"/failures/?{query}").content.decode()
        assert "Invalid filter: nothing was searched." in page

    def test_only_the_first_groups_are_shown_until_all_are_requested(self, client, subscription, monkeypatch):
        monkeypatch.setattr(failure_groups, "GROUPS_SHOWN", 2)
        for number in range(5):
            failed(subscription, age=HOUR + number * MINUTE, fingerprint=str(number))
        page = client.get("/failures/?cause=http_5xx").content.decode()
        assert "5 groups" in page and "The first 2 are shown." in page
        assert 'href="?cause=http_5xx&amp;all=1"' in page
        assert len(groups(client)) == 2
        assert len(groups(client, "?cause=http_5xx&all=1")) == 5

    def test_it_says_at_least_when_there_are_more_groups_than_it_reads(self, client, subscription, monkeypatch):
        monkeypatch.setattr(group_counts, "MAX_FAILURE_KINDS", 3)
        make_log_of_age(subscription, age=MINUTE)
        for number in range(5):
            failed(subscription, age=HOUR + number * MINUTE, fingerprint=str(number))
        page = plain_text(client.get("/failures/").content.decode())
        assert "≥ 2 logs failed in the last 24 hours. All of these groups have recovered" in page
        assert "≥ 2 groups" in page and "The first 2 are shown." in page


class TestPage:
    def test_the_sentence_counts_logs_and_what_has_not_recovered(self, client, subscription):
        failed(subscription, age=3 * HOUR)
        make_log_of_age(subscription, age=2 * HOUR)
        failed(subscription, **TIMEOUT)
        page = plain_text(client.get("/failures/").content.decode())
        assert "2 logs failed in the last 24 hours. 1 of these groups has not recovered." in page

    def test_it_says_that_nothing_failed(self, client, subscription):
        make_log_of_age(subscription)
        assert "Nothing failed in the last 24 hours." in plain_text(client.get("/failures/").content.decode())

    def test_an_empty_filter_result_links_back(self, client, subscription):
        failed(subscription)
        page = client.get("/failures/?cause=tls&range=7d").content.decode()
        assert "No matching failures" in page
        assert 'href="?range=7d"' in page.replace("cause=&amp;", "")

    def test_htmx_gets_the_region_alone(self, client, subscription):
        region = client.get("/failures/", headers={"HX-Request": "true"})
        assert region.content.decode().lstrip().startswith('<div class="stack" id="failures">')
        assert region["Cache-Control"] == "no-store"

    def test_hostile_data_stays_text(self, client, operator):
        hostile = make_subscription(name="<img src=x onerror=alert(1)>")
        failed(hostile, response="<script>alert(1)</script>", fingerprint='"><script>alert(1)</script>')
        page = client.get("/failures/").content.decode()
        assert "<img src=x" not in page
        assert "<script>alert" not in page

    def test_it_is_in_the_navigation(self, client, subscription):
        assert 'href="/failures/"' in client.get("/logs/").content.decode()
        page = client.get("/failures/").content.decode()
        assert re.search(r'href="/failures/"\s+aria-current="page"', page)


class TestWho:
    def test_groups_of_other_companies_are_hidden(self, client, rows, subscription):
        foreign = make_subscription(
            pk=objectid.new_objectid(), name="Foreign", company=make_company("625be93a286ef83c1c0e0000")
        )
        failed(foreign)
        assert rows() == []
        assert "Foreign" not in client.get("/failures/").content.decode()
        assert rows(f"?subscription={foreign.pk}", status=422) == []

    def test_a_superuser_sees_all(self, client, django_user_model, subscription):
        failed(make_subscription(pk=objectid.new_objectid(), company=make_company("625be93a286ef83c1c0e0000")))
        failed(subscription)
        client.force_login(django_user_model.objects.create_superuser("root"))
        assert len(groups(client)) == 2

    def test_it_needs_the_permission(self, client, operator):
        operator.groups.clear()
        assert client.get(reverse("logs:failure_list")).status_code == 403


@pytest.mark.parametrize("role", ["Operator", "superuser"])
def test_one_group_and_fifty_cost_the_same_seventeen_queries(
    client, member, django_user_model, django_assert_max_num_queries, role
):
    client.force_login(member(role) if role != "superuser" else django_user_model.objects.create_superuser("root"))
    failed(make_subscription())
    with django_assert_max_num_queries(17) as few:
        client.get("/failures/")
    for index in range(49):
        subscription = make_subscription(pk=objectid.new_objectid(), name=f"Orders {index}")
        failed(subscription)
        make_log_of_age(subscription, age=MINUTE)
    with django_assert_max_num_queries(len(few)):
        assert len(groups(client)) == 50
