"""The list of subscriptions."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from logs.models import Priority, State, Subscription
from logs.stats.traffic import TrafficStats
from logs.views.subscriptions import detail_page

from ...factories import make_log_of_age
from .factories import make_placeholder, make_subscription, names_in

pytestmark = pytest.mark.django_db


class TestList:
    address = "/subscriptions/"

    def test_the_lowest_success_rate_comes_first_and_no_traffic_last(self, client, company):
        quiet, good, bad = (make_subscription(company, name=name) for name in ("Quiet", "Good", "Bad"))
        make_log_of_age(good)
        make_log_of_age(bad)
        make_log_of_age(bad, State.FAILED)
        make_log_of_age(quiet, State.FAILED, age=timedelta(days=8))
        response = client.get(self.address)
        assert names_in(response) == ["Bad", "Good", "Quiet"]
        assert [health.success_percent for health in response.context["subscriptions"].rows] == [50.0, 100.0, None]

    def test_health_counts_the_last_seven_days(self, client, subscription):
        failure = make_log_of_age(subscription, State.FAILED, age=timedelta(days=6, hours=12), duration_ms=1000)
        newest = make_log_of_age(subscription, age=timedelta(minutes=1), duration_ms=500)
        make_log_of_age(subscription, State.FAILED, age=timedelta(days=7, minutes=6), duration_ms=9000)
        queued = {"next_attempt_at": timezone.now(), "priority": Priority.NORMAL, "sequence": 1, "attempts_left": 3}
        make_log_of_age(subscription, State.PENDING, age=timedelta(days=30), **queued)
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert (health.figures.total, health.figures.delivered, health.figures.failed) == (2, 1, 1)
        assert health.figures.p95_ms == pytest.approx(1000, rel=0.125)  # bins, each a quarter longer than the last
        assert (health.last_failure, health.last_log) == (failure.created_at, newest.created_at)
        page = client.get(self.address).content.decode()
        assert '<td class="numeric" data-label="Waiting">1</td>' in page

    def test_each_bar_covers_six_hours_in_utc_and_none_is_missing(self, client, subscription):
        make_log_of_age(subscription, State.FAILED, age=timedelta(days=6, hours=23, minutes=50))
        make_log_of_age(subscription, age=timedelta(0))
        (health,) = client.get(self.address).context["subscriptions"].rows
        bars = health.traffic.bars
        assert len(bars) in (28, 29)
        assert {bar.start.hour % 6 for bar in bars} == {0}
        assert (sum(bar.failed for bar in bars), bars[-1].delivered) == (1, 1)

    def test_the_last_failure_is_shown_regardless_of_age(self, client, subscription):
        failure = make_log_of_age(subscription, State.FAILED, age=timedelta(days=41))
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert health.last_failure == failure.created_at
        assert "no traffic" in client.get(self.address).content.decode()

    def test_a_log_slightly_ahead_is_in_the_last_bar_and_a_future_log_in_none(self, client, subscription):
        make_log_of_age(subscription, age=timedelta(minutes=-4))
        make_log_of_age(subscription, age=timedelta(days=-3))
        (health,) = client.get(self.address).context["subscriptions"].rows
        assert (health.traffic.bars[-1].delivered, health.traffic.now.total) == (1, 1)

    def test_a_hundred_percent_means_that_nothing_failed(self):
        assert TrafficStats(Counter(delivered=99_999, failed=1)).success_percent == 99.9

    def test_the_list_says_who_delivers(self, client, company, subscription):
        make_subscription(company, name="Theirs", is_delivered_here=False)
        page = client.get(self.address).content.decode()
        assert page.count("cotadmin delivers") == page.count("Cotalker delivers") == 1

    def test_a_hostile_name_is_escaped_in_the_chart_too(self, client, company):
        make_log_of_age(make_subscription(company, name='"><script>alert(1)</script>'))
        page = client.get(self.address).content.decode()
        assert "<script>alert" not in page
        assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;, last 7 days: 0 failed, 1 delivered" in page

    def test_blocked_queues_are_counted_and_found(self, client, company, subscription, foreign):
        queued = {"next_attempt_at": timezone.now(), "sequence": 1, "attempts_left": 3}
        make_log_of_age(subscription, State.RETRYING, priority=Priority.RETRY, **queued)
        make_log_of_age(foreign, State.RETRYING, priority=Priority.RETRY, **queued)
        make_subscription(company, name="Paused", paused_at=timezone.now())
        make_subscription(company, name="Inactive", paused_at=timezone.now(), is_active=False)
        make_log_of_age(make_subscription(company, name="Waiting"), State.PENDING, priority=Priority.NORMAL, **queued)
        assert "2 queues are blocked" in client.get(self.address).content.decode()
        assert names_in(client.get(self.address, {"state": "blocked"})) == ["Paused", "Work Orders"]

    def test_only_subscriptions_of_the_users_companies_are_shown(self, client, subscription, foreign):
        assert names_in(client.get(self.address)) == ["Work Orders"]

    @pytest.mark.parametrize("words", ["work", "WO", "127.0.0.1:9000"])
    def test_search_finds_name_code_and_url(self, client, company, subscription, words):
        make_subscription(company, name="Other", code="other", url="https://example.com/")
        assert names_in(client.get(self.address, {"q": words})) == ["Work Orders"]

    def test_search_finds_an_id_in_capitals(self, client, company, subscription):
        make_subscription(company, name="Other")
        assert names_in(client.get(self.address, {"q": subscription.pk.upper()})) == ["Work Orders"]

    def test_search_does_not_reveal_the_masked_part_of_a_url(self, client, company):
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

    def test_an_empty_list_explains_how_to_get_the_first_subscription(self, client):
        page = client.get(self.address).content.decode()
        assert "No subscriptions yet" in page
        assert reverse("logs:import_list") in page

    def test_a_search_without_matches_links_all_subscriptions(self, client, subscription):
        page = client.get(self.address, {"q": "nothing of that"}).content.decode()
        assert "No matching subscriptions" in page

    def test_htmx_gets_only_the_region_and_history_gets_the_page(self, client, subscription):
        htmx = {"HX-Request": "true"}
        partial = client.get(self.address, headers=htmx)
        assert partial.content.decode().lstrip().startswith("<section")
        assert (partial["Vary"].count("HX-Request"), partial["Cache-Control"]) == (1, "no-store")
        restored = client.get(self.address, headers=htmx | {"HX-History-Restore-Request": "true"})
        assert restored.content.startswith(b"<!doctype html>")

    def test_bars_are_drawn_with_decimal_points_in_any_language(self, client, subscription):
        make_log_of_age(subscription)
        page = client.get(self.address, headers={"Accept-Language": "es"}).content.decode()
        assert re.search(r'<path class="delivered" d="M[\d.]+ 0h[\d.]+v100h-[\d.]+z"/>', page)
        assert "style=" not in page

    def test_only_the_worst_of_many_subscriptions_are_shown(self, client, company, monkeypatch):
        monkeypatch.setattr(detail_page, "MOST_ROWS", 2)
        for name in ("A", "B", "Worst"):
            make_subscription(company, name=name)
        make_log_of_age(Subscription.objects.get(name="Worst"), State.FAILED)
        response = client.get(self.address)
        assert names_in(response) == ["Worst", "A"]
        assert "3 subscriptions" in response.content.decode()
        assert "The first 2 are shown." in response.content.decode()

    def test_the_number_of_queries_does_not_grow(self, client, company, django_assert_max_num_queries):
        make_log_of_age(make_subscription(company), State.FAILED)
        with django_assert_max_num_queries(16) as few:
            client.get(self.address)
        for _number in range(30):
            make_log_of_age(make_subscription(company), State.FAILED)
        with django_assert_max_num_queries(len(few)):
            client.get(self.address)

    def test_it_needs_the_permission(self, client, operator, subscription):
        operator.user_permissions.clear()
        assert client.get(self.address).status_code == 403


class TestOrder:
    @pytest.fixture
    def subscriptions(self, company):
        """The values to sort by: success rate, last failure, last log, duration; the last subscription has none of them."""
        created = {name: make_subscription(company, name=name) for name in ("Zeta", "Ábaco", "Beta", "Gamma")}
        make_log_of_age(created["Zeta"], State.FAILED, age=timedelta(hours=3), duration_ms=900)
        make_log_of_age(created["Zeta"], age=timedelta(hours=2), duration_ms=900)
        make_log_of_age(created["Ábaco"], State.FAILED, age=timedelta(hours=5), duration_ms=40)
        make_log_of_age(created["Beta"], age=timedelta(hours=4), duration_ms=200)
        make_log_of_age(created["Gamma"], age=timedelta(days=30))
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
    def test_the_list_is_sorted_by_a_column(self, client, subscriptions, sort, names):
        page = client.get(reverse("logs:subscription_list"), {"sort": sort}).content.decode()
        table = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
        assert re.findall(r'<th class="name"[^>]*>\s*<a[^>]*>([^<]*)<', table) == names

    def test_a_heading_reverses_the_order_and_keeps_the_search(self, client, subscriptions):
        page = client.get(reverse("logs:subscription_list"), {"q": "a", "sort": "-failure"}).content.decode()
        assert re.search(r'aria-sort="descending"><a href="\?q=a&amp;sort=failure"[^>]*>Last failure', page)
        assert re.search(r'scope="col"><a href="\?q=a&amp;sort=-waiting"[^>]*>Waiting', page)
        assert '<input type="hidden" name="sort" value="-failure">' in page

    def test_an_unknown_order_is_an_error(self, client, subscriptions):
        assert client.get(reverse("logs:subscription_list"), {"sort": "colour"}).status_code == 422
