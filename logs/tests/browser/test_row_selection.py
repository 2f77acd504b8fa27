"""Ticking rows of the explorer with the mouse, with the keyboard only and without JavaScript; and the plans made from them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from logs.models import BulkRedelivery, Subscription, WebhookLog

from ..factories import import_logs, log_document, make_subscription, make_waiting_log
from . import axe
from .page_state import rows


@pytest.fixture(autouse=True)
def logs(transactional_db, receiver):
    """Seventy logs, of which the last ten failed otherwise; newest first, as in the list."""
    make_subscription(url=receiver.url)
    import_logs(
        *(log_document(number) for number in range(60)),
        *(log_document(number, status=502, response="Bad Gateway") for number in range(60, 70)),
    )
    return list(WebhookLog.objects.newest_first())


def boxes(page: Page):
    return page.locator("[data-rows] [name=log]")


def bar(page: Page):
    return page.locator("#bulk-bar")


def expect_ticked(page: Page, *places: int) -> None:
    """Those rows, and no other."""
    expect(page.locator("[data-rows] [name=log]:checked")).to_have_count(len(places))
    for place in places:
        expect(boxes(page).nth(place)).to_be_checked()
    if places:
        expect(bar(page).locator("p")).to_have_text(re.compile(rf"^\s*{len(places)} of \d+ selected\s*$"))
    else:
        expect(bar(page)).to_be_hidden()


def planned(page: Page) -> list[str]:
    """The logs of the plan to which the page has come, oldest first."""
    expect(page).to_have_url(re.compile(r"/redeliveries/\d+/$"))
    bulk = BulkRedelivery.objects.get(pk=int(page.url.rstrip("/").rpartition("/")[2]))
    return list(bulk.items.values_list("log", flat=True))


def test_a_capital_a_selects_all_that_match_and_r_plans_them(page):
    page.goto("/logs/?status=502")
    expect(rows(page)).to_have_count(10)
    page.keyboard.press("A")
    expect(bar(page).locator("p")).to_have_text("All 10 matching selected")
    expect(boxes(page).and_(page.locator(":checked"))).to_have_count(10)
    page.keyboard.press("Escape")
    expect_ticked(page)
    page.keyboard.press("A")
    expect(bar(page).locator("p")).to_have_text("All 10 matching selected")
    page.keyboard.press("r")
    assert len(planned(page)) == 10


def test_a_capital_a_selects_what_other_pages_show_too(page):
    page.goto("/logs/")
    page.keyboard.press("A")
    expect(bar(page).locator("p")).to_have_text("All 70 matching selected")
    page.keyboard.press("r")
    assert len(planned(page)) == 70


def test_the_bar_appears_with_the_first_tick_and_disappears_with_the_last(page):
    page.goto("/logs/")
    expect(bar(page)).to_be_hidden()
    boxes(page).nth(2).click()
    expect_ticked(page, 2)
    boxes(page).nth(4).click()
    expect_ticked(page, 2, 4)
    assert axe.violations(page) == []
    bar(page).get_by_role("button", name="Clear the selection").click()
    expect_ticked(page)
    expect(boxes(page).nth(4)).to_be_focused()


def test_rows_that_arrive_while_the_selection_is_cleared_stay_unticked(page):
    """htmx announces every part of the page that came, whenever it comes."""
    page.goto("/logs/")
    boxes(page).nth(2).click()
    expect_ticked(page, 2)
    settled = "document.dispatchEvent(new CustomEvent('htmx:afterSettle', {detail: {elt: document.body}}))"
    page.evaluate(f"document.addEventListener('reset', () => setTimeout(() => {settled}), true)")
    bar(page).get_by_role("button", name="Clear the selection").click()
    expect_ticked(page)


def test_the_keyboard_ticks_a_row_and_a_range_and_plans_with_r(page, logs):
    page.goto("/logs/")
    for key in ("j", "j", "x", "j", "j", "j", "X", "j", "j", "x"):
        page.keyboard.press("Shift+X" if key == "X" else key)
    expect_ticked(page, 1, 2, 3, 4, 6)
    page.keyboard.press("x")
    expect_ticked(page, 1, 2, 3, 4)
    page.keyboard.press("r")
    assert planned(page) == [logs[place].pk for place in (4, 3, 2, 1)]


def test_escape_clears_but_not_while_it_closes_something_else(page):
    page.goto("/logs/")
    boxes(page).nth(0).click()
    page.locator("#columns summary").click()
    page.keyboard.press("Escape")
    expect_ticked(page, 0)
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect_ticked(page, 0)
    page.keyboard.press("Escape")
    expect_ticked(page)


def test_r_does_nothing_while_nothing_is_ticked(page):
    page.goto("/logs/?state=failed")
    page.keyboard.press("r")
    page.keyboard.press("j")
    expect(page.locator("[data-row-link]").first).to_be_focused()
    assert not BulkRedelivery.objects.exists()


def test_shift_click_ticks_or_unticks_all_in_between(page):
    page.goto("/logs/")
    boxes(page).nth(5).click()
    boxes(page).nth(2).click(modifiers=["Shift"])
    expect_ticked(page, 2, 3, 4, 5)
    boxes(page).nth(4).click(modifiers=["Shift"])
    expect_ticked(page, 5)


def test_a_tick_with_the_keyboard_continues_where_the_mouse_was(page):
    page.goto("/logs/")
    boxes(page).nth(3).click()
    page.keyboard.press("j")
    expect(page.locator("[data-row-link]").nth(4)).to_be_focused()
    page.keyboard.press("Shift+X")
    expect_ticked(page, 3, 4)


def test_all_rows_of_the_page_are_ticked_at_once_and_stay_ticked_with_more_rows(page):
    page.goto("/logs/")
    page.get_by_label("Select all rows on the page").click()
    expect_ticked(page, *range(50))
    page.get_by_role("link", name="Load 50 more").dispatch_event("click")  # it would load by itself in view
    expect(rows(page)).to_have_count(70)
    expect_ticked(page, *range(50))
    boxes(page).nth(69).click(modifiers=["Shift"])
    expect_ticked(page, *range(70))
    page.get_by_label("Select all rows on the page").click()
    expect_ticked(page)


def test_all_matching_logs_are_planned_by_their_filter(page, logs):
    page.goto("/logs/?cause=timeout&sort=oldest")
    boxes(page).nth(0).click()
    bar(page).get_by_role("button", name="Select all 60 matching").click()
    expect(bar(page).locator("p")).to_have_text("All 60 matching selected")
    plan = bar(page).get_by_role("button", name="Plan a bulk redelivery…")
    expect(plan).to_be_focused()
    page.get_by_role("link", name="Load 50 more").dispatch_event("click")  # it would load by itself in view
    expect(page.locator("[data-rows] [name=log]:checked")).to_have_count(60)
    plan.click()
    assert planned(page) == [log.pk for log in reversed(logs[10:])]
    assert BulkRedelivery.objects.get().query == "cause=timeout"


def test_the_bar_counts_the_selected_logs_and_all_that_match(page):
    page.goto("/logs/?cause=timeout")
    boxes(page).nth(3).click()
    expect(bar(page).locator("p")).to_have_text("1 of 60 selected")
    page.get_by_label("Select all rows on the page").click()
    expect(bar(page).locator("p")).to_have_text("50 of 60 selected")
    bar(page).get_by_role("button", name="Select all 60 matching").click()
    expect(bar(page).locator("p")).to_have_text("All 60 matching selected")


def test_the_ids_of_the_selected_logs_are_copied(page, logs):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/logs/")
    copy = bar(page).get_by_role("button", name="Copy ids")
    for place in (1, 4):
        boxes(page).nth(place).click()
    copy.click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{logs[1].pk}\n{logs[4].pk}"
    bar(page).get_by_role("button", name="Select all 70 matching").click()
    expect(copy).to_be_hidden()  # the page doesn't know them


def test_unticking_one_of_all_matching_logs_keeps_the_others_of_the_page(page):
    page.goto("/logs/")
    boxes(page).nth(0).click()
    bar(page).get_by_role("button", name="Select all 70 matching").click()
    boxes(page).nth(7).click()
    expect_ticked(page, *(place for place in range(50) if place != 7))
    bar(page).get_by_role("button", name="Plan a bulk redelivery…").click()
    assert len(planned(page)) == 49
    assert BulkRedelivery.objects.get().source == "selected"


def test_another_filter_clears_the_selection_and_says_so(page):
    page.goto("/logs/")
    boxes(page).nth(0).click()
    given_up = page.get_by_text("The selection was cleared because the list changed.")
    expect(given_up).to_be_hidden()
    page.locator("#facet-cause").get_by_role("checkbox", name="Error at the receiver").check()
    expect(rows(page)).to_have_count(10)
    expect(given_up).to_be_visible()
    expect_ticked(page)
    boxes(page).nth(1).click()
    expect_ticked(page, 1)


def test_a_filter_without_matches_clears_the_selection_too(page):
    page.goto("/logs/")
    boxes(page).nth(0).click()
    expect_ticked(page, 0)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search logs")).to_be_focused()  # its script has come
    page.keyboard.type("nowheretobefound")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The selection was cleared because the list changed.")).to_be_visible()
    expect(bar(page)).to_have_count(0)


def test_a_refreshed_row_stays_ticked(page):
    page.goto("/logs/")
    boxes(page).nth(1).click()
    rows(page).nth(1).get_by_role("button", name="Redeliver").click()
    page.get_by_role("dialog").get_by_role("button", name="Redeliver").click()
    expect(rows(page).nth(1).get_by_text("Pending")).to_be_visible()
    expect_ticked(page, 1)


def test_returning_to_a_list_shows_no_uncounted_ticks(page):
    page.goto("/logs/")
    boxes(page).nth(0).click()
    bar(page).get_by_role("button", name="Select all 70 matching").click()
    page.goto("/")
    page.go_back()
    ticked = page.locator("[data-rows] [name=log]:checked").count()
    assert (ticked > 0) == bar(page).is_visible()
    if ticked:
        expect(bar(page).locator("p")).to_have_text("All 70 matching selected")


def test_viewers_have_nothing_to_tick(open_page, member):
    page = open_page(member("Viewer"))
    page.goto("/logs/?state=failed")
    expect(rows(page)).to_have_count(50)
    expect(boxes(page)).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Redeliver all")).to_have_count(0)


def test_other_tables_of_logs_have_nothing_to_tick(page, logs):
    page.goto(logs[0].subscription.get_absolute_url())
    expect(rows(page).first).to_be_visible()
    expect(boxes(page)).to_have_count(0)


def test_ticked_rows_and_all_matching_logs_are_planned_without_javascript(open_page, administrator, logs):
    page = open_page(administrator, java_script_enabled=False)
    page.goto("/logs/?cause=http_5xx")
    expect(page.get_by_label("Select all rows on the page")).to_be_hidden()
    expect(bar(page)).to_be_hidden()
    boxes(page).nth(1).check()
    boxes(page).nth(3).check()
    page.get_by_role("button", name="Plan a bulk redelivery…").click()
    assert planned(page) == [logs[3].pk, logs[1].pk]
    page.goto("/logs/?cause=http_5xx")
    page.get_by_role("button", name="Redeliver all 10…").click()
    assert planned(page) == [log.pk for log in reversed(logs[:10])]


def test_a_refused_selection_says_why_and_leads_back(page, complaints):
    complaints.expected_statuses |= {422}
    page.goto("/logs/?cause=http_5xx")
    WebhookLog.objects.filter(cause="http_5xx").update(cause="dns")
    page.get_by_role("button", name="Redeliver all 10…").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("No log matches the filter."))
    assert axe.violations(page) == []
    page.get_by_role("link", name="Back to the selection").click()
    expect(page).to_have_url(re.compile(r"/logs/\?cause=http_5xx$"))


def test_ids_are_pasted_and_planned(page, logs):
    page.goto("/redeliveries/new/")
    page.get_by_label("Log ids").last.fill(f"{logs[0].pk}, {logs[5].pk}")
    page.get_by_role("button", name="Preview").click()
    assert planned(page) == [logs[5].pk, logs[0].pk]


def test_the_send_button_of_a_plan_stays_in_view_on_a_phone(page, logs):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/redeliveries/new/")
    page.get_by_label("Log ids").last.fill(f"{logs[0].pk}, {logs[5].pk}")
    page.get_by_role("button", name="Preview").click()
    send = page.get_by_role("button", name="Send 2 logs")
    expect(send).to_be_in_viewport()
    page.get_by_label("Reason for this redelivery").scroll_into_view_if_needed()
    expect(send).to_be_in_viewport()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    hint, button = page.locator("#id_reason_hint").bounding_box(), send.bounding_box()
    assert hint
    assert button
    assert hint["y"] + hint["height"] <= button["y"]  # it hides nothing


def test_superseded_logs_are_settled_from_the_list_and_counted_as_failed_again(page):
    """All logs are about one object, so its newest delivered event supersedes them."""
    import_logs(log_document(80, status=200, retry=1, response="ok"))
    page.goto("/logs/?state=failed")
    boxes(page).nth(0).click()
    bar(page).get_by_role("button", name=re.compile("^Select all")).click()
    bar(page).get_by_role("button", name="Settle superseded").click()
    expect(page.get_by_text("70 logs were settled as superseded.")).to_be_visible()
    assert set(WebhookLog.objects.values_list("state", flat=True)) == {"superseded", "delivered"}
    page.goto("/logs/?state=superseded")
    boxes(page).nth(1).click()
    bar(page).get_by_role("button", name="Undo: count as failed").click()
    expect(page.get_by_text("1 log counts as failed again.")).to_be_visible()
    assert WebhookLog.objects.failed().count() == 1


def test_queued_logs_are_skipped_from_the_list_with_a_reason(page):
    waiting = [make_waiting_log(Subscription.objects.get(), 90 + number) for number in range(2)]
    page.goto("/logs/")
    for number in range(3):
        boxes(page).nth(number).click()
    bar(page).get_by_role("button", name="Skip…").click()
    expect(page.get_by_text("2 of 3 selected logs are queued.")).to_be_visible()
    assert axe.violations(page) == []
    page.get_by_label("Reason").fill("a duplicate")
    page.get_by_role("button", name="Skip 2 events").click()
    expect(page.get_by_text("2 events were skipped.")).to_be_visible()
    expect(page).to_have_url(re.compile("/logs/"))
    assert set(WebhookLog.objects.filter(state="skipped")) == set(waiting)
