"""The palette, by keyboard and mouse: what it offers, what it opens, and which actions of the page it carries out."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from playwright.sync_api import Locator, Page, expect

from ..factories import import_logs, log_document, make_subscription
from . import axe
from .page_state import overflow

LOG = log_document(1)


@pytest.fixture(autouse=True)
def subscription(transactional_db, receiver):
    subscription = make_subscription(url=receiver.url)
    import_logs(LOG)
    return subscription


def palette(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Search")


def box(page: Page) -> Locator:
    return palette(page).get_by_role("combobox")


def option(page: Page, text: str) -> Locator:
    return palette(page).get_by_role("option", name=text)


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(box(page)).to_be_focused()
    expect(option(page, "Overview Page")).to_be_visible()


@pytest.mark.parametrize("keys", ["Control+k", "Meta+k"])
def test_a_page_is_opened_by_a_part_of_its_name(page, keys):
    page.goto("/preferences/")
    page.keyboard.press(keys)
    expect(box(page)).to_be_focused()
    page.keyboard.type("queu")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/queues/$"))


def test_the_first_option_of_a_text_is_selected_and_arrows_move(page, subscription):
    page.goto("/")
    open_palette(page)
    expect(box(page)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    page.keyboard.type("work")
    expect(palette(page).get_by_role("option")).to_have_count(2)
    expect_selected(page, "Work Orders Update Subscription")
    page.keyboard.press("ArrowDown")
    expect_selected(page, "Search logs for “work”")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/subscriptions/{subscription.pk}/$"))


def expect_selected(page: Page, text: str) -> None:
    selected = palette(page).get_by_role("option", selected=True)
    expect(selected).to_have_text(re.compile(r"\s+".join(map(re.escape, text.split()))))
    expect(box(page)).to_have_attribute("aria-activedescendant", selected.get_attribute("id") or "")


def test_enter_alone_opens_nothing(page):
    page.goto("/preferences/")
    open_palette(page)
    page.keyboard.press("Enter")
    expect(palette(page)).to_be_visible()
    expect(page).to_have_url(re.compile("/preferences/$"))


def test_the_id_of_a_log_opens_it(page):
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type(LOG["_id"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/logs/{LOG['_id']}/$"))


def test_a_text_typed_before_the_script_has_loaded_counts(page):
    scripts = []
    page.route("**/comboboxes*.js", lambda route: scripts.append(route))
    page.goto("/preferences/")
    with page.expect_request("**/comboboxes*.js"):
        page.keyboard.press("Control+k")
    page.keyboard.type("queues")
    for route in scripts:
        route.continue_()
    expect_selected(page, "Queues Page")


def test_escape_closes_it_gives_the_focus_back_and_forgets_the_text(page):
    page.goto("/logs/")
    link = page.locator("[data-row-link]").first
    link.focus()
    open_palette(page)
    page.keyboard.type("work")
    expect(option(page, "Work Orders Update")).to_be_visible()
    page.keyboard.press("Escape")
    expect(palette(page)).to_be_hidden()
    expect(link).to_be_focused()
    open_palette(page)
    expect(box(page)).to_have_value("")
    page.keyboard.press("Control+k")
    expect(palette(page)).to_be_hidden()


def test_it_opens_from_a_field_and_from_the_button_of_the_top_bar(page):
    page.goto("/logs/")
    page.get_by_label("Search logs").focus()
    open_palette(page)
    palette(page).get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Search…").click()
    page.keyboard.type("redeliveries")
    option(page, "Redeliveries Page").click()
    expect(page).to_have_url(re.compile("/redeliveries/$"))


def test_an_action_of_the_page_is_carried_out(page):
    page.goto(f"/logs/{LOG['_id']}/")
    open_palette(page)
    page.keyboard.type("share")
    expect_selected(page, "Share… On this page")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/share-links/$"))


def test_an_action_that_was_not_shown_yet_is_not_carried_out(page, receiver):
    page.goto(f"/logs/{LOG['_id']}/")
    open_palette(page)
    page.keyboard.type("redeliver with")
    page.keyboard.press("Enter")
    expect_selected(page, "Redeliver with changes… On this page")
    expect(palette(page)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/overrides/new/$"))


def test_actions_that_are_not_visible_are_not_offered(page):
    page.goto("/logs/")
    open_palette(page)
    page.keyboard.type("plan a bulk")
    expect(option(page, "Search logs for")).to_be_visible()
    expect(palette(page).get_by_role("option")).to_have_count(1)


def test_the_theme_can_be_switched_in_it(page):
    page.goto("/logs/")
    open_palette(page)
    page.keyboard.type("dark")
    expect_selected(page, "Switch between light and dark On this page")
    page.keyboard.press("Enter")
    expect(palette(page)).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_keys_are_off_with_the_other_shortcuts_and_the_button_still_works(page):
    page.goto("/logs/")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.keyboard.press("Control+k")  # another dialog is open
    expect(palette(page)).to_be_hidden()
    help_.get_by_label("Use these shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.press("/")
    expect(palette(page)).to_be_hidden()
    page.get_by_role("button", name="Search…").click()
    expect(option(page, "Overview Page")).to_be_visible()


def test_a_user_without_a_role_has_no_palette(open_page, django_user_model):
    page = open_page(django_user_model.objects.create_user("nobody"))
    page.goto("/preferences/")
    expect(page.get_by_role("button", name="Search…")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_it_is_accessible_and_fits(page, live_server, language, scheme, width):
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_server.url}])
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 700})
    page.goto("/logs/")
    page.keyboard.press("Control+k")
    options = page.locator("#palette [role=option]")
    expect(options.nth(8)).to_be_visible()
    page.keyboard.press("ArrowDown")
    assert axe.violations(page) == []
    assert overflow(page) == []
    page.keyboard.type("work")
    expect(options).to_have_count(2)
    assert axe.violations(page, "#palette") == []
