"""The search box: completions by keyboard and mouse, messages about mistakes, and its help."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from ..factories import import_logs, log_document, make_subscription
from . import axe
from .page_state import rows

FAILED, DELIVERED = log_document(1), log_document(2, status=200)


@pytest.fixture(autouse=True)
def logs(transactional_db):
    make_subscription(code="wo_update")
    import_logs(FAILED, DELIVERED)


@pytest.fixture
def box(page) -> Locator:
    page.goto("/logs/")
    page.get_by_label("Search logs").focus()
    box = page.get_by_role("combobox", name="Search logs")
    expect(box).to_have_attribute("aria-expanded", "false")
    return box


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def expect_chosen(page: Page, box: Locator, text: str) -> None:
    chosen = page.locator("[role=option][aria-selected=true]")
    expect(chosen).to_contain_text(text)
    expect(box).to_have_attribute("aria-activedescendant", chosen.get_attribute("id"))


def test_a_term_is_entered_with_the_keyboard_only(page, box):
    with page.expect_response(lambda answer: "q=sta&" in answer.url):
        box.press_sequentially("sta")
    expect(options(page)).to_have_count(2)
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect_chosen(page, box, "state:")
    box.press("Enter")
    expect(box).to_have_value("state:")
    expect(options(page)).to_have_count(6)
    box.press("ArrowUp")
    expect_chosen(page, box, "superseded")
    for _ in range(4):
        box.press("ArrowDown")
    expect_chosen(page, box, "failed")
    box.press("Tab")
    expect(box).to_have_value("state:failed ")
    expect(box).to_be_focused()
    expect(options(page)).to_have_count(0)
    expect(rows(page)).to_have_count(2)  # nothing was searched for yet
    box.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=state%3Afailed"))


def test_a_term_is_entered_with_the_mouse(page, box):
    box.press_sequentially("bomba -cau")
    options(page).filter(has_text="cause:").click()
    expect(box).to_have_value("bomba -cause:")
    options(page).filter(has_text="No answer in time").click()
    expect(box).to_have_value("bomba -cause:timeout ")
    expect(box).to_be_focused()
    expect(options(page)).to_have_count(0)


def test_escape_closes_the_completions_and_keeps_the_text(page, box):
    box.press_sequentially("sta")
    expect(options(page)).to_have_count(2)
    box.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(box).to_have_value("sta")
    box.press("ArrowDown")
    expect(options(page)).to_have_count(2)
    page.get_by_role("heading", level=1).click()
    expect(options(page)).to_have_count(0)


def test_enter_without_a_choice_searches_for_the_text(page, box):
    box.press_sequentially("failed")
    expect(options(page).first).to_be_visible()
    box.press("Enter")
    expect(page).to_have_url(re.compile(r"q=failed"))
    expect(options(page)).to_have_count(0)


def test_the_caret_stays_after_the_completed_term(page, box):
    box.fill("🚚 sub:wo azul")
    for _ in range(5):
        box.press("ArrowLeft")
    box.press("ArrowDown")
    options(page).filter(has_text="Work Orders Update").click()
    expect(box).to_have_value('🚚 sub:"Work Orders Update" azul')
    box.press("x")
    expect(box).to_have_value('🚚 sub:"Work Orders Update"x azul')


def test_completions_for_another_place_are_closed(page, box):
    box.press_sequentially("sta")
    expect(options(page)).to_have_count(2)
    box.press("ArrowLeft")
    expect(options(page)).to_have_count(0)


def test_a_late_response_is_dropped(page, box):
    routes = []
    page.route(
        "**/completions/*", lambda route: route.continue_() if "cause" in route.request.url else routes.append(route)
    )
    with page.expect_request("**/completions/*"):
        box.press_sequentially("sta")
    box.fill("cause:ti")
    expect(options(page)).to_contain_text("timeout")
    routes[0].fulfill(body="<li role='option'>too late</li>")
    box.press("ArrowDown")
    expect_chosen(page, box, "timeout")


def test_text_typed_before_the_script_loads_is_completed(page):
    scripts = []
    page.route("**/comboboxes*.js", lambda route: scripts.append(route))
    page.goto("/logs/")
    with page.expect_request("**/comboboxes*.js"):
        page.get_by_label("Search logs").press_sequentially("sta")
    scripts[0].continue_()
    expect(options(page)).to_have_count(2)


def test_searching_works_without_completions(page, box, complaints):
    complaints.expected_statuses |= {500}
    page.route("**/completions/*", lambda route: route.fulfill(status=500, body="<li role=option>broken</li>"))
    with page.expect_response("**/completions/*"):
        box.press_sequentially("sta")
    box.press("Enter")
    expect(page).to_have_url(re.compile(r"q=sta"))
    expect(options(page)).to_have_count(0)


def test_a_mistake_is_marked_in_the_text_and_describes_the_box(page, box, complaints):
    complaints.expected_statuses |= {422}
    box.press_sequentially("bomba stat:failed")
    box.press("Enter")
    expect(page.locator("mark")).to_have_text("stat:failed")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_accessible_description(re.compile("There is no field “stat”"))
    box.fill("state:failed")
    box.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(box).to_have_attribute("aria-invalid", "false")


def test_the_help_describes_each_field_and_its_examples_can_be_searched(page, box):
    page.get_by_role("button", name="How to search").click()
    help_ = page.get_by_role("dialog", name="How to search")
    expect(help_).to_be_visible()
    assert axe.violations(page, "#search-help") == []
    help_.get_by_role("link", name="-state:delivered").click()
    expect(page.get_by_label("Search logs")).to_have_value("-state:delivered")
    expect(rows(page)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_completions_are_accessible_and_fit(page, box, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 800})
    box.press_sequentially("c")
    expect(options(page)).to_have_count(2)
    box.press("ArrowDown")
    expect_chosen(page, box, "cause:")
    assert axe.violations(page, "#filters") == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_search_works_without_javascript(open_page, administrator):
    page = open_page(administrator, java_script_enabled=False)
    page.goto("/logs/")
    page.get_by_role("searchbox", name="Search logs").fill("state:failed")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(rows(page)).to_have_count(1)


def test_what_was_searched_for_is_marked_in_the_rows_and_opened_in_the_payload(page):
    event = {"data": {"_id": "6" * 24, "asset": {"deep": {"name": "Camión P-118"}}}}
    import_logs(
        log_document(5, event, response=f"{'<html>' * 10} La Bómba p 118 falla, P-1189 también, XP-118 no", status=502)
    )
    page.goto("/logs/")
    box = page.get_by_label("Search logs")
    box.fill("P-118 -nothing")
    box.press("Enter")
    expect(rows(page)).to_have_count(1)
    marked = "[...(CSS.highlights.get('found') ?? [])].map(String)"
    page.wait_for_function(f"{marked}.length")
    assert page.evaluate(marked) == ["p 118", "P-118"]
    assert page.evaluate(
        """() => {
            const [first] = CSS.highlights.get("found");
            const cell = first.startContainer.parentElement.closest("td");
            return first.getBoundingClientRect().right <= cell.getBoundingClientRect().right;
        }"""
    )
    page.goto("/logs/?q=bomba")
    assert page.evaluate(marked) == ["Bómba"]
    page.goto("/logs/?q=P-118")
    page.locator("[data-row-link]").click()
    expect(page.locator("#selected-node")).to_contain_text("Camión P-118")
    expect(page.get_by_role("status").filter(has_text="P-118")).to_contain_text("“P-118”: 1 of 1")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#selected-node")).to_have_count(0)
