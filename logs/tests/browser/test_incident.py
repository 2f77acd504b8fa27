"""A whole incident as an admin mends it at nine o'clock: from the Overview until all is clear, by mouse and by keyboard.

A real worker delivers to a real receiver, which was down, works again, and keeps a ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from logs.cotalker import objectid
from logs.models import BulkRedelivery, BulkRedeliveryState, Incident, Payload, State, Subscription, WebhookLog

from ..factories import OTHER_SUBSCRIPTION, import_logs, log_document, make_subscription, make_waiting_log
from ..processes import wait_until
from ..receiver import Receiver

FAILED = 20  # logs of as many objects
SUPERSEDED = 5  # of them, whose object was delivered in a newer version since
MAX_ACTIONS = 5
MAX_KEY_STROKES = 25


def recent_document(age: timedelta, object_number: int, **fields) -> dict:
    """A log of that age about that object."""
    at: datetime = timezone.now() - age
    event = {"data": {"_id": f"{object_number:024x}", "name": f"Work order {object_number}"}}
    return (
        log_document(event=event)
        | {"_id": objectid.new_objectid(at), "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z"}
        | fields
    )


def make_outage(subscription: Subscription) -> None:
    """The receiver was down for an hour. Cotalker gave these logs up, and delivered newer events of some objects since."""
    down = {"status": 500, "response": "<h1>SAP PM is down</h1>", "retry": 3}
    documents = [recent_document(timedelta(minutes=180 - 3 * number), number, **down) for number in range(FAILED)]
    up = {"status": 200, "response": "OK", "retry": 1}
    documents += [recent_document(timedelta(minutes=15 - number), number, **up) for number in range(SUPERSEDED)]
    import_logs(*documents)


class Actions:
    """What the person does, counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.number = self.key_strokes = 0

    def click(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name).first.click()
        self.number += 1

    def press(self, *keys: str) -> None:
        """A key with Ctrl is two strokes."""
        for key in keys:
            self.page.keyboard.press(key)
            self.key_strokes += 1 + key.count("+")
        self.number += 1


@pytest.fixture
def outage(transactional_db, receiver, start_worker) -> Iterator[Receiver]:
    """A queue waits for its next attempt, and logs of another subscription have failed; the receiver works again."""
    worker = start_worker(DELIVERY_RETRY_DELAY="600")  # longer than the slowest run
    first = make_subscription(url=receiver.url)
    second = make_subscription(OTHER_SUBSCRIPTION, url=receiver.url, name="ERP")
    make_outage(first)
    receiver.status = 500
    waiting = [make_waiting_log(second, 100 + number) for number in range(2)]
    wait_until(lambda: WebhookLog.objects.filter(pk=waiting[0].pk, state=State.RETRYING).exists())
    wait_until(lambda: Incident.objects.filter(failed_count=FAILED, queued_count=1).exists())
    receiver.status = 200
    receiver.requests.clear()
    yield receiver
    assert worker.stop() == 0, worker.output


def assert_everything_is_green(receiver: Receiver) -> None:
    """Nothing is failed, each object's newest event came last, and the recovery sent nothing twice."""
    left = Counter(WebhookLog.objects.values_list("state", flat=True))
    assert left == {State.DELIVERED: FAILED - SUPERSEDED + SUPERSEDED + 2, State.SUPERSEDED: SUPERSEDED}
    assert len(receiver.ids) == len(set(receiver.ids)) == FAILED - SUPERSEDED + 2
    for subscription in Subscription.objects.all():
        sent = [pk for pk in receiver.ids if pk in set(subscription.logs.values_list("pk", flat=True))]
        created = dict(WebhookLog.objects.filter(pk__in=sent).values_list("pk", "created_at"))
        assert sent == sorted(sent, key=created.__getitem__)
    superseded = WebhookLog.objects.filter(state=State.SUPERSEDED)
    assert not superseded.filter(pk__in=receiver.ids).exists()
    assert all(WebhookLog.objects.superseding(log).exists() for log in superseded)
    bulk = BulkRedelivery.objects.get()
    assert (bulk.state, bulk.incident) == (BulkRedeliveryState.FINISHED, Incident.objects.get())
    assert Payload.objects.count() == WebhookLog.objects.count()


def test_an_incident_is_solved_with_the_mouse(page, outage):
    page.goto("/")
    expect(page.locator("#overview-incident")).to_contain_text("127.0.0.1")
    expect(page.locator("#overview-incident")).to_contain_text("in 2 subscriptions")
    expect(page.get_by_text("Retry ERP, redeliver 15 logs, settle 5 as superseded")).to_be_visible()

    actions = Actions(page)
    actions.click("button", "Recover…")
    expect(page.get_by_role("heading", level=1)).to_contain_text("15 to send")
    assert outage.requests == []
    actions.click("button", "Send 15 logs")
    expect(page.locator("#bulk-redelivery .summary")).to_contain_text("All 15 logs were delivered.")
    actions.click("link", "Back to incident")
    expect(page.locator(".summary")).to_contain_text("Nothing of it is failed any more.")
    expect(page.locator(".summary")).to_contain_text("Redelivered in bulk: #")
    expect(page.locator("#timeline")).to_contain_text("15 delivered · Incident")
    actions.click("link", "Overview")
    expect(page.locator(".summary").first).to_contain_text("All clear.")

    assert actions.number <= MAX_ACTIONS
    assert_everything_is_green(outage)


def test_an_incident_is_solved_with_the_keyboard_only(page, outage):
    page.goto("/")
    expect(page.locator("#overview-incident")).to_contain_text("127.0.0.1")

    actions = Actions(page)
    actions.press("r")
    expect(page.get_by_role("heading", level=1)).to_contain_text("15 to send")
    actions.press("Control+Enter")
    expect(page.locator("#bulk-redelivery .summary")).to_contain_text("All 15 logs were delivered.")
    actions.press("g", "o")
    expect(page.locator(".summary").first).to_contain_text("All clear.")

    assert actions.number <= MAX_ACTIONS
    assert actions.key_strokes <= MAX_KEY_STROKES
    assert_everything_is_green(outage)


def test_ctrl_enter_on_a_link_of_the_plan_opens_it_and_sends_nothing(page, outage):
    page.goto("/")
    page.get_by_role("button", name="Recover…").first.click()
    page.get_by_role("link", name="View the planned logs").focus()
    with page.context.expect_page() as opened:
        page.keyboard.press("Control+Enter")
    expect(opened.value.get_by_role("heading", level=1)).to_be_visible()
    assert BulkRedelivery.objects.get().state == BulkRedeliveryState.PLANNED
    assert outage.requests == []
