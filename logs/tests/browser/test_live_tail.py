"""The live tail in a browser: a pill appears, rows stay in place, and a hidden page sends no requests."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from ..factories import import_logs, log_document, make_subscription
from .page_state import HIDE, SHOW

LONGER_THAN_A_POLL = 2500  # ms


@pytest.fixture
def explorer(page) -> Page:
    """The explorer with one log, whose live tail is on."""
    make_subscription()
    import_logs(log_document(0))
    page.goto("/logs/")
    page.get_by_role("button", name="Live tail").click()
    expect(page.get_by_role("button", name="Live tail", pressed=True)).to_be_focused()
    return page


def requests_from(page: Page) -> list[str]:
    """The page's requests for the live tail from now on."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url) if "/logs/tail/?" in request.url else None)
    return urls


def test_a_new_log_is_announced_by_a_pill_and_shown_on_a_click(explorer):
    import_logs(log_document(1))
    pill = explorer.get_by_role("status").get_by_role("link", name="1 new")
    expect(pill).to_be_visible()
    rows = explorer.locator("[data-rows] tr[data-log]")
    expect(rows).to_have_count(1)
    import_logs(log_document(2))
    expect(explorer.get_by_role("link", name="2 new")).to_be_visible()
    explorer.locator("#live-tail-new").click()
    expect(rows).to_have_count(3)
    expect(explorer).to_have_url(re.compile("/logs/$"))
    expect(explorer.locator("#live-tail-new")).to_have_count(0)


def test_a_page_polls_only_while_it_is_visible(explorer):
    explorer.evaluate(HIDE)
    requests = requests_from(explorer)
    import_logs(log_document(1))
    explorer.wait_for_timeout(2 * LONGER_THAN_A_POLL)
    assert requests == []
    explorer.evaluate(SHOW)
    expect(explorer.get_by_role("link", name="1 new")).to_be_visible()


def test_switching_the_live_tail_off_is_remembered_and_stops_polling(explorer):
    explorer.reload()
    explorer.get_by_role("button", name="Live tail", pressed=True).click()
    expect(explorer.get_by_role("button", name="Live tail", pressed=False)).to_be_focused()
    requests = requests_from(explorer)
    explorer.wait_for_timeout(2 * LONGER_THAN_A_POLL)
    assert requests == []


def test_the_live_tail_stops_without_a_response_and_can_be_restarted(explorer, complaints):
    complaints.expected_statuses.add(500)
    explorer.route("**/logs/tail/?**", lambda route: route.fulfill(status=500))
    alert = explorer.get_by_role("alert").filter(has_text="The live tail has stopped")
    expect(alert).to_be_visible()
    explorer.unroute("**/logs/tail/?**")
    requests = requests_from(explorer)
    explorer.wait_for_timeout(2 * LONGER_THAN_A_POLL)
    assert requests == []
    import_logs(log_document(1))
    alert.get_by_role("button", name="Try again").click()
    expect(explorer.get_by_role("link", name="1 new")).to_be_visible()
    expect(alert).to_be_hidden()
