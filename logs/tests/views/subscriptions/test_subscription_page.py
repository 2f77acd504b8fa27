"""The page of a subscription: what it shows, and activating it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, Priority, State, Subscription, WebhookLog

from ...factories import make_log_of_age
from .factories import (
    SECRET,
    address_of,
    make_imported,
    make_placeholder,
    make_subscription,
    posted,
    record_of,
)

pytestmark = pytest.mark.django_db


class TestDetail:
    @pytest.mark.parametrize(
        ("states", "expected"),
        [
            ([], "No logs in the last 7 days."),
            (["delivered", "delivered"], "None of 2 logs failed in the last 7 days; the last delivery succeeded"),
            (["delivered", "failed"], "1 of 2 logs failed in the last 7 days; nothing has been delivered since"),
            (["failed", "delivered"], "1 of 2 logs failed in the last 7 days; the last delivery succeeded"),
            (["failed", "failed"], "2 of 2 logs failed in the last 7 days and none was delivered"),
            (["pending"], "1 log in the last 7 days, not finished yet."),
        ],
    )
    def test_one_sentence_answers_first(self, client, subscription, states, expected):
        """`states`: oldest first."""
        for index, state in enumerate(states):
            make_log_of_age(subscription, state, age=timedelta(hours=len(states) - index))
        page = client.get(address_of(subscription)).content.decode()
        sentence = re.search(r'<p class="summary">(.*?)</p>', page, re.DOTALL)[1]
        assert expected in " ".join(re.sub("<[^>]+>", "", sentence).split())

    def test_failures_and_logs_link_their_pages(self, client, subscription):
        failure, other = make_log_of_age(subscription, State.FAILED), make_log_of_age(subscription)
        response = client.get(address_of(subscription))
        assert set(response.context["logs"]) == {failure, other}
        page = response.content.decode()
        list_query = f"?subscription={subscription.pk}"
        assert page.count(f'href="{failure.get_absolute_url()}{list_query}"') == 1
        assert f'href="/logs/{list_query}&amp;state=failed" tabindex="-1"' in page  # a value of a row leads to its logs
        assert f"?state=failed&subscription={subscription.pk}&range=7d" in page.replace("&amp;", "&")

    def test_a_url_that_the_destination_check_blocks_is_mentioned(self, client, company):
        blocked = make_subscription(company, url="http://10.0.4.12/hook")
        assert "10.0.4.12 is not a public address" in client.get(address_of(blocked)).content.decode()

    def test_a_placeholder_says_what_to_do_and_cannot_be_activated(self, client, company):
        placeholder = make_placeholder(company)
        page = client.get(address_of(placeholder)).content.decode()
        assert "Logs refer to this subscription, but it has not been imported yet." in page
        assert address_of(placeholder, "activate") not in page

    def test_differences_to_cotalker_are_shown(self, client, company):
        imported = make_imported(company, name="As at Cotalker")
        client.post(address_of(imported, "edit"), posted(name="As here"))
        response = client.get(address_of(imported))
        assert [(field.column, field.here, field.at_cotalker) for field in response.context["differences"]] == [
            ("name", "As here", "As at Cotalker")
        ]

    def test_the_secret_is_never_shown(self, client, subscription):
        subscription.secret = SECRET
        subscription.save()
        page = client.get(address_of(subscription)).content.decode()
        assert SECRET not in page

    def test_the_token_in_a_url_is_masked(self, client, company):
        holder = make_subscription(company, url="https://example.com/hook?token=abc123")
        assert "abc123" not in client.get(address_of(holder)).content.decode()
        assert "abc123" not in client.get("/subscriptions/").content.decode()

    @pytest.mark.parametrize("view", ["detail", "edit"])
    def test_a_subscription_of_another_company_is_not_found(self, client, foreign, view):
        assert client.get(address_of(foreign, view)).status_code == 404

    def test_queries_are_bounded(self, client, subscription, operator, django_assert_max_num_queries):
        for _number in range(12):
            make_log_of_age(subscription, State.FAILED, attempt_count=3)
            AuditEntry.record(operator, AuditAction.ACTIVATED, subscription.pk)
            queued = {"next_attempt_at": timezone.now(), "sequence": _number, "attempts_left": 3}
            make_log_of_age(subscription, State.PENDING, priority=Priority.NORMAL, **queued)
        subscription.pause(by=operator)
        with django_assert_max_num_queries(13):
            client.get(address_of(subscription))
        Subscription.objects.filter(pk=subscription.pk).update(blocking_log=WebhookLog.objects.failed().first().pk)
        with django_assert_max_num_queries(13):
            client.get(address_of(subscription))


class TestActivation:
    def test_activating_is_audited(self, client, company):
        subscription = make_subscription(company, is_active=False)
        response = client.post(address_of(subscription, "activate"))
        assert response.headers["Location"] == subscription.get_absolute_url()
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields, record_of(subscription)) == (
            True,
            ["is_active"],
            [("activated", "")],
        )

    @pytest.mark.parametrize(("view", "was_active"), [("activate", False), ("deactivate", True)])
    def test_workers_notice_the_activation_and_do_not_send_kept_events(self, client, company, view, was_active):
        subscription = make_subscription(company, is_active=was_active, is_draining=True)
        for _time in range(2):
            client.post(address_of(subscription, view))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.is_draining, subscription.queue_version) == (
            not was_active,
            False,
            1,
        )

    def test_deactivating_is_audited(self, client, subscription):
        client.post(address_of(subscription, "deactivate"))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields) == (False, ["is_active"])
        assert record_of(subscription) == [("deactivated", "")]

    @pytest.mark.parametrize(("is_active", "view"), [(True, "activate"), (False, "deactivate")])
    def test_a_second_activation_changes_nothing(self, client, company, is_active, view):
        subscription = make_subscription(company, is_active=is_active)
        client.post(address_of(subscription, view))
        subscription.refresh_from_db()
        assert (subscription.is_active, subscription.edited_fields, record_of(subscription)) == (is_active, [], [])

    def test_a_placeholder_is_not_activated(self, client, company):
        placeholder = make_placeholder(company)
        page = client.post(address_of(placeholder, "activate"), follow=True).content.decode()
        assert "Not activated. This subscription has not been imported yet." in page
        assert not Subscription.objects.get(pk=placeholder.pk).is_active

    def test_a_subscription_without_a_url_is_not_activated(self, client, company):
        subscription = make_subscription(company, url="", is_active=False)
        page = client.post(address_of(subscription, "activate"), follow=True).content.decode()
        assert "This subscription has no URL." in page
        assert not Subscription.objects.get(pk=subscription.pk).is_active

    @pytest.mark.parametrize(("view", "is_active", "status"), [("activate", False, 302), ("deactivate", True, 405)])
    def test_activating_needs_a_post_and_the_permission(
        self, client, operator, subscription, foreign, view, is_active, status
    ):
        Subscription.objects.update(is_active=is_active)
        assert client.get(address_of(subscription, view)).status_code == status
        assert Subscription.objects.get(pk=subscription.pk).is_active == is_active
        assert client.post(address_of(foreign, view)).status_code == 404
        operator.user_permissions.clear()
        assert client.post(address_of(subscription, view)).status_code == 403
