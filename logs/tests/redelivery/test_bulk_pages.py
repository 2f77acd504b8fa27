"""The page of a bulk redelivery and its controls, the list of bulk redeliveries, and other pages that mention them."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from logs.models import (
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    RolloutPolicy,
    SelectionSource,
    SkipReason,
)
from logs.redelivery.controls import exclude_subscription, pause_bulk, resume_bulk, stop_bulk
from logs.redelivery.dispatcher import dispatch
from logs.redelivery.drafts import build_plan, create_draft

from ..bulk_redeliveries import make_object_logs, outcomes, plan_logs, start_redelivery
from ..factories import OTHER_SUBSCRIPTION, SUBSCRIPTION, make_company, make_log, make_subscription
from ..html import HTMX, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
LIST = "/redeliveries/"


def record_outcomes(bulk, outcomes_, ago=timedelta(seconds=10)):
    """Store outcomes of the first items of a bulk redelivery, as a worker would."""
    for number, outcome in enumerate(outcomes_, start=1):
        is_failed = outcome == ItemOutcome.FAILED
        bulk.items.filter(number=number).update(
            outcome=outcome,
            status=503 if is_failed else 200,
            cause="http_5xx" if is_failed else "",
            fingerprint="503 token=secretsecret" if is_failed else "",
            attempt_number=4,
            duration_ms=100,
            queued_at=timezone.now() - ago,
            finished_at=timezone.now() - ago,
        )


def act(client, bulk, name, *args, follow=True):
    return client.post(reverse(f"logs:{name}", args=[bulk.pk, *args]), follow=follow)


OK, BAD = ItemOutcome.DELIVERED, ItemOutcome.FAILED


class TestBulkPage:
    def test_the_page_shows_the_progress_overall_and_by_subscription(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION, name="Users to HR")
        bulk = start_redelivery(
            operator, [*make_object_logs(range(4)), *make_object_logs(range(4, 6), OTHER_SUBSCRIPTION)]
        )
        record_outcomes(bulk, [OK, BAD, OK])
        page = client.get(bulk.get_absolute_url())
        text = text_of(page)
        assert "3 of 6 sent: 2 delivered, 1 failed" in text
        assert "3 of 6 sent 50 %" in text
        assert "Delivered 2 Failed 1 Remaining 3 Skipped 0 Excluded by the plan 0" in text
        assert rows_of(page, "bulk-queues-table") == [
            "Work Orders Update 2 1 – 1 Exclude…",
            "Users to HR – – – 2 Exclude…",
        ]

    def test_only_the_first_subscriptions_are_shown_those_with_failures_before_others(self, client, operator):
        ids = [f"62685990d918fb5557f9{number:04x}" for number in range(10)]
        for pk in ids:
            make_subscription(pk, name=f"Orders {pk[-1]}", url="http://127.0.0.1:9/")
        logs = [log for number, pk in enumerate(ids) for log in make_object_logs([number], pk)]
        bulk = start_redelivery(operator, logs)
        record_outcomes(bulk, [OK] * 9 + [BAD])
        page = client.get(bulk.get_absolute_url())
        assert [row.split()[1] for row in rows_of(page, "bulk-queues-table")] == list("90123456")
        assert "2 more subscriptions" in text_of(page)
        assert len(rows_of(client.get(f"{bulk.get_absolute_url()}?all"), "bulk-queues-table")) == 10

    def test_failures_are_grouped_by_cause_with_secrets_masked(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(3)))
        record_outcomes(bulk, [BAD, BAD, OK])
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "Failed again, by cause 2 logs Error at the receiver (5xx) 2 503 token=••••••••" in page
        assert "secretsecret" not in page

    def test_causes_that_are_not_listed_are_counted(self, client, operator, subscription, monkeypatch):
        monkeypatch.setattr("logs.redelivery.progress.TOP_CAUSES", 1)
        bulk = start_redelivery(operator, make_object_logs(range(4)))
        record_outcomes(bulk, [BAD, BAD, BAD, OK])
        bulk.items.filter(number=3).update(cause="timeout", fingerprint="")
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "Failed again, by cause 3 logs Error at the receiver (5xx) 2 503 token=••••••••" in page
        assert "Other causes 1" in page

    def test_the_stages_of_the_canary_show_the_progress(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(20)), rollout=RolloutPolicy.STAGES)
        record_outcomes(bulk, [OK])
        BulkRedelivery.objects.update(stage=2)
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "One of each subscription Passed 1 of 1 sent" in page
        assert "10 % Running 0 of 1 sent" in page
        assert "The rest Next 0 of 18 sent" in page

    def test_pace_and_remaining_time_are_shown_once_measured(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(12)))
        assert " left" not in text_of(client.get(bulk.get_absolute_url()))
        record_outcomes(bulk, [OK] * 6)
        BulkRedelivery.objects.update(failures_counted_from=timezone.now() - timedelta(seconds=60))
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "6 per minute" in page
        assert "Time left: about 60 s." in page

    def test_nothing_is_called_sent_or_delivered_before_the_first_attempt(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(3)))
        for _page in range(2):
            page = text_of(client.get(bulk.get_absolute_url()))
            assert "Nothing sent yet." in page
            assert "0 of 3 sent 0 %" in page
            dispatch()  # now they are in their queue, which isn't sent yet either

    def test_a_log_that_is_retried_was_sent(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(3)), max_attempts=3)
        record_outcomes(bulk, [OK])
        bulk.items.filter(number=2).update(outcome=ItemOutcome.QUEUED, attempt_number=4, status=503)
        assert "2 of 3 sent: 1 delivered, 1 being retried." in text_of(client.get(bulk.get_absolute_url()))

    def test_superseded_and_skipped_logs_are_not_counted_as_sent(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(5)))
        record_outcomes(bulk, [OK])
        for number, reason in ((2, SkipReason.SUPERSEDED), (3, SkipReason.SUPERSEDED), (4, SkipReason.EXPIRED)):
            bulk.items.filter(number=number).update(outcome=ItemOutcome.SKIPPED, skip_reason=reason)
        text = text_of(client.get(bulk.get_absolute_url()))
        assert "1 of 5 sent: 1 delivered. 2 logs were superseded and not sent. 1 log was skipped." in text
        assert "1 of 5 sent 20 %" in text

    def test_the_remaining_time_follows_the_last_minute_not_the_start(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(40)))
        record_outcomes(bulk, [OK] * 30, ago=timedelta(minutes=30))
        BulkRedelivery.objects.update(failures_counted_from=timezone.now() - timedelta(hours=1))
        assert " left" not in text_of(client.get(bulk.get_absolute_url()))  # nothing in the last minute
        bulk.items.filter(number__lte=6).update(finished_at=timezone.now() - timedelta(seconds=10))
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "6 per minute" in page
        assert "Time left: about 2 min." in page

    def test_a_stopped_bulk_redelivery_says_what_was_sent(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(4)))
        record_outcomes(bulk, [OK, BAD])
        stop_bulk(bulk, by=operator)
        text = text_of(client.get(bulk.get_absolute_url()))
        assert "Stopped. 2 of 4 sent: 1 delivered, 1 failed" in text
        assert "2 logs were skipped." in text

    def test_the_page_polls_only_while_the_bulk_redelivery_is_open(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs([1]))
        assert b'hx-trigger="every 1s"' in client.get(bulk.get_absolute_url(), headers=HTMX).content
        pause_bulk(bulk, by=operator)
        assert b'hx-trigger="every 5s"' in client.get(bulk.get_absolute_url(), headers=HTMX).content
        stop_bulk(bulk, by=operator)
        assert b"hx-trigger" not in client.get(bulk.get_absolute_url(), headers=HTMX).content

    @pytest.mark.parametrize("element", ["bulk-live", "bulk-parts"])
    def test_each_polling_part_gets_only_itself(self, client, operator, subscription, element):
        bulk = start_redelivery(operator, make_object_logs([1]))
        address = f"{bulk.get_absolute_url()}?seen=running"
        answer = client.get(address, headers=HTMX | {"hx-target": element}).content.decode()
        assert re.findall(r'id="(bulk-live|bulk-parts)"', answer) == [element]

    def test_a_page_with_all_subscriptions_keeps_them_when_the_state_changes(self, client, operator):
        ids = [f"62685990d918fb5557f9{number:04x}" for number in range(10)]
        for pk in ids:
            make_subscription(pk, name=f"Orders {pk[-1]}", url="http://127.0.0.1:9/")
        bulk = start_redelivery(
            operator, [log for number, pk in enumerate(ids) for log in make_object_logs([number], pk)]
        )
        page = client.get(f"{bulk.get_absolute_url()}?all").content.decode()
        [polled] = re.findall(r'id="bulk-live" hx-get="([^"]+)"', page)
        pause_bulk(bulk, by=operator)
        answer = client.get(html.unescape(polled), headers=HTMX | {"hx-target": "bulk-live"})
        assert len(rows_of(answer, "bulk-queues-table")) == 10

    def test_all_parts_are_sent_when_the_state_has_changed(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs([1]))
        pause_bulk(bulk, by=operator)
        address = f"{bulk.get_absolute_url()}?seen=running"
        answer = client.get(address, headers=HTMX | {"hx-target": "bulk-live"}).content.decode()
        assert re.findall(r'id="(bulk-live|bulk-parts)"( hx-swap-oob="true")?', answer) == [
            ("bulk-live", ""),
            ("bulk-parts", ' hx-swap-oob="true"'),
        ]

    @pytest.mark.parametrize(
        ("reason", "text"),
        [
            (PauseReason.PERSON, "Paused by a user."),
            (PauseReason.CANARY_FAILED, "Auto-paused: a log of the canary failed."),
            (PauseReason.CANARY_DONE, "The canary was delivered. Waiting for your confirmation."),
            (PauseReason.FAILURES, "Auto-paused: more than 20 % of the last 50 logs failed."),
            (PauseReason.FAULT, "Auto-paused: an unexpected error."),
            (PauseReason.ACCOUNT, "Auto-paused: the user who started it can no longer redeliver."),
        ],
    )
    def test_a_paused_bulk_redelivery_says_why_and_has_one_button_to_resume(
        self, client, operator, subscription, reason, text
    ):
        bulk = start_redelivery(operator, make_object_logs([1]), failure_percent=20)
        pause_bulk(bulk, by=None, reason=reason)
        page = client.get(bulk.get_absolute_url())
        assert text in text_of(page)
        assert page.content.decode().count(reverse("logs:bulk_redelivery_resume", args=[bulk.pk])) == 1

    def test_the_activity_says_who_did_what(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(2)))
        pause_bulk(bulk, by=operator)
        resume_bulk(bulk, by=operator)
        pause_bulk(bulk, by=None, reason=PauseReason.FAILURES)
        exclude_subscription(bulk, SUBSCRIPTION, by=operator)
        other = start_redelivery(operator, make_object_logs([5]))
        stop_bulk(other, by=operator)
        page = text_of(client.get(bulk.get_absolute_url()))
        activity = page[page.index("Activity ") :]
        texts = ["excluded Work Orders Update", "paused it: too many of the latest logs failed", "resumed it"]
        places = [activity.index(text) for text in texts]
        places += [activity.rindex("paused it"), activity.index("started it with 2")]
        assert places == sorted(places)
        assert "stopped it" not in activity

    def test_the_page_says_how_it_was_started(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs([1]), max_attempts=3, rate=7)
        page = text_of(client.get(bulk.get_absolute_url()))
        assert "Reason the night's outage" in page
        assert "Attempts per log 3" in page
        assert "at most 7 per second" in page

    @pytest.mark.parametrize(
        ("outcomes_", "sentence"),
        [
            ([OK, OK], "All 2 logs were delivered."),
            ([OK, BAD], "All 2 sent: 1 delivered, 1 failed"),
            ([BAD, BAD], "All 2 sent: 2 failed"),
            ([OK, ItemOutcome.SKIPPED], "1 of 2 sent: 1 delivered. 1 log was skipped."),
            ([ItemOutcome.SKIPPED, ItemOutcome.SKIPPED], "Nothing was sent. 2 logs were skipped."),
        ],
    )
    def test_a_finished_bulk_redelivery_is_summarized_in_one_sentence(
        self, client, operator, subscription, outcomes_, sentence
    ):
        bulk = start_redelivery(operator, make_object_logs(range(2)))
        record_outcomes(bulk, outcomes_)
        BulkRedelivery.objects.update(state=BulkRedeliveryState.FINISHED, ended_at=timezone.now())
        assert sentence in text_of(client.get(bulk.get_absolute_url()))

    def test_many_logs_need_as_many_queries_as_few(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION)
        few = start_redelivery(operator, make_object_logs([0, 40]))
        many = start_redelivery(
            operator, [*make_object_logs(range(1, 30)), *make_object_logs(range(30, 40), OTHER_SUBSCRIPTION)]
        )
        record_outcomes(few, [BAD])
        record_outcomes(many, [BAD, OK] * 10)
        BulkRedelivery.objects.update(failures_counted_from=timezone.now() - timedelta(seconds=60))
        numbers = []
        for bulk in (few, many):
            with CaptureQueriesContext(connection) as captured:
                client.get(bulk.get_absolute_url())
            numbers.append(len(captured))
        assert numbers[0] == numbers[1] <= 17


class TestControls:
    def test_a_bulk_redelivery_is_paused_resumed_and_stopped(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(2)))
        for name, state in (
            ("bulk_redelivery_pause", BulkRedeliveryState.PAUSED),
            ("bulk_redelivery_resume", BulkRedeliveryState.RUNNING),
            ("bulk_redelivery_stop", BulkRedeliveryState.STOPPED),
        ):
            assert act(client, bulk, name).redirect_chain == [(bulk.get_absolute_url(), 302)]
            bulk.refresh_from_db()
            assert bulk.state == state
        assert {entry.actor for entry in AuditEntry.objects.all()} == {operator}

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("bulk_redelivery_pause", "there was nothing to pause"),
            ("bulk_redelivery_resume", "It is no longer paused."),
            ("bulk_redelivery_stop", "It has already ended."),
        ],
    )
    def test_a_second_click_changes_nothing_and_says_so(self, client, operator, subscription, name, text):
        bulk = start_redelivery(operator, make_object_logs([1]))
        stop_bulk(bulk, by=operator)
        recorded = AuditEntry.objects.count()
        assert text in text_of(act(client, bulk, name))
        assert AuditEntry.objects.count() == recorded

    def test_a_subscription_can_be_excluded(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION, name="Users to HR")
        kept, excluded = make_object_logs([1]), make_object_logs([2], OTHER_SUBSCRIPTION)
        bulk = start_redelivery(operator, [*kept, *excluded])
        text = text_of(act(client, bulk, "bulk_redelivery_exclude", OTHER_SUBSCRIPTION))
        assert "This bulk redelivery sends nothing more to Users to HR." in text
        assert outcomes(bulk) == {
            kept[0].pk: ("waiting", ""),
            excluded[0].pk: (ItemOutcome.SKIPPED, SkipReason.SUBSCRIPTION_EXCLUDED),
        }
        assert "There was nothing left to send." in text_of(
            act(client, bulk, "bulk_redelivery_exclude", OTHER_SUBSCRIPTION)
        )

    def test_a_subscription_outside_the_bulk_redelivery_is_not_found(self, client, operator, subscription):
        make_subscription(OTHER_SUBSCRIPTION)
        bulk = start_redelivery(operator, make_object_logs([1]))
        assert act(client, bulk, "bulk_redelivery_exclude", OTHER_SUBSCRIPTION).status_code == 404

    def test_a_viewer_sees_it_and_has_no_controls(self, client, operator, subscription, member):
        bulk = start_redelivery(operator, make_object_logs([1]))
        client.force_login(member("Viewer"))
        page = client.get(bulk.get_absolute_url())
        assert page.status_code == 200
        assert b'id="bulk-stop"' not in page.content and b'id="bulk-pause"' not in page.content
        for name in (
            "bulk_redelivery_pause",
            "bulk_redelivery_resume",
            "bulk_redelivery_stop",
            "bulk_redelivery_discard",
        ):
            assert act(client, bulk, name).status_code == 403
        assert act(client, bulk, "bulk_redelivery_exclude", SUBSCRIPTION).status_code == 403

    def test_a_get_request_of_an_action_does_nothing(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs([1]))
        assert client.get(reverse("logs:bulk_redelivery_stop", args=[bulk.pk])).status_code == 405


class TestTwoCompanies:
    @pytest.fixture
    def stranger(self, member):
        return member("Operator", make_company("625be93a286ef83c1c0e0000", "Other"))

    def test_two_companies_neither_see_nor_control_each_others_bulk_redeliveries(
        self, client, operator, subscription, stranger
    ):
        bulk = start_redelivery(operator, make_object_logs([1]), reason="ours alone")
        client.force_login(stranger)
        for name in ("bulk_redelivery_detail", "bulk_redelivery_results", "bulk_redelivery_csv"):
            assert client.get(reverse(f"logs:{name}", args=[bulk.pk])).status_code == 404
        for name in (
            "bulk_redelivery_start",
            "bulk_redelivery_pause",
            "bulk_redelivery_resume",
            "bulk_redelivery_stop",
            "bulk_redelivery_discard",
        ):
            assert act(client, bulk, name).status_code == 404
        assert act(client, bulk, "bulk_redelivery_exclude", SUBSCRIPTION).status_code == 404
        for address in (LIST, "/"):
            assert "ours alone" not in text_of(client.get(address))
        assert BulkRedelivery.objects.get(pk=bulk.pk).state == BulkRedeliveryState.RUNNING

    def test_a_bulk_redelivery_of_two_companies_needs_membership_of_both(
        self, client, operator, subscription, stranger, member
    ):
        make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000"))
        both = member("Operator")
        make_company("625be93a286ef83c1c0e0000").users.add(both)
        bulk = start_redelivery(both, [*make_object_logs([1]), *make_object_logs([2], OTHER_SUBSCRIPTION)])
        for user, status in ((both, 200), (operator, 404), (stranger, 404)):
            client.force_login(user)
            assert client.get(bulk.get_absolute_url()).status_code == status


class TestList:
    def test_running_bulk_redeliveries_come_first_then_the_newest(self, client, operator, subscription):
        bulks = [
            start_redelivery(operator, make_object_logs([number]), reason=f"reason {number}") for number in range(4)
        ]
        record_outcomes(bulks[3], [BAD])
        for bulk in bulks[1:]:
            stop_bulk(bulk, by=operator)
        rows = rows_of(client.get(LIST), "bulk-redeliveries-table")
        assert [row.split(" · ")[2].split()[:3] for row in rows] == [
            ["reason", "0", "Running"],
            ["reason", "3", "Stopped"],
            ["reason", "2", "Stopped"],
            ["reason", "1", "Stopped"],
        ]
        assert rows[1].endswith("0 1 – –")

    def test_the_next_page_omits_open_bulk_redeliveries(self, client, operator, subscription, monkeypatch):
        monkeypatch.setattr("logs.views.bulk_redeliveries.bulk_redeliveries.PAGE", 2)
        bulks = [
            start_redelivery(operator, make_object_logs([number]), reason=f"reason {number}") for number in range(4)
        ]
        for bulk in bulks[:3]:
            stop_bulk(bulk, by=operator)
        first = client.get(LIST)
        assert [row.split(" · ")[2].split()[1] for row in rows_of(first, "bulk-redeliveries-table")[:3]] == [
            "3",
            "2",
            "1",
        ]
        more = text_of(client.get(f"{LIST}?before={bulks[1].pk}", headers=HTMX))
        assert "reason 0" in more and "reason 3" not in more

    def test_the_list_shows_the_users_plans(self, client, operator, subscription, member):
        bulk = plan_logs(operator, make_object_logs(range(2)))
        page = text_of(client.get(LIST))
        assert f"Selected logs · 2 logs, 2 to send Planned Discard… Plan #{bulk.pk} ·" in page
        client.force_login(member("Operator"))
        assert f"Plan #{bulk.pk}" not in text_of(client.get(LIST))

    def test_a_plan_is_discarded_in_the_list_after_a_confirmation(self, client, operator, subscription):
        bulk, other = plan_logs(operator, make_object_logs(range(2))), plan_logs(operator, make_object_logs([3]))
        form = BeautifulSoup(client.get(LIST).content, "html.parser").find(id=f"plan-discard-{bulk.pk}").parent
        assert form["method"] == "post"
        assert form.find("input", {"name": "csrfmiddlewaretoken"})
        assert form["data-confirm-title"] == f"Discard plan #{bulk.pk}?"
        assert form["data-confirm"] == (
            "Selected logs · 2 logs, 2 to send. Nothing was sent. The logs stay as they are."
        )
        text = text_of(client.post(form["action"], follow=True))
        assert "Plan discarded. Nothing was sent." in text
        assert [plan.pk for plan in BulkRedelivery.objects.all()] == [other.pk]

    def test_plans_that_are_not_ready_or_have_a_problem_have_no_numbers(self, client, operator, subscription):
        query = "state=failed&colour=red"
        create_draft(SelectionSource.FILTER, by=operator, query="state=failed")
        build_plan(create_draft(SelectionSource.FILTER, by=operator, query=query))
        page = text_of(client.get(LIST))
        assert "Failed Planning Discard…" in page
        assert "Failed, colour=red No plan Discard…" in page

    def test_an_empty_list_explains_how_to_plan_one(self, client, operator):
        page = client.get(LIST)
        assert "No bulk redeliveries yet" in text_of(page)
        assert b'href="/logs/?state=failed"' in page.content

    def test_an_invalid_cursor_is_an_error(self, client, operator):
        for cursor in ("x", "0", "-1", "9" * 30):
            assert client.get(f"{LIST}?before={cursor}").status_code == 422

    def test_an_unknown_parameter_is_an_error(self, client, operator):
        assert client.get(f"{LIST}?x=1").status_code == 422

    def test_twenty_bulk_redeliveries_need_as_many_queries_as_one(self, client, operator, subscription):
        start_redelivery(operator, make_object_logs([0]))
        numbers = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as captured:
                client.get(LIST)
            numbers.append(len(captured))
            for number in range(1, 20):
                if not numbers[1:]:
                    start_redelivery(operator, make_object_logs([number]))
        assert numbers[0] == numbers[1] <= 13

    def test_the_overview_shows_what_is_running(self, client, operator, subscription):
        bulk = start_redelivery(operator, make_object_logs(range(2)), reason="the morning")
        record_outcomes(bulk, [OK])
        assert f"Selected logs · 2 logs Running #{bulk.pk} · the morning · 1 of 2 sent: 1 delivered." in text_of(
            client.get("/")
        )
        stop_bulk(bulk, by=operator)
        assert "the morning" not in text_of(client.get("/"))


class TestOfALog:
    def test_a_log_shows_its_bulk_redeliveries(self, client, operator, subscription):
        [log] = make_object_logs([1])
        bulk = start_redelivery(operator, [log])
        stop_bulk(bulk, by=operator)
        page = client.get(log.get_absolute_url())
        assert (
            f"Bulk redeliveries Selected logs Skipped #{bulk.pk} · the night's outage · The bulk redelivery was stopped."
            in text_of(page)
        )
        assert bulk.get_absolute_url().encode() in page.content

    def test_a_plan_is_not_shown(self, client, operator, subscription):
        [log] = make_object_logs([1])
        plan_logs(operator, [log])
        assert "Bulk redeliveries" not in text_of(client.get(log.get_absolute_url()))

    def test_a_bulk_redelivery_that_the_user_may_not_see_is_hidden(self, client, operator, subscription, member):
        make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000"))
        both = member("Operator")
        make_company("625be93a286ef83c1c0e0000").users.add(both)
        [log] = make_object_logs([1])
        start_redelivery(both, [log, *make_object_logs([2], OTHER_SUBSCRIPTION)])
        assert "Bulk redeliveries" not in text_of(client.get(log.get_absolute_url()))


@pytest.mark.django_db(transaction=True)
def test_its_page_the_log_and_the_attempt_show_the_bulk_redelivery(client, operator, receiver, deliver_bulk):
    make_subscription(url=receiver.url)
    log = make_log()
    bulk = deliver_bulk(start_redelivery(operator, [log]))
    assert "The log was delivered." in text_of(client.get(bulk.get_absolute_url()))
    page = client.get(log.get_absolute_url())
    assert f"Delivered on attempt 4 bulk redelivery {bulk.pk}" in text_of(page)
    assert f'<a href="{bulk.get_absolute_url()}">bulk redelivery {bulk.pk}</a>' in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_requeued_log_is_pending_in_lists(client, operator, receiver):
    make_subscription(url=receiver.url)
    log = make_log()
    start_redelivery(operator, [log])
    dispatch()
    log.refresh_from_db()
    assert (log.state, log.is_queued) == ("failed", True)
    row = client.get(reverse("logs:webhook_log_row", args=[log.pk])).content.decode()
    assert 'class="badge" data-state="pending"' in row and 'data-state="failed"' not in row
