"""Pages that tell of many lanes: what they read does not grow with what waits in lanes that they do not show."""

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
from logs.models import Priority, State, Subscription, WebhookLog, take_position
from logs.stats import failure_groups, overview
from logs.views.subscriptions import detail_page

from ..bulk_redeliveries import plan_logs, start_run
from ..factories import make_company, make_subscription
from ..html import text_of

pytestmark = pytest.mark.django_db
LANES = 60
SUBSCRIPTIONS = reverse("logs:subscription_list")
PLAN, RUN = "a plan of all", "a run of all"


@pytest.fixture
def operator(client, member):
    user = member("Operator")
    client.force_login(user)
    return user


def make_lanes(count: int) -> list[Subscription]:
    """On hold, each with a log that failed."""
    company, now = make_company(), timezone.now()
    made = Subscription.objects.bulk_create(
        Subscription(
            name=f"Lane {number:02}",
            code=f"lane_{number}",
            trigger="logout-user",
            url="http://e.example",
            company=company,
        )
        for number in range(count)
    )
    Subscription.objects.update(held_at=now)
    for number, lane in enumerate(made):
        make_failed_log(lane, number)
    return made


def make_failed_log(lane: Subscription, number: int) -> None:
    failed = {"state": State.FAILED, "cause": "http_5xx", "fingerprint": f"{number}", "response": "no", "retry": 3}
    make(lane, 1, **failed)


def wait_in(lane: Subscription, count: int) -> None:
    waiting = {"state": State.PENDING, "turn": Priority.WAITING, "tries_left": 3, "next_attempt_at": timezone.now()}
    make(lane, count, **waiting)


def make(lane: Subscription, count: int, **fields) -> None:
    at = timezone.now() - timedelta(hours=1)
    WebhookLog.objects.bulk_create(
        WebhookLog(
            id=objectid.new_objectid(at),
            subscription=lane,
            company=lane.company_id,
            created_at=at,
            position=take_position(lane.pk) if "turn" in fields else None,
            **fields,
        )
        for _ in range(count)
    )


def rows_read(call: Callable[[], object]) -> int:
    """Of logs."""

    def so_far() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'logs_webhooklog'"
            )
            return cursor.fetchone()[0]

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE logs_webhooklog, logs_subscription")  # so that the plan is not chosen by chance
    before = so_far()
    call()
    return so_far() - before


@pytest.mark.parametrize(
    "page",
    ["/", "/failures/", SUBSCRIPTIONS, f"{SUBSCRIPTIONS}?sort=-waiting", f"{SUBSCRIPTIONS}?sort=name", PLAN, RUN],
)
def test_what_is_read_does_not_grow_with_what_waits_in_all_lanes(client, operator, monkeypatch, page):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 30)
    monkeypatch.setattr(failure_groups, "GROUPS_SHOWN", 5)
    monkeypatch.setattr(detail_page, "MOST_ROWS", 5)
    all_lanes = make_lanes(LANES)
    make_run = {PLAN: plan_logs, RUN: start_run}.get(page)
    address = make_run(operator, WebhookLog.objects.failed()).get_absolute_url() if make_run else page

    def look() -> None:
        assert client.get(address).status_code == 200

    for lane in all_lanes:
        wait_in(lane, 2)
    few = rows_read(look)
    for lane in all_lanes:
        wait_in(lane, 20)
    # Of each lane that is shown 20 more are counted, of all together no more than the limit.
    shown = overview.TOP_SHOWN + overview.BLOCKED_SHOWN
    assert rows_read(look) - few <= 20 * shown + queue_summary.COUNT_LIMIT + LANES
    assert 20 * shown + queue_summary.COUNT_LIMIT + LANES < 20 * LANES / 3 * 2


def names(client: Client, sort: str) -> list[tuple[str, str]]:
    """The subscriptions in their order, each with what waits."""
    page = client.get(SUBSCRIPTIONS, {"sort": sort}).content.decode()
    rows = re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2], re.DOTALL)
    cells = [re.search(r'<a[^>]*>(Lane \d+)</a>.*data-label="Waiting">(.*?)</td>', row, re.DOTALL) for row in rows]
    return [cell.groups() for cell in cells]


@pytest.mark.parametrize(
    ("sort", "shown"),
    [
        ("-waiting", [("Lane 03", "9"), ("Lane 01", "7"), ("Lane 02", "3")]),
        ("waiting", [("Lane 00", "1"), ("Lane 02", "3"), ("Lane 01", "7")]),
    ],
)
def test_those_of_which_most_waits_are_shown_in_the_order_of_their_numbers(client, operator, monkeypatch, sort, shown):
    monkeypatch.setattr(detail_page, "MOST_ROWS", 3)
    made = make_lanes(5)
    for lane, number in zip(made, (1, 7, 3, 9), strict=False):
        wait_in(lane, number)
    assert names(client, sort) == shown


def test_the_overview_says_of_all_lanes_together_that_more_waits_than_it_counts(client, operator, monkeypatch):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 4)
    for lane in make_lanes(2):
        wait_in(lane, 3)
    page = text_of(client.get("/"))
    assert "Waiting now 4+" in page


def test_a_lane_counts_to_the_limit_and_not_beyond(client, operator, monkeypatch):
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 4)
    [lane] = make_lanes(1)
    wait_in(lane, 4)
    assert names(client, "name") == [("Lane 00", "4")]
    wait_in(lane, 1)
    assert names(client, "name") == [("Lane 00", "4+")]
    assert "4+ more waiting" in text_of(client.get("/"))


def test_a_re_delivery_that_waits_is_counted_too(client, operator):
    """It stands before those that wait in order, and has a turn of its own."""
    lane = make_subscription(name="Lane 00")
    again = {"state": State.FAILED, "cause": "http_5xx", "turn": Priority.REDELIVERY, "tries_left": 1}
    make(lane, 1, next_attempt_at=timezone.now(), **again)
    assert names(client, "-waiting") == [("Lane 00", "1")]
