"""The poll of every page: the counts in the navigation, and whether what the page shows is stale."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache

from logs.models import AttemptTrigger, Priority, State, WebhookLog
from logs.stats import live_state

from ..bulk_redeliveries import start_redelivery
from ..factories import OTHER_SUBSCRIPTION, make_company, make_log, make_subscription, make_waiting_log
from ..html import HTMX, plain_text

pytestmark = pytest.mark.django_db
NOW = datetime(2022, 5, 6, 12, 0, tzinfo=UTC)
PAGES = ["/", "/?range=7d", "/incidents/", "/subscriptions/?q=a"]


@pytest.fixture(autouse=True)
def one_minute(monkeypatch) -> None:
    """Marks change every minute. And no test reads the counts of another."""
    monkeypatch.setattr(live_state.timezone, "now", lambda: NOW)
    cache.clear()


def marks(page: str) -> dict[str, str]:
    """What the page sends with its poll."""
    inputs = [tag for tag in re.findall(r"<input[^>]*>", page) if 'id="live-' in tag]
    return {re.search(r'name="(\w+)"', tag)[1]: re.search(r'value="([^"]*)"', tag)[1] for tag in inputs}


def poll(client, page: str):
    return client.get("/live/", {name: value for name, value in marks(page).items() if value}, headers=HTMX)


def look(client, path: str = "/") -> str:
    return client.get(path).content.decode()


def block(subscription) -> WebhookLog:
    retrying = {"state": State.RETRYING, "priority": Priority.RETRY, "cause": "http_5xx", "attempt_count": 1}
    return make_waiting_log(subscription, 1, **retrying)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_changes_gets_no_content(client, operator, path):
    block(make_subscription(is_delivered_here=True))
    page = look(client, path)
    assert set(marks(page)) == {"seen", "shown"}
    answer = poll(client, page)
    assert (answer.status_code, answer.content, answer.get("HX-Trigger")) == (204, b"", None)


@pytest.mark.parametrize("path", PAGES)
def test_a_region_is_stale_after_an_attempt_and_asks_for_its_own_url(client, operator, path):
    log = block(make_subscription(is_delivered_here=True))
    page = look(client, path)
    log.attempts.create(
        number=1, trigger=AttemptTrigger.AUTO, started_at=NOW, subscription=log.subscription, cause="timeout", url=""
    )
    assert poll(client, page)["HX-Trigger"] == "stale"
    region = re.search(r'<\w+[^>]*hx-trigger="stale from:body"[^>]*>', page)[0]
    refreshed = client.get(html.unescape(re.search(r'hx-get="([^"]+)"', region)[1]), headers=HTMX).content.decode()
    answer = client.get("/live/", {"shown": marks(refreshed)["shown"]}, headers=HTMX)
    assert answer.get("HX-Trigger") is None


def test_new_logs_and_another_minute_make_a_region_stale(client, operator, monkeypatch):
    make_subscription()
    page = look(client)
    make_log(1)
    assert poll(client, page)["HX-Trigger"] == "stale"
    page = look(client)
    monkeypatch.setattr(live_state.timezone, "now", lambda: NOW + timedelta(minutes=1))
    assert poll(client, page)["HX-Trigger"] == "stale"


def test_the_counts_come_out_of_band_and_only_once(client, operator):
    subscription = make_subscription(is_delivered_here=True)
    page = look(client)
    block(subscription)
    start_redelivery(operator, [make_log(5)])
    answer = poll(client, page)
    text = answer.content.decode()
    assert text.count('hx-swap-oob="true"') == 4
    assert "1 queue is blocked" in plain_text(text) and "1 bulk redelivery in progress" in plain_text(text)
    seen = re.search(r'name="seen" value="([^"]+)"', text)[1]
    assert client.get("/live/", {"seen": seen}, headers=HTMX).status_code == 204


def test_a_page_shows_the_counts_of_the_last_poll(client, operator):
    assert "queue is blocked" not in plain_text(look(client, "/preferences/"))
    block(make_subscription(is_delivered_here=True))
    client.get("/live/", headers=HTMX)
    page = look(client, "/preferences/")
    assert "Queues 1 1 queue is blocked" in plain_text(page)


def test_queues_and_changes_of_other_companies_are_hidden(client, operator):
    make_subscription()
    foreign = make_subscription(
        OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"), is_delivered_here=True
    )
    page = look(client)
    block(foreign)
    answer = poll(client, page)
    assert (answer.status_code, answer.get("HX-Trigger")) == (204, None)


def test_it_takes_four_queries_however_many_subscriptions_there_are(client, operator, django_assert_num_queries):
    for number in range(30):
        block(make_subscription(f"62685990d918fb5557f9{number:04x}", name=f"No. {number}", is_delivered_here=True))
    client.get("/live/")
    with django_assert_num_queries(8):  # and four for the session, the user and the permissions
        assert client.get("/live/", headers=HTMX).status_code == 200


@pytest.mark.parametrize("query", ["seen=1&seen=2", "what=1", "shown=" + "a" * 41])
def test_an_invalid_poll_is_refused(client, operator, query):
    assert client.get(f"/live/?{query}").status_code == 400


def test_an_invalid_page_neither_shows_a_mark_nor_refreshes_itself(client, operator):
    for path in ("/?range=99d", "/incidents/?state=none", "/subscriptions/?state=none"):
        page = look(client, path)
        assert set(marks(page)) == {"seen"}
        assert "stale from:body" not in page


def test_a_refresh_says_as_of_when(client, operator):
    make_subscription()
    make_log(3)
    for path in ("/", "/incidents/", "/subscriptions/"):
        assert "As of" in plain_text(client.get(path, headers=HTMX).content.decode())
