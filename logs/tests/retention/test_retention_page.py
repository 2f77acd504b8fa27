"""The page Retention, and what other pages say of payloads that have expired."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.urls import reverse

from logs.models import AuditAction, AuditEntry, Payload, Retention
from logs.retention import log_deletion
from logs.retention.prune import prune

from ..factories import make_log, make_subscription, make_waiting_log
from ..html import text_of

pytestmark = pytest.mark.django_db
PAGE = reverse("logs:retention_detail")
CONFIRM = reverse("logs:retention_confirm")
EXPIRED = "The payload expired on 1 Jul 2022. Payloads are kept for 30 days after the end of their month."


@pytest.fixture
def superuser(client, django_user_model):
    user = django_user_model.objects.create_superuser("ana")
    client.force_login(user)
    return user


def words_of(response) -> str:
    return " ".join(text_of(response).split())


def days() -> tuple[int | None, int | None]:
    retention = Retention.current()
    return retention.payload_days, retention.log_days


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("address", [PAGE, CONFIRM])
def test_only_a_superuser_sees_the_page(client, member, address, method):
    client.force_login(member("Administrator"))
    assert getattr(client, method)(address, {"payload_days": 1}).status_code in (403, 405)
    assert PAGE not in client.get("/").content.decode()
    assert days() == (None, None)


def test_everything_is_kept_until_days_are_set_and_days_are_suggested(client, superuser):
    make_subscription()
    make_log()
    page = words_of(client.get(PAGE))
    assert "Payloads are kept forever. Logs are kept forever." in page
    assert "Leave empty to keep forever. Suggested: 90." in page
    assert "Leave empty to keep forever. Suggested: 400." in page
    assert "Would be removed now with the suggested values 1 payload from before" in page
    assert "1 log from before" in page
    assert "Last run none yet Changed never" in page


def test_a_superuser_who_sets_days_sees_what_will_be_deleted_and_it_is_audited(client, superuser):
    subscription = make_subscription()
    for number in range(3):
        make_log(number)
    make_waiting_log(subscription, 3)
    params = {"payload_days": "90", "log_days": "400"}
    question = words_of(client.get(CONFIRM, params))
    assert "The next retention run permanently deletes, in all companies: 4 payloads from before" in question
    assert "3 logs from before" in question
    assert days() == (None, None)
    page = words_of(client.post(CONFIRM, params, follow=True))
    assert "The retention was changed." in page
    assert "Payloads are kept for 90 days . Logs are kept for 400 days ." in page
    assert days() == (90, 400)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == (superuser, AuditAction.RETENTION_CHANGED)
    assert entry.detail == "payloads: – → 90, logs: – → 400"
    assert Payload.objects.count() == 4  # until the next run
    call_command("prune_logs")
    page = words_of(client.get(PAGE))
    assert "3 payloads, 3 logs" in page
    assert "by ana" in page
    assert "Would be removed now 1 payload from before" in page  # of what waits


def test_clearing_the_days_keeps_everything_again(client, superuser):
    Retention.change(payload_days=90, log_days=400, by=superuser)
    question = words_of(client.get(CONFIRM, {"payload_days": "", "log_days": ""}))
    assert "Nothing has expired under this setting: the next retention run deletes nothing." in question
    client.post(CONFIRM, {"payload_days": "", "log_days": ""})
    assert days() == (None, None)


def test_the_same_days_again_change_nothing(client, superuser):
    Retention.change(payload_days=90, log_days=400, by=superuser)
    same = {"payload_days": "90", "log_days": "400"}
    assert "No change: this setting is already active" in words_of(client.get(CONFIRM, same))
    assert "No change: that was already the setting." in words_of(client.post(CONFIRM, same, follow=True))
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"payload_days": "0"}, "greater than or equal to 1"),
        ({"payload_days": "-90"}, "greater than or equal to"),
        ({"log_days": "36501"}, "less than or equal to 36500"),
        ({"log_days": "1" * 400}, "less than or equal to 36500"),
        ({"payload_days": "ninety"}, "Enter a whole number."),
        ({"payload_days": "400", "log_days": "90"}, "A payload cannot be kept longer than its log."),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_wrong_days_are_reported_and_change_nothing(client, superuser, method, params, problem):
    answer = getattr(client, method)(CONFIRM, params)
    assert answer.status_code == 422
    assert problem in words_of(answer)
    assert "Constraint" not in words_of(answer)
    assert days() == (None, None)


def test_the_page_needs_no_more_queries_for_many_months_than_for_one(client, superuser, django_assert_max_num_queries):
    make_subscription()
    for month in range(1, 13):
        created = int(datetime(2021, month, 3, tzinfo=UTC).timestamp())
        make_log(_id=f"{created:08x}{month:016x}")
    with django_assert_max_num_queries(20):
        assert "12 payloads" in words_of(client.get(PAGE))


# Expired payloads


@pytest.fixture
def expired(superuser):
    """A log whose payload was removed: payloads are kept for 30 days."""
    make_subscription()
    log = make_log(event={"diff": {"/name": {"previous": "a", "changedTo": "b"}}})
    Retention.change(payload_days=30, log_days=None, by=superuser)
    call_command("prune_logs")
    return log


@pytest.mark.parametrize("part", ["detail", "raw", "changes"])
def test_the_page_of_a_log_says_when_and_why_its_payload_expired(client, expired, part):
    page = client.get(reverse(f"logs:webhook_log_{part}", args=[expired.pk]))
    assert EXPIRED in words_of(page)
    assert "the event can’t be redelivered" in words_of(page)
    assert f'<a href="{PAGE}">' in page.content.decode()
    assert reverse("logs:payload_curl", args=[expired.pk]) not in page.content.decode()
    assert reverse("logs:payload_download", args=[expired.pk]) not in page.content.decode()


def test_a_viewer_sees_the_reason_without_a_link_to_the_setting(client, expired, member):
    client.force_login(member("Viewer"))
    page = client.get(expired.get_absolute_url())
    assert EXPIRED in words_of(page)
    assert PAGE not in page.content.decode()


def test_a_longer_retention_set_later_does_not_give_a_wrong_reason(client, expired, superuser):
    Retention.change(payload_days=None, log_days=None, by=superuser)
    page = words_of(client.get(expired.get_absolute_url()))
    assert "The payload has expired , like all payloads from before" in page
    assert "1 Jul 2022" not in page


def test_an_expired_payload_not_removed_by_retention_has_no_reason(client, superuser):
    make_subscription()
    log = make_log()
    Payload.objects.all().delete()
    page = words_of(client.get(log.get_absolute_url()))
    assert "The payload has expired. State, attempts and causes are kept" in page


@pytest.mark.parametrize("name", ["payload_chunk", "payload_value", "payload_download", "payload_curl"])
def test_an_expired_payload_has_no_derived_pages(client, expired, name):
    answer = client.get(reverse(f"logs:{name}", args=[expired.pk]), {"pointer": "/data"})
    assert answer.status_code == 404


@pytest.mark.parametrize("part", ["request", "response"])
def test_the_rest_of_the_log_is_still_shown(client, expired, part):
    page = words_of(client.get(reverse(f"logs:webhook_log_{part}", args=[expired.pk])))
    assert "connect ETIMEDOUT 67.225.146.248:443" in page


def test_a_log_without_its_payload_is_not_redelivered(client, expired):
    answer = client.post(reverse("logs:redelivery_create", args=[expired.pk]), {"expected_attempts": 3}, follow=True)
    assert "Its payload has expired." in words_of(answer)
    expired.refresh_from_db()
    assert (expired.state, expired.is_queued) == ("failed", False)


# Pruning in progress

STOP = reverse("logs:retention_stop")


@pytest.mark.django_db(transaction=True)
def test_the_button_of_the_page_stops_pruning(client, superuser, monkeypatch):
    monkeypatch.setattr(log_deletion, "DELETE_BATCH_SIZE", 1)
    make_subscription()
    for number in range(3):
        make_log(number)
    Retention.objects.create(pk=1, log_days=1)
    pages: list[str] = []

    def press_stop(outcome) -> None:
        if outcome.logs == 1:
            assert f'action="{STOP}"' in client.get(PAGE).content.decode()
            pages.append(words_of(client.post(STOP, follow=True)))

    assert prune(on_step=press_stop).logs == 1
    assert "The run is stopping. What it has removed stays removed; the next run continues." in pages[0]
    assert "A run is stopping." in pages[0]
    page = words_of(client.get(PAGE))
    assert "0 payloads, 1 log (stopped early)" in page
    assert "A run is" not in page
    assert AuditEntry.objects.get().action == AuditAction.RETENTION_STOPPED
    assert prune().logs == 2  # the next run is an ordinary one
    assert "(stopped" not in words_of(client.get(PAGE))


def test_the_button_does_nothing_when_nothing_is_being_pruned(client, superuser):
    Retention.objects.create(pk=1, log_days=1)
    assert STOP not in client.get(PAGE).content.decode()
    assert "Nothing to stop: no run is in progress." in words_of(client.post(STOP, follow=True))
    assert Retention.current().stop_requested_at is None


def test_only_a_superuser_stops_pruning_and_only_by_post(client, member, superuser):
    assert client.get(STOP).status_code == 405
    client.handler.enforce_csrf_checks = True
    assert client.post(STOP).status_code == 403
    client.handler.enforce_csrf_checks = False
    client.force_login(member("Administrator"))
    assert client.post(STOP).status_code == 403
