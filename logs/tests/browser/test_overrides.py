"""A redelivery with changes, with the keyboard only, from the page of a log to the receiver.

Also its pages that only a form leads to.
"""

from __future__ import annotations

from playwright.sync_api import expect

from ..factories import make_log, make_subscription
from . import axe
from .page_state import WIDTHS, overflow


def faults(page) -> dict[str, list]:
    problems = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        problems[f"axe, {scheme}"] = axe.violations(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        problems[f"overflow at {width}"] = overflow(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    return {what: list_ for what, list_ in problems.items() if list_}


def test_an_edited_payload_goes_to_another_url(page, receiver, other_receiver, worker, complaints):
    complaints.expected_statuses |= {422}
    make_subscription(url=receiver.url)
    log = make_log(event={"data": {"name": "Pump", "password": "pbkdf2$1", "long": "x" * 2000}})
    page.goto(log.get_absolute_url())
    page.get_by_role("link", name="Redeliver with changes…").press("Enter")
    page.get_by_label("URL").fill(other_receiver.url)
    page.get_by_label("Reason").fill("to look at it there")
    page.get_by_role("button", name="Edit the payload").press("Enter")
    editor = page.get_by_label("Payload")
    typed = editor.input_value().replace('"Pump"', '"Fan"')
    assert faults(page) == {}
    editor.fill(typed.replace('"Fan"', "Fan"))
    page.get_by_label("URL").press("Enter")
    expect(page.get_by_text("Line 7, column")).to_be_visible()
    assert faults(page) == {}
    editor.fill(typed)
    page.get_by_label("URL").press("Enter")
    expect(page.get_by_role("heading", name="Send this?")).to_be_visible()
    assert faults(page) == {}
    page.get_by_role("button", name="Send it once").press("Enter")
    expect(page.get_by_text("Delivered on attempt 4")).to_be_visible()
    assert [received.body.decode() for received in other_receiver.requests] == [typed]
    assert receiver.requests == []
    request = page.get_by_role("link", name="View request")
    expect(request).to_have_count(1)  # the next attempt is no longer said to be queued
    request.press("Enter")
    expect(page.get_by_role("rowheader", name="/data/name")).to_be_visible()
