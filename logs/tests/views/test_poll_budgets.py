"""Responses to polls stay small."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import AttemptTrigger, ItemOutcome, State, WebhookLog

from ..bulk_redeliveries import start_redelivery
from ..factories import SUBSCRIPTION, make_log, make_subscription, make_waiting_log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
BUDGET = 2 * 1024
BY_HTMX = {"hx-request": "true", "accept-encoding": "gzip"}


@pytest.fixture
def log() -> WebhookLog:
    """Attempted five times, and queued again."""
    subscription = make_subscription(url="http://127.0.0.1:9/", is_delivered_here=True)
    log = make_waiting_log(
        subscription, 1, state=State.RETRYING, trigger=AttemptTrigger.MANUAL, cause="http_4xx", attempt_count=5
    )
    answer = '{"error": "duplicate employee code"}' * 10
    for number in range(1, 6):
        log.attempts.create(
            number=number,
            trigger=AttemptTrigger.AUTO,
            started_at=timezone.now() - timedelta(seconds=300 - 30 * number),
            duration_ms=100 + number,
            url=subscription.url,
            status=409,
            response=answer,
            cause="http_4xx",
        )
    return log


def polled_by(page: str, element: str) -> str:
    """The URL that an element polls."""
    tag = re.search(rf"<[^>]*{element}[^>]*>", page)
    assert tag
    return html.unescape(re.findall(r'hx-get="([^"]+)"', tag[0])[0])


def size(client, address: str) -> int:
    answer = client.get(address, headers=BY_HTMX)
    assert answer.status_code == 200
    return len(answer.content)


def test_the_row_and_the_page_of_a_queued_log_stay_within_the_budget(client, log):
    assert size(client, f"/logs/{log.pk}/row/?state=failed") <= BUDGET
    assert size(client, f"/logs/{log.pk}/status/") <= BUDGET


def test_the_queue_of_a_subscription_stays_within_the_budget(client, log):
    subscription = log.subscription
    for number in range(10, 30):
        make_waiting_log(subscription, number)
    page = client.get(subscription.get_absolute_url()).content.decode()
    assert size(client, polled_by(page, 'id="queue"')) <= BUDGET


def test_a_bulk_redelivery_of_many_subscriptions_stays_within_the_budget(client, member):
    """The part below, with names, failures and the latest results, is polled less often."""
    user = member("Operator")
    client.force_login(user)
    logs = []
    for number in range(40):
        subscription = make_subscription(
            f"62685990d918fb5557f9{number:04x}", name=f"Orders of region {number}", url="http://a.b/"
        )
        logs += [make_log(number * 10 + of, subscription=subscription.pk) for of in range(2)]
    bulk = start_redelivery(user, logs)
    bulk.items.filter(number__lte=60).update(
        outcome=ItemOutcome.FAILED, status=503, cause="http_5xx", attempt_number=4, finished_at=timezone.now()
    )
    page = client.get(bulk.get_absolute_url()).content.decode()
    for element, budget in (("bulk-live", BUDGET), ("bulk-parts", BUDGET * 5 / 4)):
        answer = client.get(polled_by(page, f'id="{element}"'), headers=BY_HTMX | {"hx-target": element})
        assert len(answer.content) <= budget


def test_the_live_tail_of_a_long_filter_stays_within_the_budget(client, log):
    client.cookies["tail"] = "on"
    words = "+".join(f"word{number}" for number in range(15))
    page = client.get(f"/logs/?state=retrying&q=-{words.replace('+', '+-')}&not_cause=tls&subscription={SUBSCRIPTION}")
    polled = polled_by(page.content.decode(), "data-live-tail")
    assert client.get(polled, headers=BY_HTMX).status_code == 204
    WebhookLog.objects.create(
        id=objectid.new_objectid(timezone.now()),
        subscription_id=SUBSCRIPTION,
        company=log.company,
        created_at=timezone.now(),
        state="retrying",
        event_type="COTTask",
    )
    assert size(client, polled) <= BUDGET


def test_the_poll_of_every_page_stays_within_the_budget(client, log):
    polled = polled_by(client.get("/").content.decode(), 'id="live-seen"')
    assert polled == "/live/"
    assert size(client, polled) <= BUDGET
