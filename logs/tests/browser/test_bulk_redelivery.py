"""Bulk redeliveries in a browser: choices change the numbers, the page refreshes itself, a dialog stays."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from logs.models import BulkRedelivery, BulkRedeliveryState
from logs.tests.bulk_redeliveries import make_delivered_log, make_object_log, plan_logs, start_redelivery

A = "62742b7562f37034d939aaaa"


@pytest.fixture
def plan(administrator, subscription) -> BulkRedelivery:
    """Eight logs, of which one is superseded."""
    logs = [make_object_log(0, A), *(make_object_log(number, f"{number:024x}") for number in range(1, 8))]
    make_delivered_log(9, A)
    return plan_logs(administrator, logs)


def total(page: Page):
    return page.locator("#plan-total b")


def mark(page: Page) -> None:
    """An element of the region now; it is gone once the region is swapped."""
    page.locator("#bulk-live").evaluate("(region) => (region.dataset.old = '')")


def test_a_choice_changes_the_numbers_at_once_and_keeps_what_was_typed(page, plan):
    page.goto(plan.get_absolute_url())
    expect(total(page)).to_have_text("7")
    page.get_by_label("Reason for this redelivery").fill("the night")
    page.get_by_label("Send them too").check()
    expect(total(page)).to_have_text("8")
    expect(page.get_by_role("button", name="Send 8 logs")).to_be_visible()
    expect(page.get_by_label("Send them too")).to_be_focused()
    expect(page.get_by_label("Reason for this redelivery")).to_have_value("the night")
    page.get_by_label("Include Work Orders Update").press("Space")
    expect(page.get_by_role("button", name="Nothing to send")).to_be_disabled()
    expect(page.get_by_label("Include Work Orders Update")).to_be_focused()


def leave_and_come_back(page: Page) -> None:
    page.locator("#subscriptions").get_by_role("link", name="Work Orders Update").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Work Orders Update")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("to send")


def test_back_keeps_the_choices_and_their_numbers_and_can_send(page, plan, receiver, worker):
    page.goto(plan.get_absolute_url())
    page.get_by_label("Send them too").check()
    page.get_by_label("No canary").check()
    page.get_by_label("Max rate (logs/s)").fill("500")
    page.get_by_label("Pause when failures exceed (%)").fill("30")
    page.get_by_label("Attempts per log").select_option(index=1)
    expect(page).to_have_url(
        re.compile(r"\?superseded_policy=send&rollout=none&max_attempts=\d+&rate=500&failure_percent=30$")
    )
    leave_and_come_back(page)
    expect(page.get_by_label("Send them too")).to_be_checked()
    expect(page.get_by_label("No canary")).to_be_checked()
    expect(page.get_by_label("Max rate (logs/s)")).to_have_value("500")
    expect(page.get_by_label("Pause when failures exceed (%)")).to_have_value("30")
    expect(page.get_by_label("Attempts per log")).not_to_have_value("1")
    expect(total(page)).to_have_text("8")
    expect(page.get_by_role("heading", level=1)).to_have_text("Selected logs · 8 logs, 8 to send")
    page.get_by_label("Reason for this redelivery").fill("the night")
    page.get_by_role("button", name="Send 8 logs").click()
    expect(page.locator("#bulk-redelivery .summary")).to_contain_text("All 8 logs were delivered.")
    assert BulkRedelivery.objects.get(pk=plan.pk).rate == 500


def test_an_answer_that_comes_late_does_not_replace_what_is_typed(page, plan):
    held: list[Route] = []
    page.goto(plan.get_absolute_url())
    page.route("**/start/", lambda route: held.append(route))
    with page.expect_request("**/start/"):
        page.get_by_label("No canary").check()
    limit = page.get_by_label("Pause when failures exceed (%)")
    limit.fill("30")
    with page.expect_response("**/start/"):
        held[0].continue_()
    page.unroute("**/start/")
    page.evaluate("new Promise(requestAnimationFrame)")  # what htmx does with the answer
    expect(limit).to_have_value("30")
    limit.blur()
    expect(page).to_have_url(re.compile(r"\?rollout=none&failure_percent=30$"))
    expect(limit).to_have_value("30")


def test_back_keeps_which_subscriptions_are_selected(page, plan):
    page.goto(plan.get_absolute_url())
    page.get_by_label("Include Work Orders Update").uncheck()
    expect(page.get_by_role("button", name="Nothing to send")).to_be_disabled()
    leave_and_come_back(page)
    expect(page.get_by_label("Include Work Orders Update")).not_to_be_checked()
    expect(total(page)).to_have_text("0")
    page.get_by_label("Include Work Orders Update").check()
    expect(page.get_by_role("button", name="Send 7 logs")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"{plan.get_absolute_url()}$"))  # these are the initial choices


def test_a_plan_cached_by_the_browser_requests_the_numbers_of_the_choices(page, plan):
    """The page as it was left: before a choice had its numbers."""
    page.goto(plan.get_absolute_url())
    page.evaluate(
        """() => {
            document.querySelector("[name=superseded_policy][value=send]").checked = true;
            dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        }"""
    )
    expect(total(page)).to_have_text("8")
    expect(page.get_by_role("button", name="Send 8 logs")).to_be_visible()


def test_a_plan_is_discarded_in_the_list(page, plan):
    page.goto("/redeliveries/")
    discard = page.get_by_role("button", name=f"Discard plan #{plan.pk}")
    discard.click()
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text("Selected logs · 8 logs, 7 to send. Nothing was sent.")
    page.keyboard.press("Escape")
    expect(discard).to_be_focused()
    discard.click()
    dialog.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("Plan discarded. Nothing was sent.")).to_be_visible()
    expect(discard).to_have_count(0)


def test_a_bulk_redelivery_is_started_and_refreshes_until_it_ends(page, plan, receiver, worker):
    page.goto(plan.get_absolute_url())
    page.get_by_label("Reason for this redelivery").fill("the night")
    page.get_by_role("button", name="Send 7 logs").click()
    expect(page.locator("#bulk-redelivery .page-header")).to_contain_text("the night")
    expect(page.locator("#bulk-redelivery .summary")).to_contain_text("All 7 logs were delivered.")
    expect(page.locator("#bulk-redelivery [hx-trigger]")).to_have_count(0)
    expect(page.locator(".results-table tbody tr")).to_have_count(5)
    assert len(receiver.requests) == 7


def test_typing_a_rate_and_pressing_send_at_once_starts_it(page, plan):
    """A finger stays on the button for a while; no numbers may be requested meanwhile, as they would take it away."""
    page.clock.install()
    page.goto(plan.get_absolute_url())
    page.get_by_label("Reason for this redelivery").fill("the night")
    page.get_by_label("Max rate (logs/s)").fill("5")
    page.get_by_role("button", name="Send 7 logs").hover()
    page.clock.pause_at(timezone.now() + timedelta(minutes=1))
    page.evaluate("addEventListener('htmx:beforeRequest', () => (window.hasRequested = true))")
    page.mouse.down()
    page.clock.run_for(120)
    assert not page.evaluate("window.hasRequested")
    page.mouse.up()
    page.clock.resume()
    expect(page.locator("#bulk-redelivery .page-header")).to_contain_text("the night")
    assert BulkRedelivery.objects.get(pk=plan.pk).rate == 5


def test_a_poll_neither_moves_the_focus_nor_removes_the_form_of_the_dialog(page, administrator, plan, receiver, worker):
    receiver.gate = threading.Event()
    bulk = start_redelivery(administrator, [item.log for item in plan.items.all()])
    page.goto(bulk.get_absolute_url())
    receiver.arrived.wait(15)
    page.locator("#bulk-stop").focus()
    mark(page)
    expect(page.locator("#bulk-live[data-old]")).to_have_count(0)
    expect(page.locator("#bulk-stop")).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text(f"Stop bulk redelivery {bulk.pk}?")
    mark(page)
    for _ in range(2):
        with page.expect_response(lambda answer: "?seen=" in answer.url):
            pass  # a poll that comes while the dialog is open
    expect(page.locator("#bulk-live[data-old]")).to_have_count(1)
    dialog.get_by_role("button", name="Stop").click()
    expect(page.locator("#bulk-redelivery .page-header .badge")).to_have_text("Stopped")
    receiver.gate.set()
    assert BulkRedelivery.objects.get(pk=bulk.pk).state == BulkRedeliveryState.STOPPED


def test_a_bulk_redelivery_works_without_javascript(open_page, administrator, plan, complaints):
    complaints.expected_statuses.add(422)
    page = open_page(administrator, java_script_enabled=False)
    page.goto(plan.get_absolute_url())
    page.get_by_label("Reason for this redelivery").fill("the night")
    page.get_by_label("Send them too").check()
    page.get_by_role("button", name="Update the numbers").click()
    expect(total(page)).to_have_text("8")
    expect(page.get_by_label("Send them too")).to_be_checked()
    page.get_by_label("Exclude them").check()
    page.get_by_role("button", name="Send 8 logs").click()  # the choice is another by now
    expect(page.get_by_role("alert")).to_contain_text("the numbers have changed")
    page.get_by_role("button", name="Send 7 logs").click()
    expect(page).to_have_url(re.compile(rf"{plan.get_absolute_url()}$"))
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Stop…").click()
    expect(page.locator("#bulk-redelivery .page-header .badge")).to_have_text("Stopped")
