"""The page of a plan: what would be sent, and what is excluded and why. A person starts exactly what the page showed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from logs.models import (
    AuditAction,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryState,
    Payload,
    RolloutPolicy,
    SelectionSource,
    SkipReason,
    State,
    Subscription,
    SupersededPolicy,
    WebhookLog,
    Worker,
)
from logs.redelivery.drafts import build_plan, create_draft
from logs.redelivery.preview import build_preview

from ..buffers import rows_read
from ..bulk_redeliveries import make_delivered_log, make_object_log, make_object_logs, plan_logs, start_redelivery
from ..factories import (
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    import_logs,
    log_document,
    make_company,
    make_log,
    make_log_of_age,
    make_subscription,
    make_waiting_log,
)
from ..html import HTMX, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"


def post(client, bulk, **fields):
    """Post the form of the page, with the initially selected subscriptions."""
    data = {
        "subscriptions": bulk.selected_subscriptions,
        "rollout": RolloutPolicy.STAGES,
        "max_attempts": 1,
        "failure_percent": 20,
    } | fields
    return client.post(
        reverse("logs:bulk_redelivery_start", args=[bulk.pk]), {k: v for k, v in data.items() if v is not None}
    )


def start(client, bulk, seen, **fields):
    return post(client, bulk, **{"reason": "the night's outage", "number": seen} | fields)


def total(response) -> int:
    return int(re.search(r'id="plan-total"[^>]*>\s*<b>([\d,]+)</b>', response.content.decode())[1].replace(",", ""))


def test_a_plan_shows_what_each_subscription_gets(client, operator, subscription):
    make_subscription(OTHER_SUBSCRIPTION, name="Users to HR", is_active=False)
    bulk = plan_logs(operator, [*make_object_logs(range(3)), *make_object_logs([5], OTHER_SUBSCRIPTION)])
    page = client.get(bulk.get_absolute_url())
    assert rows_of(page, "preview-table") == [
        "Include Users to HR Users to HR Inactive 1 1 0 –",
        "Include Work Orders Update Work Orders Update No traffic in 7 days 3 – 3 5 May 2022",
    ]
    assert total(page) == 3
    assert "Send 3 logs" in text_of(page)
    assert "1 Subscription not active" in text_of(page)


@pytest.mark.parametrize(
    ("events", "now"),
    [
        ([(State.FAILED, 3), (State.DELIVERED, 2)], "Recovered"),
        ([(State.DELIVERED, 3), (State.FAILED, 2)], "Still failing"),
        ([(State.DELIVERED, 3)], "Working"),
        ([], "No traffic in 7 days"),
    ],
)
def test_a_plan_shows_whether_the_receiver_has_recovered(client, operator, subscription, events, now):
    for state, hours in events:
        make_log_of_age(subscription, state, timedelta(hours=hours))
    [row] = rows_of(client.get(plan_logs(operator, make_object_logs([1])).get_absolute_url()), "preview-table")
    assert now in row


def test_a_paused_queue_is_mentioned(client, operator, subscription):
    subscription.pause(by=operator)
    page = client.get(plan_logs(operator, make_object_logs([1])).get_absolute_url())
    assert "Queue paused" in rows_of(page, "preview-table")[0]
    assert "1 queue is paused: it sends the logs of this bulk redelivery and stays paused." in text_of(page)


def test_excluded_logs_are_counted_by_reason_and_listed(client, operator, subscription):
    expired, queued, fine = make_object_logs(range(3))
    Payload.objects.filter(pk=expired.pk).delete()
    queued.redeliver(by=operator, expected_attempts=3)
    bulk = plan_logs(operator, [expired, queued, fine])
    page = client.get(bulk.get_absolute_url())
    assert "Excluded, by reason 2 logs" in text_of(page)
    for reason, log in ((SkipReason.EXPIRED, expired), (SkipReason.QUEUED, queued)):
        address = f"{reverse('logs:bulk_redelivery_results', args=[bulk.pk])}?reason={reason}"
        assert address in page.content.decode()
        listed = client.get(address).content.decode()
        assert log.get_absolute_url() in listed and fine.get_absolute_url() not in listed


def test_a_log_taken_by_another_bulk_redelivery_is_shown_before_the_start(client, operator, subscription):
    logs = make_object_logs(range(3))
    bulk = plan_logs(operator, logs)
    start_redelivery(operator, logs[:1])
    page = client.get(bulk.get_absolute_url())
    assert total(page) == 2
    assert "1 In another bulk redelivery" in text_of(page)


class TestChoicesInTheUrl:
    """So that Back, a reload and a link find them again."""

    @pytest.fixture
    def bulk(self, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION, name="Users to HR")
        superseded = make_object_log(1, A)
        make_delivered_log(9, A)
        return plan_logs(operator, [superseded, make_log(2), *make_object_logs([5], OTHER_SUBSCRIPTION)])

    @pytest.mark.parametrize(
        ("choices", "query", "number"),
        [
            ({}, "", 2),
            ({"superseded_policy": "send"}, "?superseded_policy=send", 3),
            ({"includes_delivered": "on", "rate": 7}, "?includes_delivered=on&rate=7", 2),
            ({"rollout": "ask", "failure_percent": 0}, "?rollout=ask&failure_percent=0", 2),
            ({"subscriptions": [SUBSCRIPTION]}, f"?without={OTHER_SUBSCRIPTION}", 1),
            ({"subscriptions": []}, f"?without={SUBSCRIPTION}&without={OTHER_SUBSCRIPTION}", 0),
            ({"rate": "fast", "superseded_policy": "send"}, "?superseded_policy=send", 3),
        ],
    )
    def test_the_url_of_a_preview_shows_the_same_numbers(self, client, bulk, choices, query, number):
        previewed = post(client, bulk, preview="1", **choices)
        assert previewed["HX-Replace-Url"] == bulk.get_absolute_url() + query
        page = client.get(previewed["HX-Replace-Url"])
        assert (total(previewed), total(page)) == (number, number)
        assert text_of(page).count("Nothing was started") == 0

    @pytest.mark.parametrize(
        "query",
        [
            *("?colour=red", "?superseded_policy=all", "?rollout=everything", "?rate=0", "?failure_percent=101"),
            *("?without=625be93a286ef83c1c0e0000", "?rate=1&rate=2", "?includes_delivered=maybe", "?max_attempts=2"),
        ],
    )
    def test_unknown_choices_are_an_error_without_numbers(self, client, bulk, query):
        page = client.get(bulk.get_absolute_url() + query)
        assert page.status_code == 422
        assert "This URL has choices that the plan does not have." in text_of(page)
        assert b'id="plan-total"' not in page.content
        assert f'href="{bulk.get_absolute_url()}"' in page.content.decode()

    def test_so_many_subscriptions_that_a_url_has_no_room_are_not_kept(self, client, operator):
        ids = [f"62685990d918fb5557f9{number:04x}" for number in range(60)]
        for pk in ids:
            make_subscription(pk)
        bulk = plan_logs(operator, [log for number, pk in enumerate(ids) for log in make_object_logs([number], pk)])
        previewed = post(client, bulk, preview="1", subscriptions=ids[:1])
        assert previewed["HX-Replace-Url"] == bulk.get_absolute_url()


class TestTotals:
    """The total agrees with its rows."""

    def test_the_oldest_event_of_the_total_is_the_oldest_of_the_rows(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION, name="Users to HR")
        delivered, logs = make_delivered_log(0, A), make_object_logs([1, 2])
        preview = build_preview(plan_logs(operator, [delivered, *logs, *make_object_logs([3], OTHER_SUBSCRIPTION)]))
        oldest = [queue.oldest for queue in preview.queues.values()]
        assert preview.oldest == min(oldest) == logs[0].created_at > delivered.created_at

    def test_what_is_sent_without_being_selected_is_named_in_rows_and_total(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION, name="Users to HR")
        make_delivered_log(9, A)
        bulk = plan_logs(operator, [make_object_log(1, A), make_log(3), *make_object_logs([5], OTHER_SUBSCRIPTION)])
        page = post(client, bulk, preview="1", superseded_policy=SupersededPolicy.RESEND_LATEST)
        rows = rows_of(page, "preview-table")
        assert "2 – 3 with 1 newest event, sent again" in rows[1]
        assert "1 – 1 5 May" in rows[0]
        assert "Total 3 0 4 with 1 newest event, sent again" in text_of(page)

    def test_logs_taken_by_another_bulk_redelivery_are_behind_their_number(self, client, operator, subscription):
        logs = [*make_object_logs(range(3)), make_object_log(4, A)]
        make_delivered_log(9, A)
        bulk = plan_logs(operator, logs)
        start_redelivery(operator, [logs[0], logs[3]], superseded_policy=SupersededPolicy.SEND)
        text = text_of(client.get(bulk.get_absolute_url()))
        assert "Excluded, by reason 2 logs" in text and "2 In another bulk redelivery" in text
        address = reverse("logs:bulk_redelivery_results", args=[bulk.pk])
        for query, tabs, numbers in (
            ("?reason=other_bulk_redelivery", "All 2 Can be sent 0 Excluded 2", ["1", "4"]),
            ("?outcome=excluded", "All 4 Can be sent 2 Excluded 2", ["1", "4"]),
            ("?outcome=planned", "All 4 Can be sent 2 Excluded 2", ["2", "3"]),
            ("?outcome=superseded", "All 4 Can be sent 2 Excluded 2", []),
        ):
            page = client.get(address + query)
            assert tabs in text_of(page)
            rows = rows_of(page, "logs-table results-table")
            assert [row.split()[0] for row in rows] == numbers
            assert all(("Excluded" in row) == ("planned" not in query) for row in rows)

    def test_ids_beyond_those_that_are_kept_are_not_left_uncounted(self, client, operator, subscription):
        bulk = create_draft(SelectionSource.IDS, by=operator)
        build_plan(bulk, [make_log().pk, *(f"{number:024x}" for number in range(150))])
        assert "At least 100 ids do not match any log you can see" in text_of(client.get(bulk.get_absolute_url()))


def test_unknown_ids_are_shown(client, operator, subscription):
    bulk = create_draft(SelectionSource.IDS, by=operator)
    build_plan(bulk, [make_log().pk, "<b>not an id</b>"])
    page = client.get(bulk.get_absolute_url()).content.decode()
    assert "1 id does not match any log you can see" in page
    assert "&lt;b&gt;not an id&lt;/b&gt;" in page


class TestChoices:
    @pytest.fixture
    def bulk(self, operator, subscription):
        """Two superseded logs of one object, another log, and the newer event, delivered and in the plan as well."""
        newest = make_delivered_log(9, A)
        return plan_logs(operator, [make_object_log(1, A), make_object_log(2, A), make_object_log(3, B), newest])

    @pytest.mark.parametrize(
        ("choices", "number"),
        [
            ({}, 1),
            ({"superseded_policy": SupersededPolicy.SEND}, 3),
            ({"superseded_policy": SupersededPolicy.RESEND_LATEST}, 4),
            ({"includes_delivered": "on"}, 2),
            ({"includes_delivered": "on", "superseded_policy": SupersededPolicy.RESEND_LATEST}, 4),
            ({"subscriptions": []}, 0),
        ],
    )
    def test_the_number_shown_is_the_number_sent(self, client, bulk, choices, number):
        previewed = post(client, bulk, preview="1", **choices)
        assert (previewed.status_code, total(previewed)) == (200, number)
        bulk.refresh_from_db()
        assert bulk.state == BulkRedeliveryState.PLANNED
        if number:
            assert start(client, bulk, number, **choices).status_code == 302
            assert bulk.items.filter(outcome="waiting").count() == number

    def test_each_policy_for_superseded_logs_says_how_many_it_adds(self, client, bulk):
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "2 superseded logs 1 object has a newer event that was delivered" in page
        assert "Send them too Adds 2." in page
        assert "the newest event of each object again Adds 3." in page
        assert "1 log already delivered" in page

    def test_htmx_gets_only_the_parts_that_a_choice_changes(self, client, bulk):
        data = {
            "subscriptions": bulk.selected_subscriptions,
            "rollout": "none",
            "max_attempts": 1,
            "failure_percent": 20,
            "preview": "1",
            "reason": "why",
        }
        answer = client.post(reverse("logs:bulk_redelivery_start", args=[bulk.pk]), data, headers=HTMX).content.decode()
        assert answer.lstrip().startswith('<div class="stack" id="plan-choices"')
        assert 'id="canary-none" name="rollout" value="none" checked' in answer
        assert 'id="plan-start-form" hx-swap-oob="true"' in answer
        assert 'name="reason"' not in answer

    def test_the_whole_page_keeps_the_typed_values_without_htmx(self, client, bulk):
        page = post(client, bulk, preview="1", reason="the <night>").content.decode()
        assert "<!doctype html>" in page
        assert 'value="the &lt;night&gt;"' in page

    def test_a_plan_without_superseded_or_delivered_logs_does_not_ask_about_them(self, client, operator, subscription):
        page = client.get(plan_logs(operator, [make_log()]).get_absolute_url()).content.decode()
        assert 'name="superseded_policy"' not in page
        assert 'name="includes_delivered"' not in page


def test_a_canary_says_how_many_it_sends_first(client, operator, subscription):
    make_subscription(OTHER_SUBSCRIPTION)
    bulk = plan_logs(operator, [*make_object_logs(range(40)), *make_object_logs(range(40, 43), OTHER_SUBSCRIPTION)])
    page = text_of(client.get(bulk.get_absolute_url()))
    assert "2, then 3, then 38." in page
    assert "The bulk redelivery pauses after 2 logs" in page
    assert start(client, bulk, 43).status_code == 302
    stages = list(bulk.items.order_by("stage").values_list("stage", flat=True))
    assert [stages.count(stage) for stage in (1, 2, 3)] == [2, 3, 38]


def test_the_estimated_time_follows_the_slowest_queue_at_its_measured_speed(client, operator, subscription):
    make_subscription(OTHER_SUBSCRIPTION)
    bulk = plan_logs(operator, [*make_object_logs(range(20)), *make_object_logs(range(20, 30), OTHER_SUBSCRIPTION)])
    assert "Estimated time not known not measured yet" in text_of(client.get(bulk.get_absolute_url()))
    WebhookLog.objects.filter(subscription=SUBSCRIPTION).update(duration_ms=2_000)
    WebhookLog.objects.filter(subscription=OTHER_SUBSCRIPTION).update(duration_ms=500)
    assert "Estimated time about 40 s at the last measured speed" in text_of(client.get(bulk.get_absolute_url()))
    assert "Estimated time less than 10 s at" in text_of(
        post(client, bulk, preview="1", subscriptions=[OTHER_SUBSCRIPTION])
    )


def test_a_rate_extends_the_estimated_time(client, operator, subscription):
    bulk = plan_logs(operator, make_object_logs(range(30)))
    WebhookLog.objects.update(duration_ms=100)
    assert "Estimated time less than 10 s" in text_of(client.get(bulk.get_absolute_url()))
    assert "Estimated time about 30 s" in text_of(post(client, bulk, preview="1", rate="1"))


class TestWarnings:
    def test_a_plan_warns_of_obstacles(self, client, operator, settings):
        settings.DELIVERY_ALLOWED_NETWORKS = []
        subscription = make_subscription(url="http://127.0.0.1:9/", is_delivered_here=False)
        make_waiting_log(subscription, 50)
        page = text_of(client.get(plan_logs(operator, make_object_logs([1])).get_absolute_url()))
        assert "The destination check blocks the URL of 1 subscription" in page
        assert "1 event is waiting in these queues" in page
        assert "Cotalker sends the new events of 1 subscription" in page
        assert "No worker is running." in page

    def test_a_plan_without_obstacles_has_no_warning(self, client, operator, subscription):
        Worker.objects.create(id="one", started_at=timezone.now(), seen_at=timezone.now())
        page = client.get(plan_logs(operator, make_object_logs([1])).get_absolute_url()).content.decode()
        assert 'class="notice"' not in page


class TestStart:
    def test_starting_sends_the_selection_and_leads_to_the_bulk_redelivery(self, client, operator, subscription):
        bulk = plan_logs(operator, make_object_logs(range(2)))
        answer = start(client, bulk, 2, rollout=RolloutPolicy.ASK, max_attempts=3, rate=5, failure_percent=10)
        assert (answer.status_code, answer["Location"]) == (302, bulk.get_absolute_url())
        bulk.refresh_from_db()
        started = (BulkRedeliveryState.RUNNING, operator, "the night's outage")
        assert (bulk.state, bulk.started_by, bulk.reason) == started
        assert (bulk.rollout, bulk.max_attempts, bulk.rate, bulk.failure_percent) == (RolloutPolicy.ASK, 3, 5, 10)
        entry = AuditEntry.objects.get(action=AuditAction.BULK_STARTED)
        assert (entry.target, entry.detail) == (f"bulk {bulk.pk}", "2: the night's outage")

    def test_a_second_click_leads_to_the_bulk_redelivery(self, client, operator, subscription):
        bulk = plan_logs(operator, make_object_logs(range(2)))
        start(client, bulk, 2)
        again = start(client, bulk, 2, reason="another")
        assert (again.status_code, again["Location"]) == (302, bulk.get_absolute_url())
        bulk.refresh_from_db()
        assert bulk.reason == "the night's outage"
        assert AuditEntry.objects.filter(action=AuditAction.BULK_STARTED).count() == 1

    def test_starting_is_refused_when_the_numbers_have_changed(self, client, operator, subscription):
        logs = make_object_logs(range(3))
        bulk = plan_logs(operator, logs)
        start_redelivery(operator, logs[:1])
        answer = start(client, bulk, 3)
        assert answer.status_code == 422
        assert "Nothing was started: the numbers have changed." in text_of(answer)
        assert total(answer) == 2
        assert BulkRedelivery.objects.get(pk=bulk.pk).state == BulkRedeliveryState.PLANNED

    @pytest.mark.parametrize(
        "fields",
        [
            {"reason": " "},
            {"reason": None},
            {"reason": "x" * 201},
            {"rollout": "everything"},
            {"rollout": None},
            {"max_attempts": 2},
            {"rate": 0},
            {"rate": "fast"},
            {"failure_percent": 101},
            {"superseded_policy": "all"},
            {"subscriptions": [OTHER_SUBSCRIPTION]},
            {"subscriptions": []},
            {"number": ""},
        ],
    )
    def test_an_invalid_form_starts_nothing_and_says_so(self, client, operator, subscription, fields):
        bulk = plan_logs(operator, make_object_logs(range(2)))
        answer = start(client, bulk, 2, **fields)
        assert answer.status_code == 422
        assert "Nothing was started" in text_of(answer)
        assert BulkRedelivery.objects.get(pk=bulk.pk).state == BulkRedeliveryState.PLANNED

    def test_above_a_thousand_logs_the_number_is_typed(self, client, operator, subscription, monkeypatch):
        monkeypatch.setattr("logs.forms.bulk_redelivery.CONFIRM_ABOVE", 3)
        monkeypatch.setattr("logs.views.bulk_redeliveries.presenters.CONFIRM_ABOVE", 3)
        bulk = plan_logs(operator, make_object_logs(range(4)))
        assert "Type 4 to confirm" in text_of(client.get(bulk.get_absolute_url()))
        for typed in ("", "5", "four"):
            answer = start(client, bulk, 4, typed=typed)
            assert answer.status_code == 422
            assert "Type the number of logs to send: 4." in text_of(answer)
        assert start(client, bulk, 4, typed="4").status_code == 302

    def test_a_user_who_may_only_view_cannot_start(self, client, operator, subscription):
        bulk = plan_logs(operator, make_object_logs([1]))
        operator.groups.set(operator.groups.model.objects.filter(name="Viewer"))
        page = client.get(bulk.get_absolute_url())
        assert "You can view this plan, but not start it." in text_of(page)
        assert start(client, bulk, 1).status_code == 403


class TestBeforeAndAfter:
    def test_a_plan_that_is_being_created_polls(self, client, operator):
        bulk = create_draft(SelectionSource.FILTER, by=operator, query="state=failed")
        page = client.get(bulk.get_absolute_url())
        assert "Creating the plan…" in text_of(page)
        assert b'hx-trigger="every 1s"' in page.content
        build_plan(bulk)
        assert b"every 1s" not in client.get(bulk.get_absolute_url(), headers=HTMX).content

    def test_a_plan_that_could_not_be_created_says_why_and_leads_back(self, client, operator):
        bulk = create_draft(SelectionSource.FILTER, by=operator, query="colour=red")
        build_plan(bulk)
        page = client.get(bulk.get_absolute_url())
        assert "The plan could not be created. Nothing was sent. colour: There is no such filter." in text_of(page)
        assert b'href="/logs/?colour=red"' in page.content
        assert start(client, bulk, 0)["Location"] == bulk.get_absolute_url()

    def test_a_plan_with_nothing_to_send_says_why(self, client, operator):
        bulk = create_draft(SelectionSource.FILTER, by=operator, query="state=failed")
        build_plan(bulk)
        bulk.refresh_from_db()
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "There is nothing to send" in page
        assert "No log matched the filter at that time." in page

    def test_a_plan_with_everything_excluded_says_why_and_has_no_button(self, client, operator, subscription):
        log = make_log()
        Subscription.objects.update(is_active=False)
        page = client.get(plan_logs(operator, [log]).get_absolute_url())
        assert "Subscription not active" in text_of(page)
        assert re.search(r'id="plan-start"[^>]*disabled', page.content.decode())

    def test_a_plan_can_be_discarded(self, client, operator, subscription):
        bulk = plan_logs(operator, make_object_logs([1]))
        answer = client.post(reverse("logs:bulk_redelivery_discard", args=[bulk.pk]), follow=True)
        assert "Plan discarded. Nothing was sent." in text_of(answer)
        assert not BulkRedelivery.objects.exists()
        assert WebhookLog.objects.count() == 1

    def test_a_started_bulk_redelivery_is_not_discarded(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs([1]))
        client.post(reverse("logs:bulk_redelivery_discard", args=[bulk.pk]))
        assert BulkRedelivery.objects.filter(pk=bulk.pk, state=BulkRedeliveryState.RUNNING).exists()


def test_only_its_owner_sees_a_plan(client, operator, subscription, member):
    bulk = plan_logs(operator, make_object_logs([1]))
    client.force_login(member("Operator"))
    for name in ("bulk_redelivery_detail", "bulk_redelivery_results", "bulk_redelivery_csv"):
        assert client.get(reverse(f"logs:{name}", args=[bulk.pk])).status_code == 404
    for name in ("bulk_redelivery_start", "bulk_redelivery_discard", "bulk_redelivery_stop"):
        assert client.post(reverse(f"logs:{name}", args=[bulk.pk])).status_code == 404
    assert BulkRedelivery.objects.get(pk=bulk.pk).state == BulkRedeliveryState.PLANNED


@pytest.mark.parametrize("is_delivered", [False, True])
def test_superseded_logs_are_looked_up_once_for_each_object(client, operator, subscription, is_delivered):
    documents = [log_document(number, {"data": {"_id": A}}) for number in range(0, 400, 2)]
    import_logs(*documents)
    if is_delivered:
        make_delivered_log(201, A)
    before = rows_read()
    ids = [document["_id"] for document in documents]
    answer = client.post("/redeliveries/plan/", {"source": "selected", "log": ids})
    assert rows_read() - before < 3000  # some for each log; not each log for each other
    [bulk] = BulkRedelivery.objects.all()
    assert answer.url == bulk.get_absolute_url()
    assert bulk.items.filter(is_superseded=True).count() == (101 if is_delivered else 0)


def test_a_large_plan_needs_as_many_queries_as_a_small_one(client, operator, subscription):
    make_subscription(OTHER_SUBSCRIPTION, company=make_company())
    few = plan_logs(operator, [make_object_log(0, A), make_delivered_log(1, A)])
    superseded = [make_object_log(number, B) for number in range(2, 7)]
    make_delivered_log(7, B)
    many = plan_logs(
        operator, [*superseded, *make_object_logs(range(8, 40)), *make_object_logs(range(40, 50), OTHER_SUBSCRIPTION)]
    )
    numbers = []
    for bulk in (few, many):
        with CaptureQueriesContext(connection) as captured:
            client.get(bulk.get_absolute_url())
        numbers.append(len(captured))
    assert numbers[0] == numbers[1] <= 17
