"""Pages about many queues: their cost does not grow with queues that they do not show."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from logs.cotalker import objectid
from logs.delivery import queue_summary
from logs.models import Priority, State, Subscription, WebhookLog, next_sequence
from logs.stats import overview
from logs.views.subscriptions import detail_page

from ..buffers import rows_read
from ..bulk_redeliveries import plan_logs, start_redelivery
from ..factories import make_company, make_subscription
from ..html import text_of

pytestmark = pytest.mark.django_db
SUBSCRIPTION_COUNT = 60
MORE = 50  # logs in each queue: so many that PostgreSQL doesn't choose to read all of them, whatever tests before have left
SUBSCRIPTIONS = reverse("logs:subscription_list")
PLAN, BULK = "a plan of all", "a bulk redelivery of all"


def create_subscriptions(count: int) -> list[Subscription]:
    """Paused, each with a log that failed."""
    company, now = make_company(), timezone.now()
    subscriptions = Subscription.objects.bulk_create(
        Subscription(
            name=f"Queue {number:02}",
            code=f"queue_{number}",
            trigger="logout-user",
            url="http://e.example",
            company=company,
        )
        for number in range(count)
    )
    Subscription.objects.update(paused_at=now)
    for number, subscription in enumerate(subscriptions):
        make_failed_log(subscription, number)
    return subscriptions


def make_failed_log(subscription: Subscription, number: int) -> None:
    failed = {"state": State.FAILED, "cause": "http_5xx", "response": "no", "attempt_count": 3}
    make(subscription, 1, fingerprint=f"{number}", **failed)


def wait_in(subscription: Subscription, count: int) -> None:
    waiting = {"state": State.PENDING, "priority": Priority.NORMAL, "attempts_left": 3}
    make(subscription, count, next_attempt_at=timezone.now(), **waiting)


def make(subscription: Subscription, count: int, **fields) -> None:
    at = timezone.now() - timedelta(hours=1)
    WebhookLog.objects.bulk_create(
        WebhookLog(
            id=objectid.new_objectid(at),
            subscription=subscription,
            company=subscription.company_id,
            created_at=at,
            sequence=next_sequence(subscription.pk) if "priority" in fields else None,
            **fields,
        )
        for _ in range(count)
    )


def rows_read_by(call: Callable[[], object]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE logs_webhooklog, logs_subscription")  # so that the plan is not chosen by chance
    before = rows_read()
    call()
    return rows_read() - before


@pytest.mark.parametrize(
    "path",
    ["/", SUBSCRIPTIONS, f"{SUBSCRIPTIONS}?sort=-waiting", f"{SUBSCRIPTIONS}?sort=name", PLAN, BULK],
)
def test_the_rows_read_do_not_grow_with_the_queues(client, operator, monkeypatch, path):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 30)
    monkeypatch.setattr(detail_page, "MOST_ROWS", 5)
    subscriptions = create_subscriptions(SUBSCRIPTION_COUNT)
    make_bulk = {PLAN: plan_logs, BULK: start_redelivery}.get(path)
    address = make_bulk(operator, WebhookLog.objects.failed()).get_absolute_url() if make_bulk else path

    def look() -> None:
        assert client.get(address).status_code == 200

    for subscription in subscriptions:
        wait_in(subscription, 2)
    few = rows_read_by(look)
    for subscription in subscriptions:
        wait_in(subscription, MORE)
    # As many more are counted of each queue that is shown, and no more than the limit of all together.
    shown = overview.TOP_SHOWN + overview.BLOCKED_SHOWN
    assert rows_read_by(look) - few <= MORE * shown + queue_summary.COUNT_LIMIT + SUBSCRIPTION_COUNT
    assert MORE * shown + queue_summary.COUNT_LIMIT + SUBSCRIPTION_COUNT < MORE * SUBSCRIPTION_COUNT / 3 * 2


def names(client: Client, sort: str) -> list[tuple[str, str]]:
    """The subscriptions in their order, each with what waits."""
    page = client.get(SUBSCRIPTIONS, {"sort": sort}).content.decode()
    rows = re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2], re.DOTALL)
    cells = [re.search(r'<a[^>]*>(Queue \d+)</a>.*data-label="Waiting">(.*?)</td>', row, re.DOTALL) for row in rows]
    return [cell.groups() for cell in cells]


@pytest.mark.parametrize(
    ("sort", "shown"),
    [
        ("-waiting", [("Queue 03", "9"), ("Queue 01", "7"), ("Queue 02", "3")]),
        ("waiting", [("Queue 00", "1"), ("Queue 02", "3"), ("Queue 01", "7")]),
    ],
)
def test_the_longest_queues_are_shown_in_the_order_of_their_length(client, operator, monkeypatch, sort, shown):
    monkeypatch.setattr(detail_page, "MOST_ROWS", 3)
    subscriptions = create_subscriptions(5)
    for subscription, number in zip(subscriptions, (1, 7, 3, 9), strict=False):
        wait_in(subscription, number)
    assert names(client, sort) == shown


def test_the_overview_says_when_more_events_wait_than_it_counts(client, operator, monkeypatch):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 4)
    for subscription in create_subscriptions(2):
        wait_in(subscription, 3)
    page = text_of(client.get("/"))
    assert "Waiting now 4+" in page


def test_a_queue_is_counted_up_to_the_limit(client, operator, monkeypatch):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 4)
    [subscription] = create_subscriptions(1)
    wait_in(subscription, 4)
    assert names(client, "name") == [("Queue 00", "4")]
    wait_in(subscription, 1)
    assert names(client, "name") == [("Queue 00", "4+")]
    assert "4+ more waiting" in text_of(client.get("/"))


def test_a_waiting_redelivery_is_counted_too(client, operator):
    """It precedes the waiting events and has its own priority."""
    subscription = make_subscription(name="Queue 00")
    again = {"state": State.FAILED, "cause": "http_5xx", "priority": Priority.REDELIVERY, "attempts_left": 1}
    make(subscription, 1, next_attempt_at=timezone.now(), **again)
    assert names(client, "-waiting") == [("Queue 00", "1")]
