"""A saved view, from the filter to the navigation, by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from ..factories import import_logs, log_document, make_subscription


def test_a_filter_is_saved_pinned_and_counted(page):
    make_subscription()
    import_logs(log_document(0), log_document(1), log_document(2, status=200))
    page.goto("/logs/")
    page.get_by_role("checkbox", name=re.compile("^Failed")).check()
    button = page.get_by_role("button", name="Save view")
    expect(button).to_be_enabled()  # with a filter there is something to save
    button.press("Enter")
    name = page.get_by_label("Name")
    expect(name).to_be_focused()
    name.fill("What broke")
    page.get_by_label("Pin it to my navigation").press("Space")
    name.press("Enter")
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))
    tabs = page.get_by_role("navigation", name="Saved views")
    expect(tabs.get_by_role("link", name="What broke 2")).to_have_attribute("aria-current", "page")
    page.goto("/subscriptions/")
    pinned = page.get_by_role("navigation", name="Main").get_by_role("link", name="What broke 2")
    expect(pinned).to_be_visible()
    pinned.click()
    expect(page.locator("[data-rows] tr[data-log]")).to_have_count(2)


def test_escape_leaves_a_view_unsaved_and_returns_the_focus(page):
    page.goto("/logs/?state=failed")
    button = page.get_by_role("button", name="Save view")
    button.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Name")).to_be_hidden()
    expect(button).to_be_focused()
