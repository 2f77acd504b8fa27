"""A whole incident with the keyboard only: from the Overview through the plan and the results until everything is delivered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone
from playwright.sync_api import Page, expect

from logs.cotalker import objectid
from logs.models import BulkRedelivery, BulkRedeliveryState, State, WebhookLog

from ..factories import import_logs, log_document, make_subscription

FAILED = 30
MOST_TABS = 150


def recent_document(age: timedelta, number: int, **fields) -> dict:
    """A log of that age about its own object."""
    at: datetime = timezone.now() - age
    event = {"data": {"_id": f"{number:024x}", "name": f"Work order {number}"}}
    return (
        log_document(event=event)
        | {"_id": objectid.new_objectid(at), "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z"}
        | fields
    )


def make_outage() -> None:
    """The receiver was down between three hours and one hour ago, and has answered with 200 since."""
    down = {"status": 502, "response": "502 Bad Gateway", "retry": 3}
    documents = [recent_document(timedelta(minutes=180 - 4 * number), number, **down) for number in range(FAILED)]
    up = recent_document(timedelta(minutes=10), FAILED, status=200, response="OK", retry=1)
    import_logs(*documents, up)


def tab_to(page: Page, is_there: Callable[[str], bool]) -> None:
    """Press Tab until something with such a text, label or id has the focus; it must be visible there."""
    seen = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        text, is_visible = page.evaluate(
            """() => {
                const { id, textContent, ariaLabel, offsetParent } = document.activeElement;
                const box = document.activeElement.getBoundingClientRect();
                const isVisible = offsetParent !== null && box.bottom > 0 && box.top < innerHeight;
                return [`#${id} ${ariaLabel ?? ""} ${textContent.trim().replace(/\\s+/g, " ")}`, isVisible];
            }"""
        )
        seen.append(text)
        if is_there(text):
            assert is_visible, f"{text} has the focus and is not to be seen"
            return
    raise AssertionError(f"it cannot be reached: {seen}")


def test_an_incident_is_solved_with_the_keyboard_only(page, transactional_db, receiver, worker):
    make_subscription(url=receiver.url)
    make_outage()
    page.goto("/")
    expect(page.locator(".summary")).to_contain_text("30 logs failed")

    tab_to(page, lambda text: f"Redeliver {FAILED}…" in text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{FAILED} to send")
    assert receiver.requests == []

    tab_to(page, lambda text: text.startswith("#id_reason"))
    page.keyboard.type("the receiver was down last night")
    tab_to(page, lambda text: f"Send {FAILED} logs" in text)
    page.keyboard.press("Enter")

    expect(page.locator("#bulk-redelivery .page-header")).to_contain_text("the receiver was down last night")
    expect(page.locator("#bulk-redelivery .summary")).to_contain_text(f"All {FAILED} logs were delivered.")
    assert len(set(receiver.ids)) == len(receiver.ids) == FAILED
    bulk = BulkRedelivery.objects.get()
    assert (bulk.state, bulk.reason) == (BulkRedeliveryState.FINISHED, "the receiver was down last night")

    tab_to(page, lambda text: "Work order 29" in text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Work order 29")
    expect(page.locator("#log-status .badge").first).to_have_text("Delivered")

    tab_to(page, lambda text: text.endswith("Overview"))
    page.keyboard.press("Enter")
    expect(page.locator(".summary")).to_contain_text("Nothing failed")
    assert not WebhookLog.objects.exclude(state=State.DELIVERED).exists()
