"""Redelivering with changes: the form, its errors, the preview, the permissions, and what the pages show afterwards."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from logs.models import AuditAction, AuditEntry, Payload, RedeliveryOverride, State

from ..factories import make_log, make_subscription
from ..receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://93.184.216.34/hook"


@pytest.fixture
def log():
    make_subscription()
    return make_log(event={"data": {"_id": "62742b7562f37034d9399914", "name": "Pump", "n": 1}})


@pytest.fixture
def secretive():
    """A log with masked values."""
    make_subscription()
    return make_log(event={"data": {"name": "Pump", "password": "pbkdf2$stored"}})


def address(log) -> str:
    return reverse("logs:override_create", args=[log.pk])


def post(client, log, action="send", **fields):
    data = {"action": action, "expected_attempts": log.attempt_count or 0, "reason": "a trial"} | fields
    return client.post(address(log), data)


def shown(response) -> str:
    return unescape(response.content.decode())


def edited(log, **data) -> str:
    event = json.loads(Payload.objects.get(pk=log.pk).event)
    event["data"] |= data
    return json.dumps(event, indent=2)


def test_the_page_of_a_log_links_the_form_and_shows_the_outcome(client, administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    other = Receiver()
    assert address(log) in shown(client.get(log.get_absolute_url()))
    assert post(client, log, url=f"{other.url}?token=abc", event=edited(log, name="Fan")).status_code == 302
    queued = shown(client.get(log.get_absolute_url()))
    assert "An attempt to another URL is queued. It won’t change this state." in queued
    deliver()
    other.close()
    page = shown(client.get(log.get_absolute_url()))
    assert "Not delivered.</b> Cotalker tried 3 times and gave up" in page
    assert "Delivered on attempt 4" in page
    assert page.count("To another URL") == page.count("Edited payload") == 1
    assert f"{other.url}?token=••••••••" in page
    assert "token=abc" not in page
    detail = shown(client.get(reverse("logs:override_detail", args=[log.pk, 4])))
    assert "/data/name" in detail
    assert "Fan" in detail
    assert "The subscription does not get this request" in detail
    assert "token=abc" not in detail


def test_the_response_and_the_facts_of_a_log_exclude_other_urls(client, administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    other = Receiver()
    other.body = b"elsewhere"
    post(client, log, url=other.url)
    deliver()
    other.close()
    page = shown(client.get(reverse("logs:webhook_log_response", args=[log.pk])))
    assert "connect ETIMEDOUT" in page.partition('id="response-part"')[2]
    assert "elsewhere" not in page.partition('id="response-part"')[2]
    assert "elsewhere" in shown(client.get(reverse("logs:override_detail", args=[log.pk, 4])))


def test_the_sentence_mentions_a_delivered_edited_payload(client, administrator, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()
    post(client, log, event=edited(log, name="Fan"))
    deliver()
    page = shown(client.get(log.get_absolute_url()))
    assert "<b>Delivered</b> on attempt 4, with an edited payload: the receiver answered <b>200</b>." in page


def test_the_redelivery_is_previewed_before_it_is_sent(client, administrator, log):
    page = shown(post(client, log, "preview", url=URL, event=edited(log, name="Fan")))
    assert "Send this?" in page
    assert "/data/name" in page
    assert "Resolves to <code>93.184.216.34</code>." in page
    assert RedeliveryOverride.objects.count() == 0
    back = shown(post(client, log, "change", url=URL, event=edited(log, name="Fan"), reason="as typed"))
    assert "Send this?" not in back
    assert (URL in back, '"name": "Fan"' in back, "as typed" in back) == (True, True, True)


def test_the_editor_shows_the_stored_payload_and_unchanged_values_are_sent_exactly(client, administrator, log):
    page = shown(post(client, log, "edit", reason="kept"))
    assert '"name": "Pump"' in page
    assert "kept" in page
    text = page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]
    answer = post(client, log, event=text)
    assert answer.status_code == 422
    assert "There are no changes yet" in shown(answer)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ('{\n  "a": 1,\n  "b": }', "Line 3, column 8: not JSON: Expecting value."),
        ('{"a": NaN}', "This cannot be sent: NaN is not JSON."),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ('{"a": 1e999}', "out of range"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested deeper than 100 levels"),
        ("[1]", "An event is a JSON object"),
        ('{"a": "' + "x" * 1024 * 1024 + '"}', "The payload is larger than 1 MiB."),
        ("", "This field is required."),
    ],
)
def test_an_invalid_event_is_refused_and_kept_in_the_form(client, administrator, log, typed, reason):
    answer = post(client, log, event=typed, url=URL, reason="as typed")
    page = shown(answer)
    assert answer.status_code == 422
    assert reason in page
    assert typed in page
    assert (URL in page, "as typed" in page) == (True, True)
    assert RedeliveryOverride.objects.count() == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.1/", "Deliveries to this URL would be blocked: 10.0.0.1 is not a public address"),
        ("http://169.254.169.254/", "which exposes credentials"),
        ("http://2130706433/", "is not a public address"),
        ("ftp://example.com/", "This is not an http or https URL."),
        ("here", "This is not an http or https URL."),
    ],
)
def test_the_destination_check_runs_before_sending(client, administrator, log, settings, url, reason):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    for action in ("preview", "send"):
        answer = post(client, log, action, url=url)
        assert answer.status_code == 422
        assert reason in shown(answer)
    log.refresh_from_db()
    assert not log.is_queued


def test_a_reason_is_required(client, administrator, log):
    answer = post(client, log, url=URL, reason=" ")
    assert answer.status_code == 422
    assert URL in shown(answer)


def test_the_url_of_the_subscription_is_not_another_url(client, administrator, log):
    assert "There are no changes yet" in shown(post(client, log, url=log.subscription.url))
    assert post(client, log, url=log.subscription.url, event=edited(log, n=2)).status_code == 302
    assert RedeliveryOverride.objects.get().url == ""


def test_a_double_click_or_an_old_page_queues_nothing(client, administrator, log):
    assert post(client, log, url=URL).status_code == 302
    assert post(client, log, url=URL).status_code == 422  # it is in its queue
    log.skip(by=administrator, reason="-")
    old = post(client, log, url=URL, expected_attempts=1)
    assert old.status_code == 422
    assert ("another attempt was made in the meantime" in shown(old), URL in shown(old)) == (True, True)
    assert 'name="expected_attempts" value="3"' in shown(old)
    log.refresh_from_db()
    assert not log.is_queued


def test_the_editor_reveals_masked_values_only_on_request_and_audits_it(client, administrator, secretive):
    assert "pbkdf2$stored" not in shown(client.get(address(secretive)))
    assert not AuditEntry.objects.filter(action=AuditAction.REVEALED).exists()
    assert "pbkdf2$stored" in shown(post(client, secretive, "edit"))
    assert AuditEntry.objects.filter(action=AuditAction.REVEALED, target=secretive.pk, actor=administrator).count() == 1


def test_a_changed_masked_value_is_marked_and_an_unchanged_one_is_not(client, administrator, secretive):
    page = shown(post(client, secretive, "preview", event=edited(secretive, password="typed")))
    assert "changed, masked" in page
    assert "/data/password" in page
    page = shown(post(client, secretive, "preview", event=edited(secretive, name="Fan")))
    assert "changed, masked" not in page
    post(client, secretive, event=edited(secretive, password="pbkdf2$typed"))
    detail = shown(client.get(reverse("logs:override_detail", args=[secretive.pk, 4])))
    assert ("/data/password" in detail, "pbkdf2$" in detail) == (True, False)


def test_masked_values_need_the_permission_in_the_editor_and_at_a_url(client, member, secretive):
    user = member("Operator")
    permissions = ["redeliver_to_custom_url", "redeliver_edited_payload"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    assert "This payload has masked values." in shown(client.get(address(secretive)))
    for action in ("edit", "preview", "send"):
        page = shown(post(client, secretive, action, url=URL, event='{"a": 1}'))
        assert "pbkdf2$stored" not in page
    assert RedeliveryOverride.objects.count() == 0


@pytest.mark.parametrize(
    ("permission", "kept", "is_edited"),
    [("redeliver_to_custom_url", URL, False), ("redeliver_edited_payload", "", True)],
)
def test_each_permission_allows_only_its_own_action(client, member, log, permission, kept, is_edited):
    user = member("Operator")
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    assert post(client, log, url=URL, event='{"a": 1}').status_code == 302
    override = RedeliveryOverride.objects.get()
    assert (override.url, override.is_edited, override.requested_by) == (kept, is_edited, user)


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_the_form_is_for_administrators(client, member, log, role):
    client.force_login(member(role))
    assert address(log) not in shown(client.get(log.get_absolute_url()))
    assert client.get(address(log)).status_code == 403
    assert post(client, log, url=URL).status_code == 403


def test_a_user_who_may_not_see_payloads_sees_none_of_an_override(client, administrator, log, member):
    post(client, log, event=edited(log, name="Fan"))
    viewer = member("Viewer")
    viewer.groups.clear()
    viewer.user_permissions.add(Permission.objects.get(codename="view_webhooklog"))
    client.force_login(viewer)
    page = shown(client.get(reverse("logs:override_detail", args=[log.pk, 4])))
    assert "You don’t have permission to see payloads." in page
    assert "Fan" not in page


def test_a_payload_too_large_to_edit_can_still_go_to_another_url(client, administrator):
    make_subscription()
    log = make_log(event={"data": {"name": "x" * 1024 * 1024}})
    page = shown(post(client, log, "edit", url=URL))
    assert "The payload is too large to be edited here." in page
    assert ("<textarea" in page, URL in page) == (False, True)
    assert post(client, log, url=URL).status_code == 302


def test_a_log_that_cannot_be_sent_says_why(client, administrator):
    make_subscription(is_active=False)
    log = make_log()
    assert "not active" in shown(client.get(address(log)))
    assert post(client, log, url=URL).status_code == 422
    log.refresh_from_db()
    assert (log.state, log.is_queued) == (State.FAILED, False)
