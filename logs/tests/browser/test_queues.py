"""The page of all queues in a browser: it updates itself and moves nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from logs.cotalker import objectid
from logs.models import Priority, State, Subscription, WebhookLog

from ..factories import MOMENT, make_subscription, make_waiting_log
from .page_state import HIDE, SHOW

LONGER_THAN_A_POLL = 5500  # ms


@pytest.fixture
def page(page) -> Page:
    """A low window: a panel takes more than half of it."""
    page.set_viewport_size({"width": 1100, "height": 500})
    return page


def make_blocked_queue(name: str, behind: int = 1, **fields) -> Subscription:
    """A queue blocked by an exhausted event. It is created at once, because a worker may be running."""
    subscription = make_subscription(
        objectid.new_objectid(), name=name, pause_on_exhausted=True, paused_at=timezone.now(), **fields
    )
    failed = {"state": State.FAILED, "attempt_count": 3, "cause": "timeout"}
    log = make_waiting_log(subscription, 0, object_name=f"Head of {name}", **failed)
    for number in range(1, behind + 1):
        make_waiting_log(subscription, number, object_name=f"No. {number} of {name}")
    WebhookLog.objects.filter(pk=log.pk).update(next_attempt_at=None)
    Subscription.objects.filter(pk=subscription.pk).update(blocking_log=log.pk)
    subscription.refresh_from_db()
    return subscription


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def top(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box
    return box["y"]


def poll_statuses(page: Page) -> list[int]:
    """The statuses with which the server answers polls from now on."""
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if "/queues/?seen=" in answer.url else None)
    return statuses


def test_a_queue_is_unblocked_with_the_keyboard_only(page, worker, receiver):
    subscription = make_blocked_queue("Elements", 2, url=receiver.url)
    make_blocked_queue("Incidents")
    page.goto("/queues/")
    expect(page.locator(".summary")).to_contain_text("2 queues are blocked.")
    panel(page, "Elements").get_by_role("link", name="Elements", exact=True).focus()
    page.keyboard.press("Tab")  # the head
    page.keyboard.press("Tab")
    expect(panel(page, "Elements").get_by_role("button", name="Redeliver")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_have_text("The redelivery is queued, ahead of the other waiting events.")
    expect(page.locator(".summary")).to_contain_text("1 queue is blocked.")
    expect(panel(page, "Elements")).to_have_count(0)
    expect(page.locator("#queues")).to_be_focused()
    assert receiver.ids == list(subscription.logs.order_by("created_at").values_list("pk", flat=True))
    expect(page).to_have_url(re.compile("/queues/$"))


def test_skipping_needs_a_reason_and_returns(page, receiver):
    make_blocked_queue("Elements", url=receiver.url)
    page.goto("/queues/")
    page.get_by_role("link", name="Skip this event…").press("Enter")
    page.get_by_label("Reason").fill("given by phone")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/queues/#queue-"))
    expect(page.locator("#messages")).to_have_text("The event was skipped. Its queue continues with the next event.")
    expect(page.locator(".summary")).to_have_text(re.compile("No queue is blocked."))


def test_pause_and_resume_keep_the_focus(page):
    make_subscription(name="Users", url="http://127.0.0.1:9/")
    page.goto("/queues/")
    page.get_by_role("button", name="Pause Users").press("Enter")
    expect(panel(page, "Users")).to_contain_text("ana paused this queue")
    expect(panel(page, "Users")).to_be_in_viewport()
    expect(panel(page, "Users").get_by_role("button", name="Resume")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause Users")).to_be_focused()


def test_every_action_works_without_javascript(open_page, administrator):
    page = open_page(administrator, java_script_enabled=False)
    subscription = make_blocked_queue("Elements")
    page.goto("/queues/")
    page.get_by_role("button", name="Resume").click()
    expect(page).to_have_url(re.compile(f"/queues/#queue-{subscription.pk}$"))
    expect(page.locator("#messages")).to_have_text("The queue of “Elements” has resumed.")
    page.get_by_role("button", name="Pause Elements").click()
    expect(panel(page, "Elements")).to_contain_text("ana paused this queue")
    page.get_by_role("button", name="Retry now").click()
    expect(panel(page, "Elements")).to_contain_text("First event is being sent")


def test_the_page_updates_itself_and_moves_neither_the_content_nor_the_focus(page):
    first, second = make_blocked_queue("First", 4), make_blocked_queue("Second", 4)
    make_blocked_queue("Third", 4)
    page.goto("/queues/")
    link = panel(page, "Second").get_by_role("link", name="No. 2 of Second")
    link.focus()
    page.evaluate("scrollBy(0, 40)")
    before = top(panel(page, "Second"))
    first.resume(by=None)  # its panel above the visible part disappears
    expect(page.locator(".summary")).to_contain_text("2 queues are blocked.")
    expect(link).to_be_focused()
    assert top(panel(page, "Second")) == pytest.approx(before, abs=1)
    second.waiting().first().skip(by=None, reason="x")
    expect(panel(page, "Second").get_by_role("heading", name="3 more waiting")).to_be_visible()
    expect(link).to_be_focused()


def test_without_changes_nothing_is_sent_or_swapped(page):
    make_blocked_queue("Elements")
    page.goto("/queues/")
    page.evaluate("document.querySelector('#queues').dataset.seen = 'yes'")
    statuses = poll_statuses(page)
    page.wait_for_timeout(LONGER_THAN_A_POLL)
    if statuses != [204]:  # the minute had just gone by
        page.evaluate("document.querySelector('#queues').dataset.seen = 'yes'")
        page.wait_for_timeout(LONGER_THAN_A_POLL)
    assert statuses[-1] == 204
    expect(page.locator("#queues")).to_have_attribute("data-seen", "yes")


def test_a_page_polls_only_while_it_is_visible(page):
    subscription = make_blocked_queue("Elements")
    page.goto("/queues/")
    page.evaluate(HIDE)
    statuses = poll_statuses(page)
    subscription.resume(by=None)
    page.wait_for_timeout(LONGER_THAN_A_POLL)
    assert statuses == []
    page.evaluate(SHOW)
    expect(page.locator(".summary")).to_have_text(re.compile("No queue is blocked."))


def test_the_countdown_continues_between_polls(page):
    log = make_waiting_log(
        make_subscription(), state=State.RETRYING, priority=Priority.RETRY, attempts_left=2, attempt_count=1
    )
    WebhookLog.objects.filter(pk=log.pk).update(next_attempt_at=timezone.now() + timedelta(seconds=30))
    page.route("**/queues/?seen=*", lambda route: route.fulfill(status=204))
    page.clock.install(time=MOMENT)
    page.goto("/queues/")
    page.clock.pause_at(MOMENT + timedelta(minutes=1))
    countdown = page.locator("h3 time")
    match = re.fullmatch(r"in (\d+) s", countdown.inner_text())
    assert match
    page.clock.run_for(2000)
    expect(countdown).to_have_text(f"in {int(match[1]) - 2} s")
    page.keyboard.press("u")
    expect(countdown).to_have_text(countdown.get_attribute("data-absolute") or "")
    page.clock.run_for(1000)
    page.keyboard.press("u")
    expect(countdown).to_have_text(f"in {int(match[1]) - 3} s")
