"""The lane on the page of its subscription, and one log in it: what they say, and what their buttons do."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from logs.models import AuditAction, AuditEntry, Priority, State, WebhookLog

from ..factories import make_company, make_log, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true", "hx-target": "lane"}


@pytest.fixture
def operator(client, member):
    user = member("Operator")
    client.force_login(user)
    return user


@pytest.fixture
def lane():
    return make_subscription()


def page_of(client, thing) -> str:
    return " ".join(client.get(thing.get_absolute_url()).content.decode().split())


def post(client, name, pk, **data):
    return client.post(reverse(f"logs:{name}", args=[pk]), data)


def click(client, name, lane) -> str:
    """A button of the region, by htmx, which follows where the answer leads: what the region is then."""
    region = reverse("logs:queue_detail", args=[lane.pk])
    answer = client.post(reverse(f"logs:{name}", args=[lane.pk]), {"next": region}, headers=HTMX, follow=True)
    return " ".join(answer.content.decode().split())


def between_tries(log) -> WebhookLog:
    WebhookLog.objects.filter(pk=log.pk).update(
        state=State.RETRYING, turn=Priority.BETWEEN_TRIES, tries_left=2, retry=1, cause="http_5xx", status=500
    )
    log.refresh_from_db()
    return log


def held_by(lane, log) -> WebhookLog:
    """As the recorder leaves an exhausted event in a lane that is to hold."""
    lane.hold(by=None)
    type(lane).objects.filter(pk=lane.pk).update(held_log=log.pk, holds_when_exhausted=True)
    WebhookLog.objects.filter(pk=log.pk).update(state=State.FAILED, next_attempt_at=None, retry=3, cause="timeout")
    return WebhookLog.objects.get(pk=log.pk)


def test_an_empty_lane_says_so_and_does_not_ask_for_itself(client, operator, lane):
    page = page_of(client, lane)
    assert "No events are waiting." in page
    assert f'hx-get="{reverse("logs:queue_detail", args=[lane.pk])}"' not in page


def test_it_shows_its_head_the_try_and_what_waits_behind_it(client, operator, lane):
    head = between_tries(make_waiting_log(lane, 0))
    for number in range(1, 7):
        make_waiting_log(lane, number)
    page = page_of(client, lane)
    assert "Waiting for a retry" in page
    assert "attempt 2 of 3" in page
    assert "6 more waiting" in page
    assert page.index(head.get_absolute_url()) < page.index("6 more waiting")
    assert f'hx-get="{reverse("logs:queue_detail", args=[lane.pk])}" hx-trigger="every 5s"' in page


def test_hold_and_release_say_who_did_it_and_are_on_record(client, operator, lane):
    make_waiting_log(lane)
    held = click(client, "queue_pause", lane)
    assert "Paused" in held and f"{operator} paused this queue" in held
    released = click(client, "queue_resume", lane)
    assert "Paused" not in released
    record = AuditEntry.objects.filter(about=lane.pk, actor=operator).order_by("id")
    assert [entry.action for entry in record] == [AuditAction.HELD, AuditAction.RELEASED]


def test_the_rest_of_the_page_follows_the_lane(client, operator, lane):
    make_waiting_log(lane)
    held = click(client, "queue_pause", lane)
    assert '<div id="lane-notice" hx-swap-oob="true">' in held and "The queue is paused." in held
    assert '<span id="subscription-state" hx-swap-oob="true"> <span class="badge" data-state="failed">' in held
    released = click(client, "queue_resume", lane)
    assert '<div id="lane-notice" hidden hx-swap-oob="true"> </div>' in released
    assert '<span id="subscription-state" hx-swap-oob="true"> <span class="badge" data-state="flowing">' in released


def test_only_a_click_replaces_what_the_last_one_had_to_say(client, operator, lane):
    make_waiting_log(lane)
    assert 'id="messages"' in click(client, "queue_pause", lane)
    assert (
        'id="messages"' not in client.get(reverse("logs:queue_detail", args=[lane.pk]), headers=HTMX).content.decode()
    )


def test_a_second_hold_changes_nothing_and_says_so(client, operator, lane):
    post(client, "queue_pause", lane.pk)
    assert "already paused" in click(client, "queue_pause", lane)
    assert AuditEntry.objects.filter(action=AuditAction.HELD).count() == 1


def test_without_htmx_the_buttons_lead_back_to_the_subscription(client, operator, lane):
    for name in ("queue_pause", "queue_resume"):
        assert post(client, name, lane.pk).url == lane.get_absolute_url()
    assert client.get(reverse("logs:queue_detail", args=[lane.pk])).url == lane.get_absolute_url()


@pytest.mark.django_db(transaction=True)
def test_of_twenty_clicks_on_hold_one_wins(client, operator, lane):
    def click(_number) -> None:
        browser = Client()
        browser.force_login(operator)
        post(browser, "queue_pause", lane.pk)
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(click, range(20)))
    lane.refresh_from_db()
    assert lane.held_at is not None
    assert AuditEntry.objects.filter(action=AuditAction.HELD).count() == 1


def test_a_lane_that_holds_because_of_an_event_names_it_and_offers_what_can_be_done(client, operator, lane):
    log = held_by(lane, make_waiting_log(lane))
    page = page_of(client, lane)
    assert "an event failed after its last attempt" in page
    assert reverse("logs:redelivery_create", args=[log.pk]) in page
    assert reverse("logs:log_skip", args=[log.pk]) in page
    assert "This event paused its queue." in page_of(client, log)


def test_retry_now_makes_the_head_due_at_once(client, operator, lane):
    log = between_tries(make_waiting_log(lane))
    assert post(client, "log_retry", log.pk, next="/queues/").url == "/queues/"
    before = log.next_attempt_at
    log.refresh_from_db()
    assert log.next_attempt_at >= before and log.trigger == "auto"
    assert AuditEntry.objects.get(action=AuditAction.RETRIED_NOW).actor == operator


def test_retry_now_in_a_lane_on_hold_makes_a_re_delivery_of_it(client, operator, lane):
    log = make_waiting_log(lane)
    lane.hold(by=None)
    post(client, "log_retry", log.pk)
    log.refresh_from_db()
    assert (log.trigger, log.turn, log.requested_by) == ("manual", Priority.REDELIVERY, operator)


def test_retry_now_of_a_settled_log_says_that_nothing_is_left(client, operator):
    make_subscription()
    log = make_log()
    response = client.post(reverse("logs:log_retry", args=[log.pk]), follow=True)
    assert "No attempt is pending" in response.content.decode()
    log.refresh_from_db()
    assert not log.is_due


def test_skipping_asks_for_a_reason_and_the_log_tells_it(client, operator, lane):
    log = make_waiting_log(lane)
    assert "Logged in the activity" in client.get(reverse("logs:log_skip", args=[log.pk])).content.decode()
    assert post(client, "log_skip", log.pk, reason=" ").status_code == 422
    assert post(client, "log_skip", log.pk, reason="x" * 201).status_code == 422
    log.refresh_from_db()
    assert log.is_due
    assert post(client, "log_skip", log.pk, reason="<b>cancelled</b>").url == log.get_absolute_url()
    log.refresh_from_db()
    assert (log.state, log.is_due) == (State.SKIPPED, False)
    page = page_of(client, log)
    assert f"by {operator}: &lt;b&gt;cancelled&lt;/b&gt;." in page
    assert "<b>cancelled" not in page


def test_skipping_the_event_that_holds_a_lane_releases_it(client, operator, lane):
    log = held_by(lane, make_waiting_log(lane))
    post(client, "log_skip", log.pk, reason="given by phone")
    lane.refresh_from_db()
    assert (lane.held_at, lane.held_log) == (None, "")


def test_a_received_log_is_not_skipped_by_giving_its_re_delivery_up(client, operator, lane):
    log = make_waiting_log(lane, state=State.SUCCEEDED)
    post(client, "log_skip", log.pk, reason="a slip")
    log.refresh_from_db()
    assert (log.state, log.is_due) == (State.SUCCEEDED, False)


def test_what_waits_for_an_inactive_subscription_is_sent_or_skipped_by_decision(client, operator, lane):
    for number in range(3):
        make_waiting_log(lane, number)
    type(lane).objects.update(is_active=False)
    lane.refresh_from_db()
    page = page_of(client, lane)
    assert "kept until someone sends or skips them" in page and "Send waiting events (3)" in page
    assert (
        "was deactivated: 3. They will be skipped"
        in client.get(reverse("logs:queue_skip_waiting", args=[lane.pk])).content.decode()
    )
    post(client, "queue_send_waiting", lane.pk)
    lane.refresh_from_db()
    assert lane.is_draining
    assert post(client, "queue_skip_waiting", lane.pk, reason="too late").status_code == 302
    assert set(WebhookLog.objects.values_list("state", "next_attempt_at")) == {(State.SKIPPED, None)}
    entry = AuditEntry.objects.get(action=AuditAction.SKIPPED_WAITING)
    assert (entry.actor, entry.detail) == (operator, "3: too late")


def test_what_waits_for_an_active_subscription_cannot_be_skipped_as_a_whole(client, operator, lane):
    log = make_waiting_log(lane)
    assert (
        "The subscription is active" in client.get(reverse("logs:queue_skip_waiting", args=[lane.pk])).content.decode()
    )
    post(client, "queue_skip_waiting", lane.pk, reason="a slip")
    log.refresh_from_db()
    assert log.is_due


@pytest.mark.parametrize("name", ["queue_pause", "queue_resume", "queue_send_waiting", "queue_skip_waiting"])
def test_a_viewer_changes_no_lane(client, member, lane, name):
    client.force_login(member("Viewer"))
    assert post(client, name, lane.pk, reason="x").status_code == 403
    assert "Pause" not in page_of(client, lane)
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("name", ["queue_pause", "log_skip", "log_retry"])
def test_what_belongs_to_another_company_is_not_there(client, operator, name):
    foreign = make_subscription(company=make_company("625be93a286ef83c1c0e0000", "Other"))
    pk = foreign.pk if name == "queue_pause" else make_waiting_log(foreign).pk
    assert post(client, name, pk, reason="x").status_code == 404
    assert AuditEntry.objects.count() == 0


def test_an_event_that_was_not_sent_yet_claims_no_attempt_of_cotalker(client, operator, lane):
    log = make_waiting_log(lane)
    for name in ("webhook_log_detail", "webhook_log_request", "webhook_log_response"):
        page = client.get(reverse(f"logs:{name}", args=[log.pk])).content.decode()
        assert "Not sent yet." in page and "Cotalker tried" not in page
    assert "Not sent yet." in page


@pytest.mark.parametrize(("state", "word"), [(State.FAILED, "Failed."), (State.SUCCEEDED, "Delivered.")])
def test_a_settled_log_without_attempts_claims_none(client, operator, lane, state, word):
    log = make_waiting_log(lane, state=state)
    WebhookLog.objects.update(next_attempt_at=None)
    for name in ("webhook_log_detail", "webhook_log_changes", "webhook_log_request", "webhook_log_response"):
        page = " ".join(client.get(reverse(f"logs:{name}", args=[log.pk])).content.decode().split())
        assert f'<p class="lead" role="status"> {word} </p>' in page


def test_a_log_says_how_many_go_before_it_and_why_it_waits(client, operator, lane):
    make_waiting_log(lane, 0), make_waiting_log(lane, 1)
    log = make_waiting_log(lane, 2)
    assert "2 events in the queue go first." in page_of(client, log)
    lane.hold(by=None)
    assert "The queue is paused" in page_of(client, log)


def test_the_page_asks_seldom_while_a_log_waits_in_a_lane_on_hold(client, operator, lane):
    log = make_waiting_log(lane)
    assert 'hx-trigger="every 1s"' in page_of(client, log)
    lane.hold(by=None)
    assert 'hx-trigger="every 5s"' in page_of(client, log)


def test_a_test_is_marked_on_its_page_and_in_lists(client, operator, lane):
    log = make_waiting_log(lane, is_test=True)
    badge = '<span class="badge" data-state="pending">Test</span>'
    assert badge in page_of(client, log)
    assert badge in client.get(reverse("logs:webhook_log_list")).content.decode()


@pytest.mark.parametrize(
    ("fields", "is_offered"),
    [({}, True), ({"we_deliver": False}, True), ({"is_active": False}, False), ({"url": ""}, False)],
)
def test_a_test_event_is_offered_where_one_can_be_sent(client, operator, fields, is_offered):
    subscription = make_subscription(**fields)
    address = reverse("logs:test_event_create", args=[subscription.pk])
    assert (f'action="{address}"' in page_of(client, subscription)) == is_offered


def test_what_waits_is_sent_by_htmx_only_after_a_question(client, operator, lane):
    make_waiting_log(lane)
    type(lane).objects.update(is_active=False)
    page = page_of(client, lane)
    form = page[page.index(f'hx-post="{reverse("logs:queue_send_waiting", args=[lane.pk])}"') :].partition(">")[0]
    assert "hx-confirm=" in form and "data-confirm=" not in form


def test_the_row_of_a_queued_re_delivery_asks_seldom_where_its_subscription_is_not_active(client, operator, lane):
    log = make_waiting_log(lane, trigger="manual", turn=Priority.REDELIVERY)
    row = reverse("logs:webhook_log_row", args=[log.pk])
    assert f'hx-get="{row}" hx-trigger="every 1s"' in client.get(reverse("logs:webhook_log_list")).content.decode()
    type(lane).objects.update(is_active=False)
    assert f'hx-get="{row}" hx-trigger="every 5s"' in client.get(reverse("logs:webhook_log_list")).content.decode()


def test_the_list_shows_which_lanes_are_on_hold_or_blocked_and_how_many_wait(client, operator, lane):
    def row() -> str:
        page = " ".join(client.get(reverse("logs:subscription_list")).content.decode().split())
        return page[page.index("<tbody>") :]

    assert "Active" in row()
    between_tries(make_waiting_log(lane, 0))
    make_waiting_log(lane, 1)
    assert "Retrying" in row() and 'data-label="Waiting">2</td>' in row()
    lane.hold(by=None)
    assert "Paused" in row() and "Retrying" not in row()


def test_the_lane_needs_few_queries_however_much_waits(client, operator, lane, django_assert_max_num_queries):
    for number in range(8):
        make_waiting_log(lane, number)
    with django_assert_max_num_queries(12):
        client.get(reverse("logs:queue_detail", args=[lane.pk]), headers=HTMX)
