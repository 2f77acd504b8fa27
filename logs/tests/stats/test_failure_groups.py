"""Failure groups on the page of a subscription: failures that have the same cause and fingerprint."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import Attempt, Priority, State, WebhookLog
from logs.templatetags.stats_format import time_span

from ..factories import SUBSCRIPTION, make_log_of_age, make_subscription
from ..html import plain_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
PAGE = f"/subscriptions/{SUBSCRIPTION}/"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GATEWAY = {"cause": "http_5xx", "fingerprint": "502 Bad Gateway", "response": "502 Bad Gateway", "status": 502}
TIMEOUT = {"cause": "timeout", "fingerprint": "connect ETIMEDOUT {ip}:443", "response": "connect ETIMEDOUT 1.2.3.4:443"}


def failed(subscription, age=HOUR, **fields):
    return make_log_of_age(subscription, State.FAILED, age, **GATEWAY | fields)


@pytest.fixture
def rows(client):
    """The rows of the table as text."""

    def read():
        response = client.get(PAGE)
        assert response.status_code == 200
        return [
            plain_text(row) for row in re.findall(r"<tr>(?!<th scope=\"col\")(.*?)</tr>", body(response), re.DOTALL)
        ]

    return read


def body(response) -> str:
    match = re.search(
        r'<table class="table failure-groups-table">.*?<tbody>(.*?)</tbody>', response.content.decode(), re.DOTALL
    )
    return match[1] if match else ""


def groups(client):
    return client.get(PAGE).context["health"].groups


class TestGroups:
    def test_similar_failures_form_one_group_and_others_do_not(self, client, subscription):
        other = make_subscription(pk=objectid.new_objectid(), name="Users to HR")
        for number in range(3):
            failed(subscription, age=HOUR + number * MINUTE)
        failed(subscription, **TIMEOUT)
        failed(other)
        assert {group.kind.cause: group.count for group in groups(client)} == {"http_5xx": 3, "timeout": 1}

    def test_each_shows_cause_response_status_and_number_in_words(self, rows, subscription):
        failed(subscription)
        failed(subscription)
        (row,) = rows()
        assert row.startswith("Error at the receiver (5xx) 502 502 Bad Gateway 2 ")
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
        failed(subscription, age=2 * DAY)
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
        failed(subscription, fingerprint='<b>&"{n}" ', age=8 * DAY)
        address = next(group.address for group in groups(client) if group.count == 2)
        page = client.get(address).content.decode()
        assert set(re.findall(r'data-log="([0-9a-f]{24})"', page)) == expected

    def test_the_example_masks_what_is_masked(self, rows, subscription):
        failed(subscription, response='{"password": "hunter2", "error": "no"}')
        (row,) = rows()
        assert "hunter2" not in row
        assert "password" in row

    def test_a_fingerprint_with_values_that_were_masked_later_is_nowhere_on_the_page(self, client, subscription):
        failed(subscription, age=2 * HOUR, fingerprint='{"password": "hunter2"}')
        make_log_of_age(subscription)
        page = client.get(PAGE).content.decode()
        assert "Recovered" in page
        assert "hunter2" not in page
        assert "Redeliver 1…" not in page  # it can't name exactly these logs


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
        assert f'href="{subscription.get_absolute_url()}#queue"' in client.get(PAGE).content.decode()

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


def test_hostile_data_stays_text(client):
    hostile = make_subscription(name="<img src=x onerror=alert(1)>")
    failed(hostile, response="<script>alert(1)</script>", fingerprint='"><script>alert(1)</script>')
    page = client.get(PAGE).content.decode()
    assert "failure-groups-table" in page
    assert "<img src=x" not in page
    assert "<script>alert" not in page


def test_one_group_and_fifty_cost_the_same_number_of_queries(client, subscription, django_assert_max_num_queries):
    failed(subscription)
    with django_assert_max_num_queries(40) as few:
        client.get(PAGE)
    for number in range(49):
        failed(subscription, fingerprint=str(number))
    with django_assert_max_num_queries(len(few)):
        assert client.get(PAGE).context["health"].group_count == 50
