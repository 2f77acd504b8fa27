"""Titles of plans and bulk redeliveries by what they hold, wherever one is shown."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from logs.forms.log_selection import SelectionForm
from logs.models import BulkRedelivery, SelectionSource, State
from logs.redelivery.controls import stop_bulk
from logs.redelivery.drafts import build_plan, create_draft, request_draft
from logs.redelivery.start import start_bulk
from logs.redelivery.titles import title_of

from ..bulk_redeliveries import (
    CHOICES,
    make_delivered_log,
    make_object_log,
    make_object_logs,
    plan_logs,
    start_redelivery,
)
from ..factories import (
    COMPANY,
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    make_company,
    make_log,
    make_log_of_age,
    make_subscription,
)
from ..html import HTMX, plain_text, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
LIST = "/redeliveries/"
A = "62742b7562f37034d939aaaa"


def plan_filter(user, query: str) -> BulkRedelivery:
    """As the explorer does."""
    data = QueryDict(mutable=True)
    data.update({"source": SelectionSource.FILTER, "query": query})
    form = SelectionForm(data, user=user)
    assert form.is_valid(), form.errors
    bulk = request_draft(form.selection, by=user)
    bulk.refresh_from_db()
    return bulk


def heading(response) -> str:
    return plain_text(re.search(r"<h1[^>]*>(.*?)</h1>", response.content.decode(), re.DOTALL)[1])


def document_title(response) -> str:
    return plain_text(re.search(r"<title>(.*?)</title>", response.content.decode(), re.DOTALL)[1])


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("", "All logs"),
        ("state=failed", "Failed"),
        ("state=failed&state=skipped", "Failed or Skipped"),
        ("not_state=delivered", "All logs, not Delivered"),
        ("state=failed&not_cause=timeout", "Failed, not No answer in time"),
        ("status=4xx&status=5xx&status=none&status=3xx", "Status 4xx, 5xx, no status +1"),
        ("q=%22pump%22+broken", '“"pump" broken”'),
        (f"state=failed&subscription={SUBSCRIPTION}", "Failed, Work Orders Update"),
        (f"company={COMPANY}", "Austral"),
        ("since=2026-04-13T22:30Z&until=2026-04-14T01:00Z", "All logs, 2026-04-13 22:30 – 2026-04-14 01:00"),
        ("state=failed&since=2026-04-13T22:30Z", "Failed, since 2026-04-13 22:30"),
        ("state=failed&until=2026-04-13T22:30Z", "Failed, until 2026-04-13 22:30"),
        ("colour=red", "colour=red"),
    ],
)
def test_a_filter_is_its_values_in_words(operator, subscription, query, title):
    bulk = create_draft(SelectionSource.FILTER, by=operator, query=query)
    assert title_of(bulk, operator) == title


@pytest.mark.parametrize(
    ("range_", "words"),
    [
        ("15m", "last 15 minutes"),
        ("1h", "last hour"),
        ("24h", "last 24 hours"),
        ("7d", "last 7 days"),
        ("30d", "last 30 days"),
    ],
)
def test_a_range_keeps_its_name_though_the_plan_stores_times(operator, subscription, range_, words):
    make_log_of_age(subscription, State.FAILED, timedelta(minutes=2))
    bulk = plan_filter(operator, f"state=failed&range={range_}")
    assert "range" not in bulk.query and "since=" in bulk.query
    assert title_of(bulk, operator) == f"Failed, {words}"


@pytest.mark.parametrize(
    ("source", "title"), [(SelectionSource.IDS, "List of ids"), (SelectionSource.SELECTED, "Selected logs")]
)
def test_a_selection_of_ids_says_so(operator, source, title):
    assert title_of(create_draft(source, by=operator), operator) == title


def test_what_still_fails_names_the_bulk_redelivery(operator, subscription):
    parent = start_redelivery(operator, make_object_logs([1]))
    bulk = create_draft(SelectionSource.STILL_FAILING, by=operator, parent=parent)
    assert title_of(bulk, operator) == f"Still failing after #{parent.pk}"
    bulk.parent = None
    assert title_of(bulk, operator) == "Still failing after a bulk redelivery"


def test_a_failure_group_is_its_cause_and_its_words_with_secrets_masked(operator, subscription):
    query = f"state=failed&cause=http_5xx&fingerprint=503+token%3Dsecretsecret&subscription={SUBSCRIPTION}"
    title = title_of(create_draft(SelectionSource.FILTER, by=operator, query=query), operator)
    assert title == "Failed, Error at the receiver (5xx), 503 token=••••••••, Work Orders Update"


def test_a_subscription_of_another_company_has_no_name(operator):
    make_subscription(OTHER_SUBSCRIPTION, name="Secret", company=make_company("625be93a286ef83c1c0e0000", "Other"))
    query = f"subscription={OTHER_SUBSCRIPTION}"
    assert title_of(create_draft(SelectionSource.FILTER, by=operator, query=query), operator) == OTHER_SUBSCRIPTION


def test_a_title_is_in_the_language_of_the_reader(operator):
    bulk = create_draft(SelectionSource.FILTER, by=operator, query="state=failed")
    with translation.override("es"):
        assert title_of(bulk, operator) == "Fallido"


def test_stored_text_is_cut_on_one_line_and_escaped(client, operator, subscription):
    query = "q=%3Cimg+src%3Dx%3E%0A" + "x" * 100
    bulk = create_draft(SelectionSource.FILTER, by=operator, query=query)
    title = title_of(bulk, operator)
    assert title == "“<img src=x> " + "x" * 47 + "…”"
    page = client.get(LIST).content.decode()
    assert "<img src=x>" not in page and "&lt;img src=x&gt;" in page


def test_a_plan_has_the_same_title_with_the_same_numbers_in_the_list_and_on_its_page(client, operator, subscription):
    """Of six logs, one is superseded, one was delivered, one is in another bulk redelivery, and one can't be sent."""
    logs = [make_object_log(0, A), *make_object_logs(range(1, 4)), make_delivered_log(9, A)]
    make_subscription(OTHER_SUBSCRIPTION, is_active=False)
    inactive = make_object_logs([5], OTHER_SUBSCRIPTION)
    bulk = plan_logs(operator, [*logs, *inactive])
    start_redelivery(operator, logs[1:2])
    title = "Selected logs · 6 logs, 2 to send"
    page = client.get(bulk.get_absolute_url())
    assert heading(page) == title
    assert "Send 2 logs" in text_of(page)
    assert f"{title} Planned" in text_of(client.get(LIST))
    assert document_title(page) == f"Plan: Selected logs · #{bulk.pk} · cotadmin"


def test_the_numbers_of_the_heading_follow_the_choices(client, operator, subscription):
    bulk = plan_logs(operator, [make_object_log(0, A), *make_object_logs([1]), make_delivered_log(9, A)])
    data = {"subscriptions": SUBSCRIPTION, "superseded_policy": "send", "rollout": "stages", "max_attempts": 1}
    answer = client.post(f"{bulk.get_absolute_url()}start/", data | {"failure_percent": 20, "preview": 1}, headers=HTMX)
    assert '<h1 id="plan-title" hx-swap-oob="innerHTML">' in answer.content.decode()
    assert heading(answer) == "Selected logs · 3 logs, 2 to send"


def test_a_bulk_redelivery_has_its_title_on_every_page_and_its_number_and_reason_beside_it(
    client, operator, subscription
):
    log = make_log()
    bulk = plan_filter(operator, f"state=failed&subscription={SUBSCRIPTION}")
    assert start_bulk(bulk, CHOICES, bulk.selected_subscriptions, by=operator)
    title, name = "Failed, Work Orders Update", f"#{bulk.pk} · the night's outage"
    page = client.get(bulk.get_absolute_url())
    assert heading(page) == f"{title} · 1 log"
    assert document_title(page) == f"{title} · #{bulk.pk} · cotadmin"
    assert name in text_of(page)
    results = client.get(f"{bulk.get_absolute_url()}results/")
    assert heading(results) == f"Results: {title}"
    assert name in text_of(results)
    [row] = rows_of(client.get(LIST), "bulk-redeliveries-table")
    assert row.startswith(f"{title} · 1 log {name} Running")
    assert f"{title} · 1 log Running {name} · Nothing sent yet." in text_of(client.get("/"))
    assert f"Bulk redeliveries {title} Waiting {name}" in text_of(client.get(log.get_absolute_url()))


def test_twenty_titles_need_as_many_queries_as_one(client, operator, subscription):
    numbers = []
    for number in range(20):
        make_object_logs([number])
        query = f"state=failed&subscription={SUBSCRIPTION}&company={COMPANY}"
        bulk = create_draft(SelectionSource.FILTER, by=operator, query=query)
        build_plan(bulk)
        if number % 2:
            bulk.refresh_from_db()
            start_bulk(bulk, CHOICES, bulk.selected_subscriptions, by=operator)
            stop_bulk(bulk, by=operator)
        if number in (1, 19):
            with CaptureQueriesContext(connection) as captured:
                client.get(LIST)
            numbers.append(len(captured))
    assert numbers[0] == numbers[1]
