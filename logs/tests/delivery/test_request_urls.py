"""The bytes of a configured URL: in the form, on the page and at the receiver, whose raw request lines decide."""

from __future__ import annotations

import asyncio
import base64

import pytest
from django.urls import reverse

from logs.delivery.http_client import Sender, SendOutcome
from logs.delivery.ssrf import DestinationFilter
from logs.models import Subscription

from ..factories import make_company
from ..html import text_of
from ..views.subscriptions.factories import posted
from .raw_receiver import LOOPBACK, OK, PAYLOAD, RawReceiver, listening
from .request_urls import CREDENTIALS, SIGNED, TARGETS


def requests_for(urls: list[str]) -> tuple[list[str], list[list[str]]]:
    """The request lines and the lines of the headers that a receiver got; `PORT` in a URL is its port."""

    async def scenario() -> list[SendOutcome]:
        async with listening(receiver), Sender(LOOPBACK) as sender:
            return [await sender.post(url.replace("PORT", str(receiver.port)), PAYLOAD, {}) for url in urls]

    receiver = RawReceiver(OK)
    assert [(outcome.status, outcome.response) for outcome in asyncio.run(scenario())] == [(200, "ok")] * len(urls)
    heads = [head.decode("ascii").split("\r\n") for head, _body in receiver.requests]
    return [head[0] for head in heads], [head[1:-2] for head in heads]


def test_path_and_query_are_sent_as_they_are_configured():
    lines, _headers = requests_for([f"http://127.0.0.1:PORT{configured}" for configured, _sent in TARGETS])
    assert lines == [f"POST {sent} HTTP/1.1" for _configured, sent in TARGETS]


def test_credentials_are_sent_as_the_bytes_that_the_url_encodes():
    _lines, heads = requests_for([f"http://{userinfo}127.0.0.1:PORT/u" for userinfo, _sent in CREDENTIALS])
    sent = [[line for line in head if line.startswith("Authorization")] for head in heads]
    assert sent == [
        [] if plain is None else [f"Authorization: Basic {base64.b64encode(plain).decode()}"]
        for _userinfo, plain in CREDENTIALS
    ]


def test_a_host_outside_ascii_is_sent_in_punycode(monkeypatch):
    def look_up(host, *_arguments, **_options):
        looked_up.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", _arguments[0]))]

    looked_up: list[str] = []
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    lines, [head] = requests_for(["HTTP://Ñandú.test:PORT/%7E"])
    assert lines == ["POST /%7E HTTP/1.1"]
    assert head[0].startswith("Host: xn--and-6ma2c.test:")
    assert looked_up == ["xn--and-6ma2c.test"]


@pytest.mark.django_db
def test_a_url_is_kept_and_shown_as_it_was_typed(client, member):
    """Also its scheme: HTTPS:// is https."""
    url = "HTTP://127.0.0.1:9000" + SIGNED.replace("sig", "s") + "&empty#"
    client.force_login(member("Administrator"))
    client.post(reverse("logs:subscription_create"), posted(url=url, company=make_company().pk))
    stored = Subscription.objects.get()
    assert stored.url == url
    assert url in text_of(client.get(reverse("logs:subscription_detail", args=[stored.pk])))
    edited = posted(url=url, name="Renamed")
    client.post(reverse("logs:subscription_edit", args=[stored.pk]), edited)
    stored.refresh_from_db()
    assert (stored.name, stored.url) == ("Renamed", url)


@pytest.mark.parametrize("url", ["HTTP://169.254.169.254/", "hTTp://10.0.0.1/"])
def test_the_guard_reads_a_scheme_in_capitals(url):
    async def scenario() -> SendOutcome:
        async with Sender(DestinationFilter()) as sender:
            return await sender.post(url, PAYLOAD, {})

    assert asyncio.run(scenario()).cause == "blocked"
