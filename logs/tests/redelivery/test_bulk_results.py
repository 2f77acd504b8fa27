"""The results of a bulk redelivery: page by page, filtered, and as a file."""

from __future__ import annotations

import csv
import io

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.models import BulkRedeliveryItem, ItemOutcome
from logs.redelivery.controls import stop_bulk
from logs.redelivery.results import CSV_COLUMNS

from ..bulk_redeliveries import make_delivered_log, make_object_log, plan_logs, start_redelivery
from ..factories import OTHER_SUBSCRIPTION, make_log, make_subscription
from ..html import HTMX, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("subscription")]
A = "62742b7562f37034d939aaaa"


def open_results(client, bulk, query=""):
    return client.get(reverse("logs:bulk_redelivery_results", args=[bulk.pk]) + query)


def table(client, bulk) -> list[dict[str, str]]:
    answer = client.get(reverse("logs:bulk_redelivery_csv", args=[bulk.pk]))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="redelivery-{bulk.pk}.csv"'
    content = answer.getvalue()
    assert content.startswith("\ufeffrun,".encode())  # for Excel
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def bulk(operator):
    """One log was delivered, one failed, one is waiting, and one was excluded."""
    logs = [make_log(number, {"data": {"_id": f"{number:024x}", "name": f"Pump {number}"}}) for number in range(3)]
    bulk = start_redelivery(operator, [*logs, make_delivered_log(9, A)])
    delivered, failed, *_ = bulk.items.all()
    sent = {"attempt_number": 4, "duration_ms": 120, "queued_at": bulk.started_at, "finished_at": bulk.started_at}
    BulkRedeliveryItem.objects.filter(pk=delivered.pk).update(outcome=ItemOutcome.DELIVERED, status=200, **sent)
    failure = {"status": 503, "cause": "http_5xx", "fingerprint": "503 password=hunter2"}
    BulkRedeliveryItem.objects.filter(pk=failed.pk).update(outcome=ItemOutcome.FAILED, **failure, **sent)
    return bulk


def test_every_log_is_listed_with_its_previous_state_and_its_outcome(client, bulk):
    page = open_results(client, bulk)
    rows = rows_of(page, "logs-table results-table")
    assert [row.split()[:2] for row in rows] == [
        ["1", "Delivered"],
        ["2", "Failed"],
        ["3", "Waiting"],
        ["4", "Excluded"],
    ]
    assert rows[1].endswith(
        "Work Orders Update Failed No answer in time 503 Error at the receiver (5xx) 503 password=•••••••• 4 120 ms"
    )
    assert rows[3].endswith("Delivered 200 – It was delivered. – –")
    assert "hunter2" not in page.content.decode()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?outcome=delivered", [1]),
        ("?outcome=failed", [2]),
        ("?outcome=waiting", [3]),
        ("?outcome=excluded", [4]),
        ("?outcome=skipped", []),
        ("?reason=delivered", [4]),
        ("?outcome=failed&subscription=62685990d918fb5557f9f992", [2]),
        (f"?outcome=failed&subscription={OTHER_SUBSCRIPTION}", []),
        ("?sort=last", [4, 3, 2, 1]),
        ("?after=2", [3, 4]),
        ("?sort=last&after=3", [2, 1]),
    ],
)
def test_results_can_be_filtered_and_reversed(client, bulk, query, numbers):
    assert [
        int(row.split()[0]) for row in rows_of(open_results(client, bulk, query), "logs-table results-table")
    ] == numbers


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [4, 1, 1, 0, 1, 1]),
        ("?outcome=failed", [4, 1, 1, 0, 1, 1]),
        ("?reason=delivered", [1, 0, 0, 0, 0, 1]),
        ("?outcome=failed&subscription=62685990d918fb5557f9f992", [3, 1, 1, 0, 0, 1]),
        (f"?outcome=waiting&subscription={OTHER_SUBSCRIPTION}", [1, 0, 0, 0, 1, 0]),
    ],
)
def test_each_tab_counts_the_rows_behind_it(client, bulk, query, numbers):
    """Also those of one subscription, or with one reason."""
    make_subscription(OTHER_SUBSCRIPTION)
    bulk.items.filter(number=3).update(subscription=OTHER_SUBSCRIPTION)
    page = open_results(client, bulk, query)
    tabs = BeautifulSoup(page.content, "html.parser").find("nav", class_="segmented").find_all("a")
    assert [int(tab.span.text) for tab in tabs] == numbers
    for tab, number in zip(tabs, numbers, strict=True):
        assert len(rows_of(open_results(client, bulk, tab["href"]), "logs-table results-table")) == number


@pytest.mark.parametrize(
    "query",
    [
        *("?outcome=everything", "?colour=red", "?reason=because", "?after=x", "?subscription=x", "?sort=first"),
        "?outcome=failed&outcome=",
    ],
)
def test_an_invalid_filter_finds_nothing_and_says_so(client, bulk, query):
    page = open_results(client, bulk, query)
    assert page.status_code == 422
    assert "Invalid filter: nothing was searched." in text_of(page)
    assert rows_of(page, "logs-table results-table") == []


def test_the_name_of_a_subscription_outside_the_bulk_redelivery_is_hidden(client, bulk):
    from ..factories import make_company

    make_subscription(
        OTHER_SUBSCRIPTION, name="Somebody else’s", company=make_company("625be93a286ef83c1c0e0000", "Other")
    )
    assert "Somebody else’s" not in text_of(open_results(client, bulk, f"?subscription={OTHER_SUBSCRIPTION}"))


def test_each_page_of_fifty_costs_the_same(client, operator):
    bulk = start_redelivery(operator, [make_object_log(number, f"{number:024x}") for number in range(60)])
    with CaptureQueriesContext(connection) as captured:
        first = open_results(client, bulk)
    assert len(rows_of(first, "logs-table results-table")) == 51  # with the row of the button
    more = client.get(
        reverse("logs:bulk_redelivery_results", args=[bulk.pk]) + "?after=50", headers=HTMX | {"hx-target": "load-more"}
    ).content.decode()
    assert more.count("data-row-link") == 10
    assert "Load 50 more" not in more
    assert len(captured) <= 10


def test_the_file_has_every_column_of_every_log(client, bulk, operator):
    rows = table(client, bulk)
    first, second, third, fourth = rows
    assert tuple(first) == CSV_COLUMNS
    log = bulk.items.get(number=1).log
    at = f"{bulk.started_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert first == {
        "run": str(bulk.pk),
        "reason": "the night's outage",
        "started_by": str(operator),
        "started_at": at,
        "source": "selected",
        "filter": "",
        "number": "1",
        "log": log.pk,
        "event_at": "2022-05-05T20:04:40.084000Z",
        "object": f"{0:024x}",
        "object_name": "Pump 0",
        "subscription": "62685990d918fb5557f9f992",
        "subscription_name": "Work Orders Update",
        "before_state": "failed",
        "before_status": "409",
        "before_cause": "timeout",
        "outcome": "delivered",
        "skip_reason": "",
        "stale": "no",
        "repair": "no",
        "attempt": "4",
        "status": "200",
        "cause": "",
        "fingerprint": "",
        "queued_at": at,
        "finished_at": at,
        "duration_ms": "120",
    }
    assert (second["outcome"], second["status"], second["cause"]) == ("failed", "503", "http_5xx")
    assert second["fingerprint"] == "503 password=••••••••"
    assert (third["outcome"], third["finished_at"], third["attempt"]) == ("waiting", "", "")
    assert (fourth["outcome"], fourth["skip_reason"]) == ("excluded", "delivered")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", '=HYPERLINK("http://x","y")'])
def test_nothing_in_the_file_is_a_formula_for_a_spreadsheet(client, operator, name):
    log = make_log(1, {"data": {"_id": A, "name": name}})
    bulk = start_redelivery(operator, [log], reason=name.strip())
    [row] = table(client, bulk)
    assert row["object_name"].startswith("'")
    assert row["object_name"].lstrip("'") == bulk.items.get().log.object_name
    assert row["reason"].startswith("'")


def test_a_masked_name_stays_masked_in_the_file(client, operator, settings):
    settings.MASKED_KEYS = [*settings.MASKED_KEYS, "name"]
    bulk = start_redelivery(operator, [make_log(1, {"data": {"_id": A, "name": "Bomba"}})])
    assert table(client, bulk)[0]["object_name"] == ""


def test_the_file_is_complete_for_any_number_of_logs(client, operator, monkeypatch):
    monkeypatch.setattr("logs.redelivery.results.CSV_BATCH_SIZE", 2)
    bulk = start_redelivery(operator, [make_object_log(number, f"{number:024x}") for number in range(5)])
    assert [row["number"] for row in table(client, bulk)] == ["1", "2", "3", "4", "5"]


def test_a_plan_has_a_list_of_its_logs_too(client, operator):
    bulk = plan_logs(operator, [make_object_log(1, A), make_delivered_log(2, A)])
    page = open_results(client, bulk, "?outcome=superseded")
    assert "Logs in the plan" in text_of(page)
    assert [row.split()[0] for row in rows_of(page, "logs-table results-table")] == ["1"]
    assert [
        row.split()[0]
        for row in rows_of(open_results(client, bulk, "?outcome=delivered_before"), "logs-table results-table")
    ] == ["2"]


def test_stopped_items_say_so(client, operator):
    bulk = start_redelivery(operator, [make_object_log(1, A)])
    stop_bulk(bulk, by=operator)
    assert (
        "Skipped"
        in rows_of(open_results(client, bulk, "?outcome=skipped&reason=stopped"), "logs-table results-table")[0]
    )
