"""The queue on the page of its subscription, and one log in it: content and buttons."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from logs.models import AuditAction, AuditEntry, Priority, State, WebhookLog

from ..factories import make_company, make_log, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true", "hx-target": "queue"}


def page_of(client, row) -> str:
    return " ".join(client.get(row.get_absolute_url()).content.decode().split())


def post(client, name, pk, **data):
    return client.post(reverse(f"logs:{name}", args=[pk]), data)


def click(client, name, subscription) -> str:
    """Press a button of the region by htmx, which follows the redirect; the new region."""
    region = reverse("logs:queue_detail", args=[subscription.pk])
    answer = client.post(reverse(f"logs:{name}", args=[subscription.pk]), {"next": region}, headers=HTMX, follow=True)
    return " ".join(answer.content.decode().split())


def between_attempts(log) -> WebhookLog:
    WebhookLog.objects.filter(pk=log.pk).update(
        state=State.RETRYING, priority=Priority.RETRY, attempts_left=2, attempt_count=1, cause="http_5xx", status=500
    )
    log.refresh_from_db()
    return log


def paused_by(subscription, log) -> WebhookLog:
    """An exhausted event in a queue that pauses, as the outcome writer stores it."""
    subscription.pause(by=None)
    type(subscription).objects.filter(pk=subscription.pk).update(blocking_log=log.pk, pause_on_exhausted=True)
    WebhookLog.objects.filter(pk=log.pk).update(
        state=State.FAILED, next_attempt_at=None, attempt_count=3, cause="timeout"
    )
    return WebhookLog.objects.get(pk=log.pk)


def test_an_empty_queue_says_so_and_does_not_poll(client, operator, subscription):
    page = page_of(client, subscription)
    assert "No events are waiting." in page
    assert f'hx-get="{reverse("logs:queue_detail", args=[subscription.pk])}"' not in page


def test_a_queue_shows_its_next_event_the_attempt_and_the_length(client, operator, subscription):
    next_event = between_attempts(make_waiting_log(subscription, 0))
    for number in range(1, 7):
        make_waiting_log(subscription, number)
    page = page_of(client, subscription)
    assert "Waiting for a retry" in page
    assert "attempt 2 of 3" in page
    assert "6 more waiting" in page
    assert page.index(next_event.get_absolute_url()) < page.index("6 more waiting")
    assert f'hx-get="{reverse("logs:queue_detail", args=[subscription.pk])}" hx-trigger="every 5s"' in page


def test_pause_and_resume_name_the_user_and_are_audited(client, operator, subscription):
    make_waiting_log(subscription)
    paused = click(client, "queue_pause", subscription)
    assert "Paused" in paused and f"{operator} paused this queue" in paused
    resumed = click(client, "queue_resume", subscription)
    assert "Paused" not in resumed
    record = AuditEntry.objects.filter(target=subscription.pk, actor=operator).order_by("id")
    assert [entry.action for entry in record] == [AuditAction.QUEUE_PAUSED, AuditAction.QUEUE_RESUMED]


def test_the_rest_of_the_page_follows_the_queue(client, operator, subscription):
    make_waiting_log(subscription)
    paused = click(client, "queue_pause", subscription)
    assert '<div id="queue-notice" hx-swap-oob="true">' in paused and "The queue is paused." in paused
    assert '<span id="subscription-state" hx-swap-oob="true"> <span class="badge" data-state="failed">' in paused
    resumed = click(client, "queue_resume", subscription)
    assert '<div id="queue-notice" hidden hx-swap-oob="true"> </div>' in resumed
    assert '<span id="subscription-state" hx-swap-oob="true"> <span class="badge" data-state="active">' in resumed


def test_only_a_click_replaces_the_last_message(client, operator, subscription):
    make_waiting_log(subscription)
    assert 'id="messages"' in click(client, "queue_pause", subscription)
    page = client.get(reverse("logs:queue_detail", args=[subscription.pk]), headers=HTMX).content.decode()
    assert 'id="messages"' not in page


def test_a_second_pause_changes_nothing_and_says_so(client, operator, subscription):
    post(client, "queue_pause", subscription.pk)
    assert "already paused" in click(client, "queue_pause", subscription)
    assert AuditEntry.objects.filter(action=AuditAction.QUEUE_PAUSED).count() == 1


def test_the_buttons_lead_back_to_the_subscription_without_htmx(client, operator, subscription):
    for name in ("queue_pause", "queue_resume"):
        assert post(client, name, subscription.pk).url == subscription.get_absolute_url()
    assert client.get(reverse("logs:queue_detail", args=[subscription.pk])).url == subscription.get_absolute_url()


@pytest.mark.django_db(transaction=True)
def test_only_one_of_twenty_clicks_pauses_the_queue(client, operator, subscription):
    def click(_number) -> None:
        browser = Client()
        browser.force_login(operator)
        post(browser, "queue_pause", subscription.pk)
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(click, range(20)))
    subscription.refresh_from_db()
    assert subscription.paused_at is not None
    assert AuditEntry.objects.filter(action=AuditAction.QUEUE_PAUSED).count() == 1


def test_a_queue_paused_by_an_event_names_it_and_offers_actions(client, operator, subscription):
    log = paused_by(subscription, make_waiting_log(subscription))
    page = page_of(client, subscription)
    assert "an event failed after its last attempt" in page
    assert reverse("logs:redelivery_create", args=[log.pk]) in page
    assert reverse("logs:log_skip", args=[log.pk]) in page
    assert "This event paused its queue." in page_of(client, log)


def test_retry_now_sends_the_next_event_at_once(client, operator, subscription):
    log = between_attempts(make_waiting_log(subscription))
    assert post(client, "log_retry", log.pk, next="/queues/").url == "/queues/"
    before = log.next_attempt_at
    log.refresh_from_db()
    assert log.next_attempt_at >= before and log.trigger == "auto"
    assert AuditEntry.objects.get(action=AuditAction.RETRIED_NOW).actor == operator


def test_retry_now_in_a_paused_queue_queues_a_redelivery(client, operator, subscription):
    log = make_waiting_log(subscription)
    subscription.pause(by=None)
    post(client, "log_retry", log.pk)
    log.refresh_from_db()
    assert (log.trigger, log.priority, log.requested_by) == ("manual", Priority.REDELIVERY, operator)


def test_retry_now_of_a_finished_log_says_that_nothing_waits(client, operator):
    make_subscription()
    log = make_log()
    response = client.post(reverse("logs:log_retry", args=[log.pk]), follow=True)
    assert "No attempt is pending" in response.content.decode()
    log.refresh_from_db()
    assert not log.is_queued


def test_skipping_needs_a_reason_and_the_log_shows_it(client, operator, subscription):
    log = make_waiting_log(subscription)
    assert "Logged in the activity" in client.get(reverse("logs:log_skip", args=[log.pk])).content.decode()
    assert post(client, "log_skip", log.pk, reason=" ").status_code == 422
    assert post(client, "log_skip", log.pk, reason="x" * 201).status_code == 422
    log.refresh_from_db()
    assert log.is_queued
    assert post(client, "log_skip", log.pk, reason="<b>cancelled</b>").url == log.get_absolute_url()
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.SKIPPED, False)
    page = page_of(client, log)
    assert f"by {operator}: &lt;b&gt;cancelled&lt;/b&gt;." in page
    assert "<b>cancelled" not in page


def test_skipping_the_event_that_blocks_a_queue_resumes_it(client, operator, subscription):
    log = paused_by(subscription, make_waiting_log(subscription))
    post(client, "log_skip", log.pk, reason="given by phone")
    subscription.refresh_from_db()
    assert (subscription.paused_at, subscription.blocking_log) == (None, "")


def test_cancelling_the_redelivery_of_a_delivered_log_does_not_skip_it(client, operator, subscription):
    log = make_waiting_log(subscription, state=State.DELIVERED)
    post(client, "log_skip", log.pk, reason="a slip")
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.DELIVERED, False)


def test_a_user_sends_or_skips_the_events_of_an_inactive_subscription(client, operator, subscription):
    for number in range(3):
        make_waiting_log(subscription, number)
    type(subscription).objects.update(is_active=False)
    subscription.refresh_from_db()
    page = page_of(client, subscription)
    assert "kept until someone sends or skips them" in page and "Send waiting events (3)" in page
    assert (
        "was deactivated: 3. They will be skipped"
        in client.get(reverse("logs:queue_skip_waiting", args=[subscription.pk])).content.decode()
    )
    post(client, "queue_send_waiting", subscription.pk)
    subscription.refresh_from_db()
    assert subscription.is_draining
    assert post(client, "queue_skip_waiting", subscription.pk, reason="too late").status_code == 302
    assert set(WebhookLog.objects.values_list("state", "next_attempt_at")) == {(State.SKIPPED, None)}
    entry = AuditEntry.objects.get(action=AuditAction.SKIPPED_WAITING)
    assert (entry.actor, entry.detail) == (operator, "3: too late")


def test_the_events_of_an_active_subscription_cannot_all_be_skipped(client, operator, subscription):
    log = make_waiting_log(subscription)
    page = client.get(reverse("logs:queue_skip_waiting", args=[subscription.pk])).content.decode()
    assert "The subscription is active" in page
    post(client, "queue_skip_waiting", subscription.pk, reason="a slip")
    log.refresh_from_db()
    assert log.is_queued


@pytest.mark.parametrize("name", ["queue_pause", "queue_resume", "queue_send_waiting", "queue_skip_waiting"])
def test_a_viewer_changes_no_queue(client, member, subscription, name):
    client.force_login(member("Viewer"))
    assert post(client, name, subscription.pk, reason="x").status_code == 403
    assert "Pause" not in page_of(client, subscription)
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("name", ["queue_pause", "log_skip", "log_retry"])
def test_queues_of_another_company_are_not_found(client, operator, name):
    foreign = make_subscription(company=make_company("625be93a286ef83c1c0e0000", "Other"))
    pk = foreign.pk if name == "queue_pause" else make_waiting_log(foreign).pk
    assert post(client, name, pk, reason="x").status_code == 404
    assert AuditEntry.objects.count() == 0


def test_an_unsent_event_shows_no_attempt_of_cotalker(client, operator, subscription):
    log = make_waiting_log(subscription)
    for name in ("webhook_log_detail", "webhook_log_request", "webhook_log_response"):
        page = client.get(reverse(f"logs:{name}", args=[log.pk])).content.decode()
        assert "Not sent yet." in page and "Cotalker tried" not in page
    assert "Not sent yet." in page


@pytest.mark.parametrize(("state", "word"), [(State.FAILED, "Failed."), (State.DELIVERED, "Delivered.")])
def test_a_finished_log_without_attempts_shows_none(client, operator, subscription, state, word):
    log = make_waiting_log(subscription, state=state)
    WebhookLog.objects.update(next_attempt_at=None)
    for name in ("webhook_log_detail", "webhook_log_changes", "webhook_log_request", "webhook_log_response"):
        page = " ".join(client.get(reverse(f"logs:{name}", args=[log.pk])).content.decode().split())
        assert f'<p class="summary" role="status"> {word} </p>' in page


def test_a_log_says_how_many_precede_it_and_why_it_waits(client, operator, subscription):
    make_waiting_log(subscription, 0), make_waiting_log(subscription, 1)
    log = make_waiting_log(subscription, 2)
    assert "2 events in the queue go first." in page_of(client, log)
    subscription.pause(by=None)
    assert "The queue is paused" in page_of(client, log)


def test_the_page_polls_rarely_while_a_log_waits_in_a_paused_queue(client, operator, subscription):
    log = make_waiting_log(subscription)
    assert 'hx-trigger="every 1s"' in page_of(client, log)
    subscription.pause(by=None)
    assert 'hx-trigger="every 5s"' in page_of(client, log)


def test_a_test_event_is_marked_on_its_page_and_in_lists(client, operator, subscription):
    log = make_waiting_log(subscription, is_test=True)
    badge = '<span class="badge" data-state="pending">Test</span>'
    assert badge in page_of(client, log)
    assert badge in client.get(reverse("logs:webhook_log_list")).content.decode()


@pytest.mark.parametrize(
    ("fields", "is_offered"),
    [({}, True), ({"is_delivered_here": False}, True), ({"is_active": False}, False), ({"url": ""}, False)],
)
def test_a_test_event_is_offered_if_one_can_be_sent(client, operator, fields, is_offered):
    subscription = make_subscription(**fields)
    address = reverse("logs:test_event_create", args=[subscription.pk])
    assert (f'action="{address}"' in page_of(client, subscription)) == is_offered


def test_htmx_sends_waiting_events_only_after_a_confirmation(client, operator, subscription):
    make_waiting_log(subscription)
    type(subscription).objects.update(is_active=False)
    page = page_of(client, subscription)
    address = reverse("logs:queue_send_waiting", args=[subscription.pk])
    form = page[page.index(f'hx-post="{address}"') :].partition(">")[0]
    assert "hx-confirm=" in form and "data-confirm=" not in form


def test_the_row_of_a_queued_redelivery_polls_rarely_if_its_subscription_is_inactive(client, operator, subscription):
    log = make_waiting_log(subscription, trigger="manual", priority=Priority.REDELIVERY)
    row = reverse("logs:webhook_log_row", args=[log.pk])

    def shown() -> str:
        return " ".join(client.get(reverse("logs:webhook_log_list")).content.decode().split())

    assert f'hx-get="{row}" hx-trigger="every 1s"' in shown()
    type(subscription).objects.update(is_active=False)
    assert f'hx-get="{row}" hx-trigger="every 5s"' in shown()


def test_the_list_shows_which_queues_are_paused_or_blocked_and_how_many_wait(client, operator, subscription):
    def row() -> str:
        page = " ".join(client.get(reverse("logs:subscription_list")).content.decode().split())
        return page[page.index("<tbody>") :]

    assert "Active" in row()
    between_attempts(make_waiting_log(subscription, 0))
    make_waiting_log(subscription, 1)
    assert "Retrying" in row() and 'data-label="Waiting">2</td>' in row()
    subscription.pause(by=None)
    assert "Paused" in row() and "Retrying" not in row()


def test_the_number_of_queries_does_not_grow_with_the_queue(
    client, operator, subscription, django_assert_max_num_queries
):
    for number in range(8):
        make_waiting_log(subscription, number)
    with django_assert_max_num_queries(12):
        client.get(reverse("logs:queue_detail", args=[subscription.pk]), headers=HTMX)
