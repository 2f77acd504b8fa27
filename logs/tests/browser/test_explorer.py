"""The explorer in a browser: dragging over the chart, facets, ranges, columns."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from ..factories import import_logs, log_document, make_subscription
from . import axe
from .page_state import rows


@pytest.fixture(autouse=True)
def logs(transactional_db):
    """Twenty hours with a log each; the last five failed otherwise."""
    make_subscription()
    import_logs(
        *(log_document(60 * number) for number in range(15)),
        *(log_document(60 * number, status=502, response="Bad Gateway") for number in range(15, 20)),
    )


def drag_over_chart(page: Page, start: float, end: float) -> None:
    """From one place to another, in parts of its width."""
    box = page.locator("[data-range-select]").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=4)
    page.mouse.up()


def test_dragging_over_the_chart_zooms_in_and_the_back_button_zooms_out(page):
    page.goto("/logs/?since=2022-05-05 20:00&until=2022-05-06 16:00")
    expect(rows(page)).to_have_count(20)
    drag_over_chart(page, 0.01, 0.49)
    expect(page).to_have_url(re.compile(r"since=2022-05-05T20(:|%3A)00Z&until=2022-05-06T06(:|%3A)00Z"))
    expect(rows(page)).to_have_count(10)
    page.go_back()
    expect(rows(page)).to_have_count(20)


def test_a_click_on_a_bar_leads_to_its_logs(page):
    page.goto("/logs/?since=2022-05-05 20:00&until=2022-05-06 16:00")
    page.locator("[data-range-select] a").filter(has=page.locator(".failed")).first.click()
    expect(rows(page)).to_have_count(1)


def test_the_fields_zoom_with_the_keyboard(page, complaints):
    complaints.expected_statuses = {422}
    page.goto("/logs/")
    page.locator("#since").fill("2022-05-06 10:00")
    page.locator("#until").fill("2022-05-06 12:00")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    expect(page.locator(".segmented :checked")).to_have_id("range-custom")
    expect(page).to_have_url(re.compile(r"since=2022-05-06T10:00Z&until=2022-05-06T12:00Z"))
    page.locator("#zoom-in").press("Enter")
    page.locator("#until").fill("tomorrow")
    page.keyboard.press("Enter")
    expect(page.locator("#until-problem")).to_contain_text("To: Write a time such as 08:00")
    expect(page.locator("#until")).to_have_accessible_description(
        re.compile("To: Write a time such as .* Times in UTC")
    )
    expect(page.locator("#until")).to_have_value("tomorrow")
    page.locator("#until").fill("2022-05-06 13:00")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(3)


def test_a_range_replaces_two_times(page):
    page.goto("/logs/?since=2022-05-06 10:00&until=2022-05-06 12:00")
    page.locator("#range label", has_text="All").click()
    expect(rows(page)).to_have_count(20)
    expect(page).not_to_have_url(re.compile("since="))


def test_facets_filter_without_leaving_the_page(page):
    page.goto("/logs/")
    cause = page.locator("#facet-cause")
    page.locator("#facet-action summary").click()
    cause.get_by_role("checkbox", name="Error at the receiver").check()
    expect(rows(page)).to_have_count(5)
    expect(cause.get_by_role("checkbox", name="Error at the receiver")).to_be_focused()
    expect(page.locator("#facet-action")).not_to_have_attribute("open", "")
    expect(page.locator("#announcer")).to_have_text("5 logs newest first")
    cause.get_by_role("checkbox", name="Error at the receiver").uncheck()
    expect(rows(page)).to_have_count(20)  # else the click could meet the old list while it is replaced
    cause.locator("li", has_text="Error at the receiver").hover()
    cause.get_by_role("link", name="Exclude Error at the receiver").click()
    expect(rows(page)).to_have_count(15)
    expect(page.locator(".chip[data-excluded]")).to_contain_text("Cause")
    page.reload()
    expect(rows(page)).to_have_count(15)


def test_the_later_of_two_clicks_counts_in_any_order_of_responses(page):
    page.goto("/logs/")
    waiting: list[Route] = []
    page.route("**/logs/?state=failed", lambda route: waiting.append(route))
    page.locator("#state-failed").check()
    page.locator("#facet-cause li", has_text="Error at the receiver").hover()
    page.get_by_role("link", name="Exclude Error at the receiver").click()
    expect(rows(page)).to_have_count(15)
    assert [route.request.failure for route in waiting] == ["net::ERR_ABORTED"]
    expect(page).to_have_url(re.compile(r"/logs/\?not_cause=http_5xx$"))
    expect(rows(page)).to_have_count(15)


def test_the_url_contains_only_the_choices(page):
    page.goto("/logs/")
    page.locator("#state-failed").check()
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))
    page.locator("#state-failed").uncheck()
    expect(page).to_have_url(re.compile(r"/logs/$"))


def test_a_click_on_a_value_of_a_row_offers_to_filter_by_it(page):
    page.goto("/logs/?sort=oldest")
    rows(page).last.get_by_role("link", name="Failed").click()
    page.get_by_role("link", name="Show only Failed").click()
    expect(page.locator(".chip")).to_have_text(re.compile(r"State\s*Failed"))
    rows(page).last.get_by_role("link", name="502").click()
    expect(page.get_by_role("link", name="Show only 502")).to_be_focused()
    assert axe.violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Show only 502")).to_be_hidden()
    rows(page).last.get_by_role("link", name="502").click()
    page.get_by_role("link", name="Show only 502").click()
    expect(rows(page)).to_have_count(5)
    expect(page).to_have_url(re.compile(r"/logs/\?sort=oldest&state=failed&status=502$"))


def test_the_menu_of_a_value_excludes_it(page):
    page.goto("/logs/?status=502&sort=oldest")
    rows(page).first.get_by_role("link", name="Error at the receiver (5xx)").click()
    menu = page.locator(".value-menu")
    menu.get_by_role("link", name="Exclude Error at the receiver (5xx)").click()
    expect(page).to_have_url(re.compile(r"/logs/\?status=502&sort=oldest&not_cause=http_5xx$"))
    page.goto("/logs/?sort=oldest")
    rows(page).first.get_by_role("link", name="–").click()  # Cotalker's stand-in
    menu.get_by_role("link", name="Exclude 409").click()
    expect(rows(page)).to_have_count(5)
    rows(page).first.get_by_role("link", name="Task created").click()
    expect(menu.get_by_role("link", name="Show only Task created")).to_be_visible()
    exclude = menu.get_by_role("link", name="Exclude Task", exact=True)
    expect(exclude).to_have_attribute("href", re.compile(r"not_type=COTTask$"))


def test_values_filter_without_javascript_too(open_page, administrator):
    page = open_page(administrator, java_script_enabled=False)
    page.goto("/logs/")
    rows(page).first.get_by_role("link", name="502").click()
    expect(page).to_have_url(re.compile(r"/logs/\?status=502$"))


def test_columns_are_chosen_in_a_popup_that_closes_with_escape(page):
    page.goto("/logs/")
    columns = page.locator("#columns")
    columns.locator("summary").click()
    expect(columns.get_by_label("Duration")).to_be_visible()
    page.keyboard.press("Escape")
    expect(columns.get_by_label("Duration")).not_to_be_visible()
    columns.locator("summary").click()
    columns.get_by_label("Duration").check()
    columns.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("columnheader", name="Duration")).to_have_count(1)


def test_the_checkbox_of_an_excluded_value_includes_it(page):
    page.goto("/logs/?not_cause=http_5xx")
    expect(rows(page)).to_have_count(15)
    page.locator("#facet-cause").get_by_role("checkbox", name="Error at the receiver").check()
    expect(rows(page)).to_have_count(5)
    expect(page).to_have_url(re.compile(r"/logs/\?cause=http_5xx$"))


@pytest.mark.parametrize("width", [1024, 1160, 1280, 1440])
@pytest.mark.parametrize("chosen", ["", "age.event.subscription.status.cause.attempts.took.id"])
def test_every_chosen_column_is_readable(page, width, chosen):
    page.set_viewport_size({"width": width, "height": 800})
    if chosen:
        page.context.add_cookies([{"name": "columns", "value": chosen, "domain": "localhost", "path": "/"}])
    page.goto("/logs/")
    heads = page.locator(".logs-table thead th")
    names = [text.strip() for text in heads.all_inner_texts()]
    columns = ["State", "Age", "Event", "Object", "Subscription", "Status", "Cause and response", "Attempts"]
    assert names == ["", *columns, *(["Duration", "Log id"] if chosen else []), "Actions"]
    for name, head in zip(names, heads.all(), strict=True):
        box = head.bounding_box()
        assert box and box["width"] >= 40, name
        head.scroll_into_view_if_needed()
        expect(head).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_back_button_leads_to_the_row_that_was_opened(page):
    import_logs(*(log_document(2000 + number) for number in range(130)))
    page.goto("/logs/?state=failed")
    for number in (100, 150):
        page.locator("[data-load-more]").scroll_into_view_if_needed()
        expect(rows(page)).to_have_count(number)
    row = rows(page).nth(120)
    log = row.get_attribute("data-log")
    row.locator("[data-row-link]").click()
    expect(page).to_have_url(re.compile(rf"/logs/{log}/\?state=failed&after="))
    page.go_back()
    expect(page.locator(f'[data-log="{log}"]')).to_be_in_viewport()
    expect(page.locator(f'[data-log="{log}"] [data-row-link]')).to_be_focused()
    page.locator(f'[data-log="{log}"] [data-row-link]').click()
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator(f'[data-log="{log}"]')).to_be_visible()
    page.get_by_role("link", name="Jump to newest").click()
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))


def an_empty_place(page: Page, row: int = 2):
    """The number of attempts: a cell without a link."""
    return rows(page).nth(row).locator(".attempts")


def test_a_click_anywhere_on_a_row_opens_its_log(page):
    page.goto("/logs/?state=failed")
    log = rows(page).nth(2).get_attribute("data-log")
    an_empty_place(page).click()
    expect(page).to_have_url(re.compile(rf"/logs/{log}/\?state=failed$"))
    page.go_back()
    expect(page.locator(f'[data-log="{log}"] [data-row-link]')).to_be_focused()


@pytest.mark.parametrize("click", [{"button": "middle"}, {"modifiers": ["Control"]}])
def test_a_row_opens_in_a_tab_of_its_own(page, click):
    page.goto("/logs/?state=failed")
    log = rows(page).nth(2).get_attribute("data-log")
    with page.context.expect_page() as opened:
        an_empty_place(page).click(**click)
    expect(opened.value).to_have_url(re.compile(rf"/logs/{log}/\?state=failed$"))
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))


def test_selected_text_boxes_and_buttons_of_a_row_do_not_open_it(page):
    page.goto("/logs/?state=failed")
    box = rows(page).nth(2).locator(".select")
    box.click(position={"x": 2, "y": 2})  # beside the box
    rows(page).nth(2).get_by_role("checkbox").check()
    code = rows(page).nth(2).locator(".cause code").bounding_box()
    assert code
    page.mouse.move(code["x"] + 1, code["y"] + code["height"] / 2)
    page.mouse.down()
    page.mouse.move(code["x"] + 60, code["y"] + code["height"] / 2, steps=3)
    page.mouse.up()
    assert page.evaluate("getSelection().type") == "Range"
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))
    expect(rows(page).nth(2).get_by_role("checkbox")).to_be_checked()


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("width", [1024, 1280, 1440])
def test_a_row_is_one_line(page, width, language):
    page.set_viewport_size({"width": width, "height": 800})
    page.context.add_cookies([{"name": "django_language", "value": language, "domain": "localhost", "path": "/"}])
    page.goto("/logs/")
    expect(rows(page)).to_have_count(20)
    assert {round(row.bounding_box()["height"]) for row in rows(page).all()} == {34}


def test_the_first_log_stands_on_the_first_screen_of_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/logs/")
    first = rows(page).first.bounding_box()
    assert first
    assert first["y"] + first["height"] <= 844
    chart, fields = page.locator("[data-range-select]"), page.locator("#since")
    expect(chart).to_be_hidden()
    expect(fields).to_be_hidden()
    page.locator("summary", has_text="Chart").click()
    expect(chart).to_be_visible()
    expect(fields).to_be_visible()
    page.locator("#range label", has_text="30d").click()
    expect(page).to_have_url(re.compile("range=30d"))
    page.locator("#range label", has_text="All").click()
    expect(chart).to_be_visible()  # what was opened stays open
    page.set_viewport_size({"width": 1280, "height": 844})
    expect(page.locator("summary", has_text="Chart")).to_be_hidden()


def test_the_chart_is_open_on_a_wide_screen(page):
    page.goto("/logs/")
    expect(page.locator("[data-range-select]")).to_be_visible()
    expect(page.locator("#since")).to_be_visible()
