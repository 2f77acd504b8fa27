"""The logs of a plan: selected by a filter, by ticks, by ids, or as still failing. Posted as the pages do."""

from __future__ import annotations

import html
import json
import re
import threading
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from logs.models import BulkRedelivery, BulkRedeliveryState, ItemOutcome, SelectionSource, SkipReason, State, WebhookLog
from logs.redelivery.drafts import Selection, build_waiting_draft, create_draft, purge_old_drafts, request_draft

from ..bulk_redeliveries import start_redelivery
from ..factories import OTHER_SUBSCRIPTION, make_company, make_log, make_subscription
from ..html import LOG_LIST, text_of

pytestmark = pytest.mark.django_db
PLAN = reverse("logs:bulk_redelivery_create")
NEW = reverse("logs:bulk_redelivery_new")


@pytest.fixture
def logs(operator):
    """Two that failed, one that was delivered, one that failed in another way."""
    make_subscription()
    return [
        make_log(0),
        make_log(1),
        make_log(2, status=200, response="OK", retry=1),
        make_log(3, status=502, response="Bad Gateway"),
    ]


@pytest.fixture
def foreign_log(operator):
    make_subscription(OTHER_SUBSCRIPTION, name="Theirs", company=make_company("625be93a286ef83c1c0e0000", "Other"))
    return make_log(9, subscription=OTHER_SUBSCRIPTION)


def planned(answer) -> tuple[BulkRedelivery, list[str]]:
    """The plan to which an answer leads, and its logs in their order."""
    bulk = BulkRedelivery.objects.get()
    assert (answer.status_code, answer.url) == (303, f"/redeliveries/{bulk.pk}/")
    return bulk, list(bulk.items.values_list("log", flat=True))


def errors_in(answer) -> list[str]:
    """Why no plan was created; and none was."""
    assert answer.status_code == 422
    assert not BulkRedelivery.objects.exists()
    [notice] = re.findall(r'role="alert">\s*<svg.*?<ul>(.*?)</ul>', answer.content.decode(), re.DOTALL)
    return [html.unescape(text) for text in re.findall(r"<li>(.*?)</li>", notice)]


# By a filter


def test_logs_of_a_filter_are_planned_oldest_first(client, logs):
    bulk, ids = planned(client.post(PLAN, {"source": "filter", "query": "state=failed&cause=timeout&sort=newest"}))
    assert ids == [logs[0].pk, logs[1].pk]
    assert (bulk.state, bulk.source, bulk.query) == (
        BulkRedeliveryState.PLANNED,
        SelectionSource.FILTER,
        "state=failed&cause=timeout",
    )
    assert not WebhookLog.objects.queued().exists()


def test_logs_that_fail_later_are_not_in_the_plan(client, logs):
    bulk, ids = planned(client.post(PLAN, {"source": "filter", "query": "state=failed"}))
    later = make_log(20)
    assert client.get(bulk.get_absolute_url()).status_code == 200
    assert later.pk not in bulk.items.values_list("log", flat=True)
    assert len(ids) == 3


def test_an_empty_filter_plans_all_visible_logs(client, logs, foreign_log):
    assert planned(client.post(PLAN, {"source": "filter", "query": ""}))[1] == [log.pk for log in logs]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("colour=red", "colour: There is no such filter."),
        ("state=broken", "State: Select a valid choice. broken is not one of the available choices."),
        ("state=failed&range=2h", "Range: Select a valid choice. 2h is not one of the available choices."),
        ("q=stat:failed", "Search: "),
        ("state=delivered&status=502", "No log matches the filter."),
    ],
)
def test_a_wrong_filter_or_one_without_matches_is_an_error_and_stores_nothing(client, logs, query, reason):
    answer = client.post(PLAN, {"source": "filter", "query": query})
    [error] = errors_in(answer)
    assert error.startswith(reason)
    assert f'href="{LOG_LIST}?{html.escape(query)}"' in answer.content.decode()  # the way back


def test_a_subscription_of_another_company_is_an_invalid_filter(client, logs, foreign_log):
    [error] = errors_in(client.post(PLAN, {"source": "filter", "query": f"subscription={OTHER_SUBSCRIPTION}"}))
    assert error.startswith("Subscription: ")


@pytest.mark.parametrize("data", [{}, {"source": "everything"}, {"source": "filter"}, {"source": "still_failing"}])
def test_a_missing_selection_never_means_everything(client, logs, data):
    assert errors_in(client.post(PLAN, data))


def test_times_are_stored_with_the_same_meaning_in_any_zone_and_at_any_time(client, logs):
    client.cookies["timezone"] = "America/Santiago"
    query = "since=2022-05-05 16:04:30&until=2022-05-05 16:06:00"  # four hours before UTC
    bulk, ids = planned(client.post(PLAN, {"source": "filter", "query": query}))
    assert bulk.query == "since=2022-05-05T20%3A04%3A30Z&until=2022-05-05T20%3A06Z"
    assert ids == [logs[0].pk, logs[1].pk]
    client.cookies["timezone"] = "UTC"
    assert client.get(f"{LOG_LIST}?{bulk.query}").content.decode().count("<tr data-log") == 2


def test_a_range_is_stored_as_its_start_time(client, logs):
    WebhookLog.objects.filter(pk=logs[0].pk).update(created_at=timezone.now() - timedelta(minutes=30))
    bulk, ids = planned(client.post(PLAN, {"source": "filter", "query": "range=1h"}))
    assert ids == [logs[0].pk]
    assert re.fullmatch(r"since=\d{4}-\d\d-\d\dT\d\d%3A\d\dZ", bulk.query)


def test_too_many_logs_are_an_error_with_their_number(client, logs, monkeypatch):
    monkeypatch.setattr("logs.forms.log_selection.MAX_SELECTED", 2)
    [error] = errors_in(client.post(PLAN, {"source": "filter", "query": "state=failed"}))
    assert error == "You selected 3 logs; a plan can have at most 2. Choose a shorter time range or fewer logs."


# Selected one by one, or by ids


def test_each_ticked_row_is_planned_once(client, logs):
    bulk, ids = planned(client.post(PLAN, {"source": "selected", "log": [logs[3].pk, logs[1].pk.upper(), logs[1].pk]}))
    assert (ids, bulk.source, bulk.unknown) == ([logs[1].pk, logs[3].pk], SelectionSource.SELECTED, [])


def test_ids_of_other_companies_are_unknown_like_missing_ids(client, logs, foreign_log):
    nobody = "0" * 24
    bulk, ids = planned(client.post(PLAN, {"source": "selected", "log": [foreign_log.pk, nobody, logs[0].pk]}))
    assert (ids, bulk.unknown) == ([logs[0].pk], [foreign_log.pk, nobody])


def test_without_a_tick_there_is_no_plan(client, logs):
    assert errors_in(client.post(PLAN, {"source": "selected"})) == ["No logs are selected."]


PASTED = {
    "lines": "{0}\r\n{1}\r\n",
    "commas, quotes and capitals": "'{0}', \"{1!u}\"",
    "JSON": '["{0}", "{1}"]',
    "shell of MongoDB": 'ObjectId("{0}"), ObjectId("{1}")',
    "not quite JSON": "['{0}', '{1}',]",
    "words around": "please send {0} and {1} again, from 2022-05-05",
    "a receiver's log": "ERROR webhook-id={0} 500\nERROR webhook-id={1} 500 trace=4bf92f3577b34da6a3ce929d0e0e4736",
    "documents": '[{{"_id": "{0}", "company": "625be93a286ef83c1c0e845f"}}, {{"_id": {{"$oid": "{1}"}}}}]',
    "documents, one in a line": '{{"_id": "{0}", "event": {{"data": {{"_id": "62742b7562f37034d9399914"}}}}}}\n{{"id": "{1}"}}',
    "a list within an object": '{{"failed": ["{0}", "{1}"], "total": 2}}',
}


@pytest.mark.parametrize("name", PASTED)
def test_ids_are_found_in_any_pasted_text(client, logs, name):
    text = PASTED[name].replace("{1!u}", logs[1].pk.upper()).format(logs[0].pk, logs[1].pk)
    bulk, ids = planned(client.post(PLAN, {"source": "ids", "ids": text}))
    assert (ids, bulk.unknown, bulk.source) == ([logs[0].pk, logs[1].pk], [], SelectionSource.IDS)


def test_an_id_with_a_missing_or_changed_character_is_unknown(client, logs):
    short, wrong = logs[1].pk[:-1], logs[1].pk[:-1] + "o"
    bulk, ids = planned(client.post(PLAN, {"source": "ids", "ids": f"{logs[0].pk} {short} {wrong}"}))
    assert (ids, bulk.unknown) == ([logs[0].pk], [short, wrong])


def test_a_file_and_pasted_text_are_both_used(client, logs):
    table = f"id,status\n{logs[0].pk},409\n{logs[3].pk},502\n"
    file = SimpleUploadedFile("failed.csv", b"\xef\xbb\xbf" + table.encode())
    assert planned(client.post(PLAN, {"source": "ids", "ids": logs[1].pk, "file": file}))[1] == [
        logs[index].pk for index in (0, 1, 3)
    ]


@pytest.mark.parametrize(
    ("text", "data", "reason"),
    [
        ("", None, "Paste log ids, or choose a file that contains them."),
        (
            "none to be seen",
            None,
            "No ids found. A log’s id has 24 characters: digits and the letters a to f.",
        ),
        ("", b"one\ntwo\n\xff\xfe", "Line 3 of the file is not UTF-8 text. Save it as plain text, CSV or JSON."),
        ("", b"x" * (5 * 1024 * 1024 + 1), "The file is larger than 5.0 MB."),
    ],
)
def test_text_without_ids_is_an_error_and_stays_in_the_form(client, logs, text, data, reason):
    file = {"file": SimpleUploadedFile("ids.txt", data)} if data else {}
    answer = client.post(PLAN, {"source": "ids", "ids": text} | file)
    assert errors_in(answer) == [reason]
    assert f">{text}</textarea>" in answer.content.decode()


def test_pasted_text_is_escaped_when_it_is_shown_again(client, logs):
    answer = client.post(PLAN, {"source": "ids", "ids": "</textarea><script>alert(1)</script>"})
    assert "<script>alert(1)" not in answer.content.decode()


def test_too_many_ids_are_an_error(client, logs, monkeypatch):
    monkeypatch.setattr("logs.forms.log_selection.MAX_SELECTED", 1)
    [error] = errors_in(client.post(PLAN, {"source": "ids", "ids": f"{logs[0].pk} {logs[1].pk}"}))
    assert error.startswith("You selected 2 logs; a plan can have at most 1.")


def test_the_page_for_ids_says_what_happens_next(client, logs):
    page = client.get(NEW)
    assert page.status_code == 200
    assert "Nothing is sent before you start it." in text_of(page)
    assert "up to 100,000 logs" in text_of(page)


# The remaining failures of another bulk redelivery


def test_the_remaining_failures_of_a_bulk_redelivery_are_planned(client, logs, operator):
    earlier = start_redelivery(operator, [logs[0], logs[1]])
    WebhookLog.objects.filter(pk=logs[0].pk).update(state=State.FAILED)  # not superseded
    WebhookLog.objects.filter(pk=logs[1].pk).update(state=State.DELIVERED)
    earlier.items.update(outcome=ItemOutcome.FAILED)
    answer = client.post(PLAN, {"source": "still_failing", "bulk": earlier.pk})
    bulk = BulkRedelivery.objects.get(parent=earlier)
    assert answer.url == bulk.get_absolute_url()
    assert list(bulk.items.values_list("log", flat=True)) == [logs[0].pk]


def test_a_bulk_redelivery_without_remaining_failures_is_an_error(client, logs, operator):
    earlier = start_redelivery(operator, [logs[0]])
    WebhookLog.objects.filter(pk=logs[0].pk).update(state=State.DELIVERED)
    answer = client.post(PLAN, {"source": "still_failing", "bulk": earlier.pk})
    assert answer.status_code == 422
    assert "No log of this bulk redelivery is still failing." in text_of(answer)
    assert not BulkRedelivery.objects.filter(parent=earlier).exists()


def test_a_bulk_redelivery_of_another_company_is_unknown(client, logs, member, operator):
    earlier = start_redelivery(operator, [logs[0]])
    client.force_login(member("Operator", make_company("625be93a286ef83c1c0e0000", "Other")))
    assert client.post(PLAN, {"source": "still_failing", "bulk": earlier.pk}).status_code == 422
    assert BulkRedelivery.objects.count() == 1


# Who may, how often, and how long


def test_a_viewer_cannot_create_a_plan(client, member, logs):
    client.force_login(member("Viewer"))
    assert client.post(PLAN, {"source": "filter", "query": "state=failed"}).status_code == 403
    assert client.get(NEW).status_code == 403
    assert not BulkRedelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_concurrent_clicks_create_one_plan(logs, operator):
    selection = {"source": "selected", "log": [logs[0].pk, logs[1].pk]}
    answers, barrier = [], threading.Barrier(20, timeout=60)

    def click(browser):
        barrier.wait()
        answers.append(browser.post(PLAN, selection).url)
        connection.close()

    browsers = [Client() for _ in range(20)]
    for browser in browsers:
        browser.force_login(operator)
    threads = [threading.Thread(target=click, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert set(answers) == {BulkRedelivery.objects.get().get_absolute_url()}


@pytest.mark.parametrize(
    "second",
    [
        {"source": "selected", "log": "{0}"},
        {"source": "ids", "ids": "{0} {1}"},
        {"source": "filter", "query": "state=failed"},
    ],
)
def test_another_selection_always_creates_another_plan(client, logs, second):
    client.post(PLAN, {"source": "selected", "log": [logs[0].pk, logs[1].pk]})
    client.post(PLAN, {key: value.format(logs[0].pk, logs[1].pk) for key, value in second.items()})
    assert BulkRedelivery.objects.count() == 2


def test_the_same_selection_creates_a_new_plan_later_or_for_another_user(client, logs, member):
    data = {"source": "filter", "query": "state=failed"}
    client.post(PLAN, data)
    BulkRedelivery.objects.update(planned_at=timezone.now() - timedelta(seconds=11))
    client.post(PLAN, data)
    client.force_login(member("Operator"))
    client.post(PLAN, data)
    assert BulkRedelivery.objects.count() == 3


@pytest.mark.parametrize(
    "data",
    [{"source": "filter", "query": "state=failed"}, {"source": "ids", "ids": "{0} {1} {3} nobody000000000000000000"}],
)
def test_a_job_creates_a_large_plan_from_the_original_selection(client, logs, monkeypatch, data):
    monkeypatch.setattr("logs.redelivery.drafts.QUICK_PLAN_LIMIT", 2)
    data = {key: value.format(*[log.pk for log in logs]) for key, value in data.items()}
    bulk, ids = planned(client.post(PLAN, data))
    assert (bulk.state, ids) == (BulkRedeliveryState.PLANNING, [])
    job = ProcrastinateJob.objects.get(task_name="logs.tasks.plan_bulk_redelivery")
    assert (job.args, job.queue_name) == ({"pk": bulk.pk}, "plans")
    assert client.post(PLAN, data).url == bulk.get_absolute_url()  # the second click of two
    for _again in range(2):
        build_waiting_draft(job.args["pk"])
    bulk.refresh_from_db()
    assert bulk.state == BulkRedeliveryState.PLANNED
    assert list(bulk.items.values_list("log", flat=True)) == [logs[index].pk for index in (0, 1, 3)]
    assert bulk.unknown == (["nobody000000000000000000"] if "ids" in data else [])


def test_a_word_search_is_planned_by_a_job_at_a_lower_limit(client, logs, monkeypatch):
    monkeypatch.setattr("logs.forms.log_selection.QUICK_SEARCH_SECONDS", 1)
    bulk, _ids = planned(client.post(PLAN, {"source": "filter", "query": "q=ETIMEDOUT"}))
    assert bulk.state == BulkRedeliveryState.PLANNING
    build_waiting_draft(bulk.pk)
    assert list(bulk.items.values_list("log", flat=True)) == [logs[0].pk, logs[1].pk]


def test_the_plan_of_a_deleted_user_contains_no_logs(logs, operator):
    bulk = create_draft(SelectionSource.FILTER, by=operator, query="")
    operator.delete()
    build_waiting_draft(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.problem) == (
        BulkRedeliveryState.PLANNED,
        "the account that requested it was deleted or is not active",
    )
    assert not bulk.items.exists()


def test_a_plan_that_fails_says_so(logs, operator, monkeypatch):
    bulk = create_draft(SelectionSource.FILTER, by=operator, query="")
    monkeypatch.setattr("logs.redelivery.drafts._ITEMS", "SELECT 1/0")
    with pytest.raises(Exception, match="division by zero"):
        build_waiting_draft(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.problem) == (
        BulkRedeliveryState.PLANNED,
        "an unexpected error; see the worker’s log for details",
    )


def test_old_plans_are_deleted_and_bulk_redeliveries_are_kept(logs, operator):
    old = request_draft(Selection(SelectionSource.SELECTED, ids=(logs[0].pk,), number=1), by=operator)
    bulk = start_redelivery(operator, [logs[1]])
    BulkRedelivery.objects.update(planned_at=timezone.now() - timedelta(days=7, seconds=1))
    new = request_draft(Selection(SelectionSource.SELECTED, ids=(logs[0].pk,), number=1), by=operator)
    purge_old_drafts()
    assert set(BulkRedelivery.objects.values_list("pk", flat=True)) == {bulk.pk, new.pk}
    assert not old.items.exists()
    assert bulk.items.get().skip_reason != SkipReason.EXPIRED


# Other ways to a plan


def form_to_plan(page, button: str) -> dict[str, str]:
    """The data that the form with this button would post."""
    forms = re.findall(rf'<form[^>]*action="{PLAN}"[^>]*>(.*?)</form>', page.content.decode(), re.DOTALL)
    [form] = [form for form in forms if button in form]
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'name="(source|query|since)"[^>]*? value="([^"]*)"', form)
    }


def fail_and_recover(minutes: dict[int, str]) -> dict[int, WebhookLog]:
    """Logs from so many minutes ago, each in a state."""
    logs = {}
    for ago, state in minutes.items():
        log = make_log(ago) if state == "failed" else make_log(ago, status=200, response="OK", retry=1)
        WebhookLog.objects.filter(pk=log.pk).update(created_at=timezone.now() - timedelta(minutes=ago))
        logs[ago] = log
    return logs


def test_a_failure_group_offers_a_plan_once_it_has_recovered(client, logs):
    address = logs[0].subscription.get_absolute_url()
    created = fail_and_recover({50: "failed", 40: "failed"})
    assert "Redeliver 2…" not in text_of(client.get(address))
    fail_and_recover({10: "delivered"})
    ids = planned(client.post(PLAN, form_to_plan(client.get(address), "Redeliver 2…")))[1]
    assert ids == [created[50].pk, created[40].pk]


def test_a_viewer_gets_a_link_to_the_logs_of_a_group(client, logs, member):
    fail_and_recover({50: "failed", 10: "delivered"})
    client.force_login(member("Viewer"))
    page = client.get(logs[0].subscription.get_absolute_url())
    assert PLAN not in page.content.decode()
    assert "Open 1 log" in text_of(page)


@pytest.mark.parametrize(
    ("minutes", "hint", "expected"),
    [
        ({300: "failed", 200: "delivered", 100: "failed", 50: "failed"}, "the last successful delivery", [100, 50]),
        ({1500: "failed", 100: "failed", 50: "delivered"}, "a day ago", [100]),
        ({9000: "failed", 50: "failed"}, "a week ago", [9000, 50]),
    ],
)
def test_a_subscription_offers_a_plan_of_what_failed_since_its_outage_began(client, logs, minutes, hint, expected):
    created = fail_and_recover(minutes)
    page = client.get(logs[0].subscription.get_absolute_url())
    assert hint in text_of(page)
    data = form_to_plan(page, "Plan a bulk redelivery…")
    bulk, ids = planned(client.post(PLAN, data))
    assert ids == [created[ago].pk for ago in expected]
    params = parse_qs(bulk.query)
    assert (params["state"], params["subscription"]) == (["failed"], [logs[0].subscription_id])


@pytest.mark.parametrize(
    ("since", "reason"), [("", "Enter a start time."), ("tomorrow", "From: Write a time such as 08:00")]
)
def test_the_start_of_an_outage_must_be_a_valid_time(client, logs, since, reason):
    query = f"state=failed&subscription={logs[0].subscription_id}"
    [error] = errors_in(client.post(PLAN, {"source": "filter", "query": query, "since": since}))
    assert error.startswith(reason)


def test_the_explorer_posts_its_filter_without_cursor_and_order(client, logs):
    page = client.get(LOG_LIST, {"state": "failed", "sort": "oldest", "after": f"0~{'0' * 24}"})
    [query] = re.findall(r'name="query" value="([^"]*)"[^>]*>\s*<p', page.content.decode())
    assert query == "state=failed"
    assert json.dumps(planned(client.post(PLAN, {"source": "filter", "query": query}))[1]) == json.dumps(
        [logs[index].pk for index in (0, 1, 3)]
    )
