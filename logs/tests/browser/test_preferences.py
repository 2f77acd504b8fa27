"""The preferences in a browser: their effect, and that values of the browser override none."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ..factories import import_logs, log_document, make_subscription


@pytest.fixture
def page(open_page, administrator) -> Page:
    make_subscription()
    import_logs(log_document(1))
    return open_page(administrator, timezone_id="America/Santiago")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("saved in this browser")


def choose(page: Page, group: str, choice: str) -> None:
    page.get_by_role("group", name=group).get_by_text(choice, exact=True).click()


def test_a_chosen_zone_overrides_the_one_of_the_browser(page):
    page.goto("/logs/")
    page.get_by_role("button", name="ana").click()
    page.get_by_role("link", name="Preferences").click()
    expect(page.locator(".hint")).to_contain_text("Now, in America/Santiago")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    save(page)
    for _visit in range(2):
        page.goto("/logs/")
        assert "(+0900)" in (page.locator("[data-rows] time").first.get_attribute("title") or "")
    page.goto("/preferences/")
    page.get_by_label("Time zone").select_option("")
    save(page)
    page.goto("/logs/")
    assert "(-0400)" in (page.locator("[data-rows] time").first.get_attribute("title") or "")


def test_roomy_rows_are_44_px_high_and_compact_ones_34(page):
    heights = []
    for density in ("Comfortable", "Compact"):
        page.goto("/preferences/")
        choose(page, "Table rows", density)
        save(page)
        page.set_viewport_size({"width": 1600, "height": 800})
        page.goto("/logs/")
        heights.append(page.locator("[data-rows] td").first.evaluate("(cell) => cell.offsetHeight"))
    assert heights == [44, 34]


def test_the_theme_is_chosen_and_reset_to_the_system(page):
    page.emulate_media(color_scheme="light")
    seen = []
    for theme in ("Dark", "System"):
        page.goto("/preferences/")
        choose(page, "Theme", theme)
        save(page)
        seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen == ["rgb(15, 19, 25)", "rgb(246, 247, 249)"]


def test_shortcuts_are_switched_off_for_all_pages(page):
    page.goto("/preferences/")
    choose(page, "Keyboard shortcuts", "Off")
    save(page)
    page.goto("/logs/")
    page.keyboard.press("/")
    expect(page.get_by_label("Search logs")).not_to_be_focused()


def test_preferences_work_without_javascript_and_with_the_keyboard(open_page, administrator):
    page = open_page(administrator, java_script_enabled=False)
    page.goto("/preferences/")
    page.locator("[name=density][value='']").press("ArrowRight")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.locator("html")).to_have_attribute("data-density", "roomy")
