"""The main job as a new user does it: import, find, open, redeliver. The requests of the receiver decide."""

from __future__ import annotations

import json
import re
import threading
from time import monotonic  # noqa: TID251  a deadline

import pytest
from playwright.sync_api import Locator, Page, expect

from logs.models import Payload, WebhookLog

from ..factories import SAMPLES, log_document, make_log, make_subscription, make_waiting_log, sample
from .conftest import PASSWORD, PATIENCE_MS

FAILED = sample("webhook_log_task_create_failed")
NAME = FAILED["event"]["data"]["name"]
# Of another object: a newer event of the same would supersede the failed one.
ANOTHER = FAILED["event"]["data"] | {"_id": "62742b7562f37034d9390001"}
DELIVERED = log_document(1, {"data": ANOTHER}, status=200, retry=1, response="ok")


@pytest.fixture
def failed_log(subscription) -> WebhookLog:
    return make_log()


@pytest.fixture
def delivered_log(subscription) -> WebhookLog:
    return make_log(1, status=200, retry=1, response="ok")


def sign_in(page: Page, at: str) -> None:
    page.goto(at)
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def upload(page: Page, kind: str, content: bytes) -> Locator:
    """Upload a file in the browser; the region of its progress."""
    page.goto("/imports/")
    page.locator(f"input[name=kind][value={kind}]").check()
    file = {"name": f"{kind}.json", "mimeType": "application/json", "buffer": content}
    page.locator("input[type=file][name=file]").set_input_files(file)
    page.locator("main form").get_by_role("button", name="Import").click()
    expect(page).to_have_url(re.compile(r"/imports/\d+/$"))
    return page.locator("#import-progress")


def subscription_file(url: str) -> bytes:
    return json.dumps([sample("webhook_subscription") | {"url": url}]).encode()


def badge(within: Page | Locator) -> Locator:
    """The badge of the state in the head of a log's page, or in a row."""
    return within.locator(".page-header .badge, td.state .badge").first


def redeliver_button(page: Page) -> Locator:
    return page.locator("#log-status").get_by_role("button", name="Redeliver")


def refresh_until(page: Page, seen: Locator) -> None:
    """What a person without JavaScript does: press Refresh until it is there."""
    give_up_at = monotonic() + PATIENCE_MS / 1000
    page.wait_for_load_state()
    while not seen.count():
        assert monotonic() < give_up_at, page.locator("main").inner_text()
        with (
            page.expect_navigation()
        ):  # otherwise it would check the previous page, and the next one may have no Refresh
            page.get_by_role("link", name="Refresh").click()


def test_a_new_user_imports_finds_opens_and_redelivers(open_page, administrator, worker, receiver):
    page = open_page()
    sign_in(page, at="/imports/")
    expect(page).to_have_url(re.compile("/imports/$"))

    progress = upload(page, "subscriptions", subscription_file(receiver.url))
    expect(progress).to_contain_text("1 document read: 1 new, 0 unchanged, 0 updated, 0 rejected.")
    failed = (SAMPLES / "webhook_log_task_create_failed.json").read_bytes()
    content = b"[" + failed + b"," + json.dumps(DELIVERED).encode() + b"]"
    progress = upload(page, "logs", content)
    expect(progress).to_contain_text("2 documents read: 2 new, 0 unchanged, 0 updated, 0 rejected.")
    page.get_by_role("link", name="Show the logs").click()

    rows = page.locator("[data-rows] tr")
    expect(rows).to_have_count(2)
    page.locator("#facets input[name=state][value=failed]").check()
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?(.*&)?state=failed(&|$)"))
    expect(page.get_by_role("link", name="Remove: State Failed")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(2)
    expect(page.locator("#facets input[name=state][value=failed]")).not_to_be_checked()
    page.go_forward()
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.locator("#facets input[name=state][value=failed]")).to_be_checked()

    page.get_by_role("link", name=NAME, exact=True).click()
    expect(page).to_have_url(
        re.compile(rf"/logs/{FAILED['_id']}/\?(.*&)?state=failed(&|$)")
    )  # of the list it was opened from
    tree = page.locator(".tree")
    expect(tree.locator("summary > .key", has_text=re.compile("^data$"))).to_be_visible()
    node = tree.locator("details:not([open])", has=page.locator("summary", has_text="answers"))
    node.locator("summary").click()
    expect(tree.locator("details", has_text="answers").last).to_contain_text(FAILED["event"]["data"]["answers"][0])

    page.get_by_role("link", name="Changes", exact=True).click()
    expect(page).to_have_url(re.compile(r"/changes/\?(.*&)?state=failed(&|$)"))
    expect(page.locator("#panel")).to_contain_text("No changes")

    page.evaluate("window.isStillTheSamePage = true")
    redeliver_button(page).click()
    expect(badge(page)).to_have_text("Delivered")
    expect(page.locator(".timeline")).to_contain_text("Delivered on attempt 4")
    assert page.evaluate("window.isStillTheSamePage")

    (received,) = receiver.requests
    event = Payload.objects.get(pk=FAILED["_id"]).event.encode()
    assert received.body == event
    assert event in content  # as it was in the file, byte for byte
    assert received.headers["webhook-id"] == FAILED["_id"]
    assert int(received.headers["webhook-timestamp"]) > 1_600_000_000


def test_the_main_job_works_without_javascript(open_page, administrator, worker, receiver):
    page = open_page(java_script_enabled=False)
    sign_in(page, at="/imports/")
    for kind, content in (("subscriptions", subscription_file(receiver.url)), ("logs", json.dumps(FAILED).encode())):
        progress = upload(page, kind, content)
        refresh_until(page, progress.get_by_text("1 document read: 1 new, 0 unchanged, 0 updated, 0 rejected."))
    page.get_by_role("link", name="Show the logs").click()
    page.locator("#facets input[name=state][value=failed]").check()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]state=failed(&|$)"))
    page.get_by_role("link", name=NAME, exact=True).click()
    redeliver_button(page).click()
    refresh_until(page, page.locator(".page-header .badge", has_text="Delivered"))
    page.get_by_role("link", name="Redeliver…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redeliver a log that was already delivered?")
    assert [received.headers["webhook-id"] for received in receiver.requests] == [FAILED["_id"]]


def test_a_lazy_node_opens_without_javascript(open_page, administrator, failed_log):
    page = open_page(administrator, java_script_enabled=False)
    page.goto(failed_log.get_absolute_url())
    node = page.locator(".tree details", has=page.locator("> summary", has_text="answers"))
    node.locator("summary").click()
    node.get_by_role("link", name="Open").click()
    expect(page.locator("main")).to_contain_text(FAILED["event"]["data"]["answers"][0])


def test_a_row_of_the_explorer_becomes_delivered_by_itself(page, worker, receiver, failed_log):
    page.goto("/logs/")
    page.evaluate("window.isStillTheSamePage = true")
    row = page.locator(f'tr[data-log="{failed_log.pk}"]')
    row.get_by_role("button", name="Redeliver").click()
    question = page.get_by_role("dialog", name=f"Redeliver {NAME}")
    question.get_by_role("button", name="Cancel").click()
    assert receiver.requests == []
    row.get_by_role("button", name="Redeliver").click()
    question.get_by_role("button", name="Redeliver").click()
    expect(badge(row)).to_have_text("Delivered")
    expect(badge(row)).to_have_attribute("data-state", "delivered")
    expect(row).not_to_have_attribute("hx-trigger", re.compile("."))
    assert page.evaluate("window.isStillTheSamePage")
    assert len(receiver.requests) == 1


def test_a_row_of_a_subscription_page_becomes_delivered_by_itself(page, worker, subscription, failed_log):
    page.goto(subscription.get_absolute_url())
    row = page.locator("[data-rows] tr")
    row.get_by_role("button", name="Redeliver").click()
    page.get_by_role("dialog").get_by_role("button", name="Redeliver").click()
    expect(badge(row)).to_have_text("Delivered")


def test_a_double_click_sends_once(page, worker, receiver, failed_log):
    page.goto(failed_log.get_absolute_url())
    redeliver_button(page).dblclick()
    expect(badge(page)).to_have_text("Delivered")
    assert len(receiver.requests) == 1
    assert failed_log.attempts.filter(trigger="manual").count() == 1


def test_two_people_who_redeliver_at_the_same_time_send_once(open_page, administrator, worker, receiver, failed_log):
    receiver.gate = threading.Event()
    pages = open_page(administrator), open_page(administrator)
    for page in pages:
        page.goto(failed_log.get_absolute_url())
    for page in pages:
        redeliver_button(page).click()
        expect(page.get_by_role("button", name="Redelivery is queued")).to_be_disabled()
    receiver.gate.set()
    for page in pages:
        expect(badge(page)).to_have_text("Delivered")
    assert len(receiver.requests) == 1


def test_the_second_of_two_people_learns_that_the_log_was_delivered(
    open_page, administrator, complaints, worker, receiver, failed_log
):
    complaints.expected_statuses.add(422)
    first, second = open_page(administrator), open_page(administrator)
    for page in (first, second):
        page.goto(failed_log.get_absolute_url())
    redeliver_button(first).click()
    expect(badge(first)).to_have_text("Delivered")
    redeliver_button(second).click()
    expect(second).to_have_url(re.compile(r"/redeliveries/new/"))
    assert len(receiver.requests) == 1


def test_the_page_of_a_log_in_flight_says_so_and_offers_no_second_attempt(page, worker, receiver, failed_log):
    receiver.gate = threading.Event()
    page.goto(failed_log.get_absolute_url())
    redeliver_button(page).click()
    expect(page.get_by_role("button", name="Redelivery is queued")).to_be_disabled()
    expect(badge(page)).to_have_text("Pending")
    receiver.gate.set()
    expect(badge(page)).to_have_text("Delivered")


def test_a_failing_receiver_leaves_the_log_failed_with_the_attempt_recorded(page, worker, receiver, failed_log):
    receiver.status, receiver.body = 500, b"out of order"
    page.goto(failed_log.get_absolute_url())
    redeliver_button(page).click()
    latest = page.locator(".timeline > li").last
    expect(latest).to_contain_text("Attempt 6 failed")
    expect(latest).to_contain_text("500")
    expect(latest).to_contain_text("out of order")
    expect(badge(page)).to_have_text("Failed")
    expect(page.locator("#log-facts")).to_contain_text("FAILED, 500")
    expect(redeliver_button(page)).to_be_enabled()
    assert len(receiver.requests) == 3


def test_a_delivered_log_is_sent_again_after_a_confirmation(page, worker, receiver, delivered_log):
    page.goto(delivered_log.get_absolute_url())
    page.get_by_role("link", name="Redeliver…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redeliver a log that was already delivered?")
    assert receiver.requests == []
    page.get_by_role("button", name="Redeliver again").click()
    expect(page.locator(".timeline")).to_contain_text("Delivered on attempt 2")
    assert [received.headers["webhook-id"] for received in receiver.requests] == [delivered_log.pk]


def test_a_delivered_log_that_fails_when_sent_again_stays_delivered(page, worker, receiver, delivered_log):
    receiver.status = 503
    page.goto(f"{delivered_log.get_absolute_url()}redeliveries/new/")
    page.get_by_role("button", name="Redeliver again").click()
    expect(page.locator(".timeline")).to_contain_text("Attempt 2 failed")
    expect(badge(page)).to_have_text("Delivered")


@pytest.mark.parametrize("part", ["", "response/"])
def test_a_superseded_log_is_redelivered_without_browser_errors(page, transactional_db, part):
    """The page names the newest logs of an object, and this one is not among them."""
    make_subscription(url="http://127.0.0.1:9/")
    log, *_ = [make_log(number) for number in range(8)]
    page.goto(log.get_absolute_url() + part)
    redeliver_button(page).click()
    expect(page.locator("#log-status")).to_contain_text("Next attempt is queued")
    with page.expect_response(f"**{log.get_absolute_url()}status/") as polled:  # it polls
        pass
    assert polled.value.ok


@pytest.mark.parametrize("part", ["", "response/", "request/"])
def test_an_event_is_retried_from_every_tab_without_browser_errors(page, transactional_db, part):
    subscription = make_subscription(url="http://127.0.0.1:9/")
    log = make_waiting_log(subscription)
    subscription.pause(by=None)
    page.goto(log.get_absolute_url() + part)
    with page.expect_response(f"**{log.get_absolute_url()}retry/") as answered:
        page.locator("#log-status").get_by_role("button", name="Retry now").click()
    assert answered.value.ok
    with page.expect_response(f"**{log.get_absolute_url()}status/") as polled:
        pass
    assert polled.value.ok


def test_a_masked_value_is_revealed_without_browser_errors(page, transactional_db):
    make_subscription()
    log = make_log(0, {"data": FAILED["event"]["data"] | {"password": "s3cret-9"}})
    page.goto(log.get_absolute_url())
    expect(page.locator("main")).not_to_contain_text("s3cret-9")
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("main")).to_contain_text("s3cret-9")


def test_a_response_after_leaving_its_tab_causes_no_browser_errors(page, transactional_db):
    subscription = make_subscription(url="http://127.0.0.1:9/")
    log = make_waiting_log(subscription)
    subscription.pause(by=None)
    page.goto(f"{log.get_absolute_url()}response/")
    routes = []
    page.route("**/status/", lambda route: routes.append(route))
    with page.expect_request("**/status/"):  # the page polls
        pass
    page.get_by_role("link", name="Request", exact=True).click()
    expect(page).to_have_url(re.compile("/request/$"))
    with page.expect_response("**/status/") as answered:
        routes[0].continue_()
    assert 'id="response-part"' in answered.value.text()
    expect(page.locator("#log-status")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#response-part").get_by_text("Not sent yet.")).to_be_hidden()


def test_a_log_without_a_url_says_what_is_missing(page, transactional_db):
    make_subscription(url="")
    log = make_log()
    page.goto(log.get_absolute_url())
    expect(redeliver_button(page)).to_be_disabled()
    expect(page.locator("#log-status")).to_contain_text("Its subscription has no URL yet.")


def test_an_ended_session_returns_after_signing_in(page, complaints, failed_log):
    complaints.expected_statuses.add(401)
    page.goto("/logs/")
    page.context.clear_cookies(name="sessionid")
    page.locator("#facets input[name=state][value=failed]").click()
    expect(page).to_have_url(re.compile(r"/sign-in/\?next=/logs/"))
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/logs/$"))
