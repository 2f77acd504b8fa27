"""Pages that refresh themselves in a browser: they show what is new, and disturb nobody."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from logs.models import Subscription

from ..factories import make_log, make_log_of_age, make_subscription


@pytest.fixture
def subscription(transactional_db) -> Subscription:
    """Nothing is sent; its queue can be paused."""
    subscription = make_subscription(name="Elements", is_delivered_here=True)
    make_log(1)
    return subscription


def pause(subscription: Subscription) -> None:
    Subscription.objects.filter(pk=subscription.pk).update(paused_at=timezone.now())


def main_link(page: Page, name: str):
    return page.get_by_role("navigation", name="Main").get_by_role("link", name=name)


def test_the_counts_and_the_title_follow_by_themselves(page, subscription):
    page.goto("/preferences/")
    expect(page).to_have_title("Preferences · cotadmin")
    pause(subscription)
    expect(main_link(page, "Queues")).to_have_accessible_name("Queues 1 queue is blocked")
    expect(page).to_have_title("(1) Preferences · cotadmin")
    Subscription.objects.update(paused_at=None)
    expect(main_link(page, "Queues")).to_have_accessible_name("Queues")
    expect(page).to_have_title("Preferences · cotadmin")


def test_the_overview_refreshes_itself_and_keeps_focus_and_what_is_open(page, subscription):
    make_log_of_age(subscription)
    page.goto("/?range=30d")
    page.get_by_text("View as table").click()
    link = page.get_by_role("link", name="All queues")
    link.focus()
    pause(subscription)
    expect(page.locator(".summary")).to_contain_text("1 queue is blocked.")
    expect(link).to_be_focused()
    expect(page.locator("#traffic-table")).to_have_attribute("open", "")


def test_a_region_waits_while_text_in_it_is_selected(page, subscription):
    page.goto("/")
    page.get_by_role("heading", name="Blocked queues").select_text()
    with page.expect_response(lambda answer: "/live/" in answer.url and "hx-trigger" in answer.headers):
        pause(subscription)
    expect(main_link(page, "Queues")).to_have_accessible_name("Queues 1 queue is blocked")
    expect(page.locator(".summary")).not_to_contain_text("blocked")
    page.evaluate("getSelection().empty()")
    expect(page.locator(".summary")).to_contain_text("1 queue is blocked.")


def test_the_subscriptions_refresh_themselves_below_the_search_that_has_the_focus(page, subscription):
    page.goto("/subscriptions/")
    search = page.get_by_label("Search subscriptions")
    search.press_sequentially("Elem")
    expect(page).to_have_url(re.compile("q=Elem"))
    pause(subscription)
    expect(page.locator("#subscriptions").get_by_text("1 queue is blocked")).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value("Elem")


def test_a_message_moves_nothing_and_can_be_closed(page, subscription):
    page.goto("/preferences/")
    heading = page.get_by_role("heading", name="Preferences")
    before = heading.bounding_box()
    page.get_by_role("button", name="Save").click()
    message = page.locator("#messages").get_by_role("status")
    expect(message).to_be_visible()
    assert heading.bounding_box() == before
    message.get_by_role("link", name="Close").click()
    expect(message).to_have_count(0)
    expect(page).to_have_url(re.compile("/preferences/$"))
