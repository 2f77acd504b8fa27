"""Custom request headers: what is valid, how it is stored, and what arrives at a receiver."""

from __future__ import annotations

import pytest
from django.urls import reverse

from logs.models import AuditEntry, Subscription
from logs.payloads.masking import MASK
from logs.signing import generate_secret
from logs.subscriptions.request_headers import InvalidHeaders, masked_lines, parse_headers

from ..factories import make_subscription, make_waiting_log

STORED = [("X-Api-Key", "hunter2"), ("X-Tenant", "austral")]


# Valid headers


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", []),
        ("X-Tenant: austral", [("X-Tenant", "austral")]),
        ("\r\nX-One:1\r\n\r\n  \r\nX-Two:\t2 \r\n", [("X-One", "1"), ("X-Two", "2")]),
        ("Authorization: Bearer a:b=", [("Authorization", "Bearer a:b=")]),
        ("!#$%&'*+-.^_`|~09aZ: ~", [("!#$%&'*+-.^_`|~09aZ", "~")]),
        ("X-Spaced: a \t b", [("X-Spaced", "a \t b")]),
        ("\n".join(f"X-{n}: v" for n in range(20)), [(f"X-{n}", "v") for n in range(20)]),
        ("X: " + "v" * 4091, [("X", "v" * 4091)]),
    ],
)
def test_header_lines_are_parsed(text, headers):
    assert parse_headers(text) == headers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X-Tenant", "Line 1: there is no colon between the name and the value."),
        ("\n\nX-Tenant austral", "Line 3: there is no colon between the name and the value."),
        (": v", "Line 1: a name can contain only letters, digits and symbols"),
        ("X Tenant: v", "Line 1: a name can contain only letters, digits and symbols"),
        ("X-Tenant : v", "Line 1: a name can contain only letters, digits and symbols"),
        (" X-Tenant: v", "Line 1: a name can contain only letters, digits and symbols"),
        ("X-Señal: v", "Line 1: a name can contain only letters, digits and symbols"),
        ("X-Tenant:", "Line 1: X-Tenant has no value."),
        ("X-Tenant: ñ", "Line 1: the value of X-Tenant contains characters that are not visible ASCII."),
        ("X-Tenant: a\rX-Other: b", "Line 1: the value of X-Tenant contains characters that are not visible ASCII."),
        ("X-Tenant: a\x00b", "Line 1: the value of X-Tenant contains characters that are not visible ASCII."),
        ("X-Tenant: a\x7fb", "Line 1: the value of X-Tenant contains characters that are not visible ASCII."),
        ("X-Tenant: \u00a0a", "Line 1: the value of X-Tenant contains characters that are not visible ASCII."),
        ("X-One: 1\nX-Two: 2\nx-one: 3", "Line 3: x-one is already on line 1."),
        (f"X-Other: {MASK}", "Line 1: there is no saved value of X-Other to keep."),
        ("\n".join(f"X-{n}: v" for n in range(21)), "There are 21 headers; at most 20 are allowed."),
        ("X: " + "v" * 4092, "The headers are 4097 bytes long; at most 4096 are allowed."),
    ],
)
def test_mistakes_are_reported_with_their_line(text, reason):
    with pytest.raises(InvalidHeaders) as error:
        parse_headers(text, STORED)
    [said] = error.value.reasons
    assert said.startswith(reason)


HOP_BY_HOP = "connection keep-alive proxy-authorization proxy-connection te trailer transfer-encoding upgrade"
OURS = (
    "host content-length content-type accept accept-encoding user-agent expect cookie "
    "webhook-id webhook-timestamp webhook-signature webhook-anything"
)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (HOP_BY_HOP, "applies to the connection, not to the request."),
        (OURS, "cannot be set here: cotadmin sets it or never sends it."),
    ],
)
def test_some_header_names_are_reserved(names, reason):
    for name in [*names.split(), *names.title().split()]:
        with pytest.raises(InvalidHeaders) as error:
            parse_headers(f"X-Tenant: austral\n{name}: v")
        assert error.value.reasons == [f"Line 2: {name} {reason}"]


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(InvalidHeaders) as error:
        parse_headers("Host: a\nX-Tenant: austral\nX")
    assert [reason[:7] for reason in error.value.reasons] == ["Line 1:", "Line 3:"]


def test_a_form_shows_names_and_no_values():
    assert masked_lines(STORED) == f"X-Api-Key: {MASK}\nX-Tenant: {MASK}"
    assert masked_lines([]) == ""


def test_an_unchanged_line_keeps_its_value():
    assert parse_headers(masked_lines(STORED), STORED) == STORED
    assert parse_headers(f"x-tenant: {MASK}\nX-New: 1", STORED) == [("x-tenant", "austral"), ("X-New", "1")]


# Storing


def posted(subscription, **changes):
    names = ["name", "url", "trigger", "is_active", "pause_on_exhausted"]
    return {name: getattr(subscription, name) for name in names} | {"secret_choice": "none"} | changes


@pytest.fixture
def edit(client, member):
    """`edit(subscription, headers="X: y")`: an administrator posts the form."""
    client.force_login(member("Administrator"))

    def post(subscription, **changes):
        return client.post(reverse("logs:subscription_edit", args=[subscription.pk]), posted(subscription, **changes))

    return post


@pytest.mark.django_db
class TestForm:
    def test_headers_are_stored_encrypted_and_audited_by_field(self, edit):
        subscription = make_subscription(url="http://127.0.0.1:9000/hook", queue_version=3)
        assert edit(subscription, headers="X-Api-Key: hunter2").status_code == 302
        subscription.refresh_from_db()
        assert subscription.headers == [("X-Api-Key", "hunter2")]
        assert "hunter2" not in subscription.encrypted_headers
        assert "X-Api-Key" not in subscription.encrypted_headers
        assert list(AuditEntry.objects.values_list("action", "detail")) == [("subscription_changed", "headers")]
        assert (subscription.edited_fields, subscription.queue_version) == ([], 4)

    def test_no_page_shows_a_value(self, client, edit):
        subscription = make_subscription(url="http://127.0.0.1:9000/hook")
        subscription.headers = STORED
        subscription.save()
        for view in ("detail", "edit"):
            page = client.get(reverse(f"logs:subscription_{view}", args=[subscription.pk])).content.decode()
            assert "X-Api-Key" in page
            assert "hunter2" not in page

    def test_saving_the_form_unchanged_changes_nothing(self, edit):
        subscription = make_subscription(url="http://127.0.0.1:9000/hook")
        subscription.headers = STORED
        subscription.save()
        edit(subscription, headers=masked_lines(STORED).replace("\n", "\r\n"))
        stored = Subscription.objects.get()
        assert (stored.encrypted_headers, stored.queue_version) == (subscription.encrypted_headers, 0)
        assert not AuditEntry.objects.exists()

    def test_an_empty_field_removes_the_headers(self, edit):
        subscription = make_subscription(url="http://127.0.0.1:9000/hook")
        subscription.headers = STORED
        subscription.save()
        edit(subscription, headers="")
        subscription.refresh_from_db()
        assert (subscription.encrypted_headers, subscription.headers) == ("", [])

    def test_a_mistake_is_shown_at_the_field(self, edit):
        response = edit(make_subscription(url="http://127.0.0.1:9000/hook"), headers="X-Tenant: a\r\nHost: b")
        assert response.status_code == 422
        assert response.context["form"].errors["headers"] == [
            "Line 2: Host cannot be set here: cotadmin sets it or never sends it."
        ]

    def test_unreadable_headers_are_mentioned_and_kept(self, client, edit):
        subscription = make_subscription(url="http://127.0.0.1:9000/hook", encrypted_headers="broken")
        page = client.get(reverse("logs:subscription_detail", args=[subscription.pk])).content.decode()
        assert "They cannot be read with the keys in FIELD_ENCRYPTION_KEYS" in page
        page = client.get(reverse("logs:subscription_edit", args=[subscription.pk])).content.decode()
        assert "The saved headers cannot be read with the keys in FIELD_ENCRYPTION_KEYS." in page
        edit(subscription, headers="", description="Pumps")
        assert Subscription.objects.get().encrypted_headers == "broken"
        edit(subscription, headers="X-Tenant: austral")
        assert Subscription.objects.get().headers == [("X-Tenant", "austral")]


# Sending


def test_the_headers_are_sent_with_the_next_event(receiver, deliver, edit):
    subscription = make_subscription(url=receiver.url)
    for number in range(2):
        make_waiting_log(subscription, number)
    receiver.on_arrival = lambda: edit(subscription, headers="X-Api-Key: hunter2\nAuthorization: Bearer b")
    deliver()
    first, second = receiver.requests
    assert "x-api-key" not in first.headers
    assert (second.headers["x-api-key"], second.headers["authorization"]) == ("hunter2", "Bearer b")


def test_our_headers_override_stored_ones(receiver, deliver):
    subscription = make_subscription(url=receiver.url)
    subscription.headers = [
        ("host", "evil"),
        ("Content-Type", "text/plain"),
        ("webhook-id", "forged"),
        ("X-Tenant", "austral"),
    ]
    subscription.secret = generate_secret()
    subscription.save()
    log = make_waiting_log(subscription)
    deliver()
    [request] = receiver.requests
    assert request.headers["host"] in receiver.url
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == log.pk
    assert request.headers["x-tenant"] == "austral"
