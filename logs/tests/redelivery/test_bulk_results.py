"""The ledger of a run: page by page, narrowed down, and as a file."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.models import ItemOutcome, RunEntry
from logs.redelivery.controls import stop_bulk
from logs.redelivery.results import CSV_COLUMNS

from ..bulk_redeliveries import make_object_log, make_received_log, plan_logs, start_run
from ..factories import make_log, make_subscription
from ..html import HTMX, rows_of, text_of

pytestmark = pytest.mark.django_db
OTHER = "62685990d918fb5557f9f993"
A = "62742b7562f37034d939aaaa"


@pytest.fixture
def operator(client, member):
    user = member("Operator")
    client.force_login(user)
    make_subscription()
    return user


def look(client, run, query=""):
    return client.get(reverse("logs:bulk_redelivery_results", args=[run.pk]) + query)


def table(client, run) -> list[dict[str, str]]:
    answer = client.get(reverse("logs:bulk_redelivery_csv", args=[run.pk]))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="redelivery-{run.pk}.csv"'
    content = answer.getvalue()
    assert content.startswith("\ufeffrun,".encode())  # for Excel
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def run(operator):
    """One log was received, one failed, one is to go, and one was left out."""
    logs = [make_log(number, {"data": {"_id": f"{number:024x}", "name": f"Pump {number}"}}) for number in range(3)]
    run = start_run(operator, [*logs, make_received_log(9, A)])
    one, two, *_ = run.entries.all()
    sent = {"attempt_number": 4, "duration_ms": 120, "queued_at": run.started_at, "settled_at": run.started_at}
    RunEntry.objects.filter(pk=one.pk).update(outcome=ItemOutcome.SUCCEEDED, status=200, **sent)
    failure = {"status": 503, "cause": "http_5xx", "fingerprint": "503 password=hunter2"}
    RunEntry.objects.filter(pk=two.pk).update(outcome=ItemOutcome.FAILED, **failure, **sent)
    return run


def test_every_log_is_there_with_what_it_was_and_what_became_of_it(client, run):
    page = look(client, run)
    rows = rows_of(page, "logs ledger")
    assert [row.split()[:2] for row in rows] == [
        ["1", "Delivered"],
        ["2", "Failed"],
        ["3", "Waiting"],
        ["4", "Excluded"],
    ]
    assert rows[1].endswith("Work Orders Update Failed 409 timeout 503 http_5xx 503 password=•••••••• 4 120 ms")
    assert rows[3].endswith("Delivered 200 – It was delivered. – –")
    assert "hunter2" not in page.content.decode()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?show=delivered", [1]),
        ("?show=failed", [2]),
        ("?show=waiting", [3]),
        ("?show=left_out", [4]),
        ("?show=skipped", []),
        ("?why=received", [4]),
        ("?show=failed&lane=62685990d918fb5557f9f992", [2]),
        (f"?show=failed&lane={OTHER}", []),
        ("?sort=last", [4, 3, 2, 1]),
        ("?after=2", [3, 4]),
        ("?sort=last&after=3", [2, 1]),
    ],
)
def test_it_can_be_narrowed_down_and_turned_round(client, run, query, numbers):
    assert [int(row.split()[0]) for row in rows_of(look(client, run, query), "logs ledger")] == numbers


@pytest.mark.parametrize(
    "query",
    ["?show=everything", "?colour=red", "?why=because", "?after=x", "?lane=x", "?sort=first", "?show=failed&show="],
)
def test_a_wrong_word_finds_nothing_and_says_so(client, run, query):
    page = look(client, run, query)
    assert page.status_code == 422
    assert "Invalid filter: nothing was searched." in text_of(page)
    assert rows_of(page, "logs ledger") == []


def test_the_name_of_a_lane_that_is_not_in_the_run_is_not_told(client, run):
    from ..factories import make_company

    make_subscription(OTHER, name="Somebody else’s", company=make_company("625be93a286ef83c1c0e0000", "Other"))
    assert "Somebody else’s" not in text_of(look(client, run, f"?lane={OTHER}"))


def test_fifty_at_a_time_at_the_same_cost(client, operator):
    run = start_run(operator, [make_object_log(number, f"{number:024x}") for number in range(60)])
    with CaptureQueriesContext(connection) as captured:
        first = look(client, run)
    assert len(rows_of(first, "logs ledger")) == 51  # with the row of the button
    more = client.get(
        reverse("logs:bulk_redelivery_results", args=[run.pk]) + "?after=50", headers=HTMX | {"hx-target": "more"}
    ).content.decode()
    assert more.count("data-row-link") == 10
    assert "Load 50 more" not in more
    assert len(captured) <= 10


def test_the_file_has_every_column_of_every_log(client, run, operator):
    rows = table(client, run)
    one, two, three, four = rows
    assert tuple(one) == CSV_COLUMNS
    log = run.entries.get(number=1).log
    at = f"{run.started_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert one == {
        "run": str(run.pk),
        "reason": "the night's outage",
        "started_by": str(operator),
        "started_at": at,
        "source": "chosen",
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
        "outcome": "succeeded",
        "why": "",
        "stale": "no",
        "repair": "no",
        "try": "4",
        "status": "200",
        "cause": "",
        "fingerprint": "",
        "queued_at": at,
        "settled_at": at,
        "duration_ms": "120",
    }
    assert (two["outcome"], two["status"], two["cause"]) == ("failed", "503", "http_5xx")
    assert two["fingerprint"] == "503 password=••••••••"
    assert (three["outcome"], three["settled_at"], three["try"]) == ("waiting", "", "")
    assert (four["outcome"], four["why"]) == ("left_out", "received")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", '=HYPERLINK("http://x","y")'])
def test_a_spreadsheet_takes_nothing_in_the_file_for_a_formula(client, operator, name):
    log = make_log(1, {"data": {"_id": A, "name": name}})
    run = start_run(operator, [log], reason=name.strip())
    [row] = table(client, run)
    assert row["object_name"].startswith("'")
    assert row["object_name"].lstrip("'") == run.entries.get().log.object_name
    assert row["reason"].startswith("'")


def test_a_masked_name_stays_masked_in_the_file(client, operator, settings):
    settings.MASKED_KEYS = [*settings.MASKED_KEYS, "name"]
    run = start_run(operator, [make_log(1, {"data": {"_id": A, "name": "Bomba"}})])
    assert table(client, run)[0]["object_name"] == ""


def test_the_file_is_whole_however_many_logs_there_are(client, operator, monkeypatch):
    monkeypatch.setattr("logs.redelivery.results.CSV_BATCH_SIZE", 2)
    run = start_run(operator, [make_object_log(number, f"{number:024x}") for number in range(5)])
    assert [row["number"] for row in table(client, run)] == ["1", "2", "3", "4", "5"]


def test_a_plan_has_a_list_of_its_logs_too(client, operator):
    run = plan_logs(operator, [make_object_log(1, A), make_received_log(2, A)])
    page = look(client, run, "?show=stale")
    assert "Logs in the plan" in text_of(page)
    assert [row.split()[0] for row in rows_of(page, "logs ledger")] == ["1"]
    assert [row.split()[0] for row in rows_of(look(client, run, "?show=received"), "logs ledger")] == ["2"]


def test_what_was_stopped_says_so(client, operator):
    run = start_run(operator, [make_object_log(1, A)])
    stop_bulk(run, by=operator)
    assert "Skipped" in rows_of(look(client, run, "?show=skipped&why=stopped"), "logs ledger")[0]
