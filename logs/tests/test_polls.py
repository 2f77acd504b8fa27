"""What a page asks for again and again must cost next to nothing on the wire."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from logs import objectid
from logs.models import AttemptTrigger, State, WebhookLog

from .factories import SUBSCRIPTION, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
BUDGET = 2 * 1024
BY_HTMX = {"hx-request": "true", "accept-encoding": "gzip"}


@pytest.fixture(autouse=True)
def operator(client, member):
    client.force_login(member("Operator"))


@pytest.fixture
def log() -> WebhookLog:
    """Tried five times, and due again."""
    lane = make_subscription(url="http://127.0.0.1:9/", we_deliver=True)
    log = make_waiting_log(lane, 1, state=State.RETRYING, trigger=AttemptTrigger.MANUAL, cause="http_4xx", retry=5)
    answer = '{"error": "duplicate employee code"}' * 10
    for number in range(1, 6):
        log.attempts.create(
            number=number,
            trigger=AttemptTrigger.AUTO,
            started_at=timezone.now() - timedelta(seconds=300 - 30 * number),
            duration_ms=100 + number,
            url=lane.url,
            status=409,
            response=answer,
            cause="http_4xx",
        )
    return log


def asked_by(page: str, element: str) -> str:
    """The address that an element asks every now and then."""
    tag = re.search(rf"<[^>]*{element}[^>]*>", page)
    assert tag
    return html.unescape(re.findall(r'hx-get="([^"]+)"', tag[0])[0])


def size(client, address: str) -> int:
    answer = client.get(address, headers=BY_HTMX)
    assert answer.status_code == 200
    return len(answer.content)


def test_the_row_and_the_page_of_a_log_that_is_due(client, log):
    assert size(client, f"/logs/{log.pk}/row/?state=failed") <= BUDGET
    assert size(client, f"/logs/{log.pk}/status/") <= BUDGET


def test_the_lane_of_a_subscription(client, log):
    lane = log.subscription
    for number in range(10, 30):
        make_waiting_log(lane, number)
    page = client.get(lane.get_absolute_url()).content.decode()
    assert size(client, asked_by(page, 'id="lane"')) <= BUDGET


def test_the_live_tail_of_a_long_filter(client, log):
    client.cookies["tail"] = "on"
    words = "+".join(f"word{number}" for number in range(15))
    page = client.get(f"/logs/?state=retrying&q=-{words.replace('+', '+-')}&not_cause=tls&subscription={SUBSCRIPTION}")
    asking = asked_by(page.content.decode(), "data-tail")
    assert client.get(asking, headers=BY_HTMX).status_code == 204
    WebhookLog.objects.create(
        id=objectid.new(timezone.now()),
        subscription_id=SUBSCRIPTION,
        company=log.company,
        created_at=timezone.now(),
        state="retrying",
        event_type="COTTask",
    )
    assert size(client, asking) <= BUDGET
