"""The sender and the names of receivers: they are resolved and checked for every connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

import pytest

from logs.cotalker.outcomes import Cause
from logs.delivery.http_client import Sender, SendOutcome
from logs.delivery.ssrf import DestinationFilter, parse_allowed_networks

from .raw_receiver import HEADERS, LOOPBACK, OK, PAYLOAD, RawReceiver, listening, post


@pytest.mark.parametrize(("code", "name"), [(socket.EAI_NONAME, "ENOTFOUND"), (socket.EAI_AGAIN, "EAI_AGAIN")])
def test_a_name_that_does_not_resolve_is_a_dns_failure(name_server, code, name):
    name_server(socket.gaierror(code, "said the name server"))
    outcome = post("https://www.server.test/")
    assert (outcome.status, outcome.cause) == (None, Cause.DNS)
    assert outcome.response == f"getaddrinfo {name} www.server.test"


def test_the_timeout_includes_the_name_server(name_server):
    name_server()
    outcome = post("https://www.server.test/", timeout=0.2)
    assert (outcome.cause, outcome.response) == (Cause.TIMEOUT, "timeout of 200ms exceeded")


def test_names_whose_lookup_hangs_do_not_delay_others(monkeypatch):
    """More of them than asyncio has threads (at most 32) to share out."""
    release, look_up = threading.Event(), socket.getaddrinfo

    def hang_for_some(host, *arguments, **options):
        if host.startswith("hangs"):
            release.wait(30)
        return look_up("127.0.0.1", *arguments, **options)

    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(LOOPBACK, timeout=3) as sender:
            urls = [f"http://{name}:{receiver.port}/" for name in [*(f"hangs-{n}.test" for n in range(40)), "www.test"]]
            posts = [asyncio.create_task(sender.post(url, PAYLOAD, HEADERS)) for url in urls]
            try:
                return await posts[-1]
            finally:
                release.set()
                await asyncio.gather(*posts)

    monkeypatch.setattr(socket, "getaddrinfo", hang_for_some)
    receiver = RawReceiver(OK)
    assert asyncio.run(scenario()).status == 200


def test_a_name_is_resolved_and_checked_for_every_connection(name_server):
    async def scenario() -> list[SendOutcome]:
        async with (
            listening(allowed),
            listening(private, host="127.0.0.2", port=allowed.port),
            Sender(LOOPBACK) as sender,
        ):
            url = f"http://www.server.test:{allowed.port}/"
            return [await sender.post(url, PAYLOAD, HEADERS) for _time in range(2)]

    allowed, private = RawReceiver(OK), RawReceiver(OK)
    name_server(["127.0.0.1"], ["127.0.0.2"])
    first, second = asyncio.run(scenario())
    assert (first.status, second.status, second.cause) == (200, None, Cause.BLOCKED)
    assert second.response == "blocked by the destination check: 127.0.0.2 is not a public address"
    assert (allowed.connections, private.connections) == (1, 0)


def test_a_kept_connection_keeps_the_address_that_was_checked(name_server):
    """The name may have another address by then; the next connection is checked again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(len(PAYLOAD))
                heads.append(head)
                writer.write(OK)

    async def scenario() -> list[SendOutcome]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            url = f"http://www.server.test:{server.sockets[0].getsockname()[1]}/"
            outcomes = [await sender.post(url, PAYLOAD, HEADERS) for _time in range(2)]
            both = [
                sender.post(url, PAYLOAD, HEADERS) for _time in range(2)
            ]  # one of them needs a connection of its own
            return [*outcomes, *await asyncio.gather(*both)]

    heads: list[bytes] = []
    server = name_server(["127.0.0.1"], ["127.0.0.2"])
    outcomes = asyncio.run(scenario())
    assert [outcome.status for outcome in outcomes] == [200, 200, 200, None]
    assert outcomes[3].response == "blocked by the destination check: 127.0.0.2 is not a public address"
    assert (len(heads), server.answers) == (3, [])


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
def test_nothing_is_sent_to_a_name_with_one_refused_address(name_server, addresses):
    async def scenario() -> SendOutcome:
        async with (
            listening(allowed),
            listening(private, host="127.0.0.2", port=allowed.port),
            Sender(LOOPBACK) as sender,
        ):
            return await sender.post(f"http://www.server.test:{allowed.port}/", PAYLOAD, HEADERS)

    allowed, private = RawReceiver(OK), RawReceiver(OK)
    name_server(addresses)
    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause) == (None, Cause.BLOCKED)
    assert (allowed.connections, private.connections) == (0, 0)


def test_the_next_address_of_a_name_is_tried_if_one_refuses(name_server):
    async def scenario() -> SendOutcome:
        guard = DestinationFilter(parse_allowed_networks(["127.0.0.0/8"]))
        async with listening(receiver), Sender(guard) as sender:
            return await sender.post(f"http://www.server.test:{receiver.port}/", PAYLOAD, HEADERS)

    name_server(["127.0.0.2", "127.0.0.1"])
    receiver = RawReceiver(OK)
    assert asyncio.run(scenario()).status == 200


SPELLINGS = ["127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f.1", "0X7F000001", "0177.0.0.1", "017700000001"]
SPELLINGS += [
    "127。0。0。1",
    "１２７.0.0.1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "١٢٧.0.0.1",
    "8.8.8.8@127.0.0.1",
    "0.0.0.0",
]
SPELLINGS += ["[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[::ffff:127.0.0.1%25lo]"]
SPELLINGS += ["LOCALHOST", "ⓛocalhost"]
NO_ADDRESS = ("%31%32%37.0.0.1", "١٢٧.0.0.1")  # to nobody
JUDGED_AS_SOCKETS = ("127.0.0.1", "[::ffff:127.0.0.1]")


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("static_check", ["with", "without"])
def test_no_spelling_of_a_refused_address_gets_through(monkeypatch, host, static_check):
    """Also without the static check: the check before creating a socket decides."""

    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(DestinationFilter()) as sender:
            return await sender.post(f"http://{host}:{receiver.port}/", PAYLOAD, HEADERS)

    if static_check == "without":
        monkeypatch.setattr(DestinationFilter, "check_url", lambda *_args: None)
    receiver = RawReceiver(OK)
    outcome = asyncio.run(scenario())
    assert (outcome.status, receiver.connections) == (None, 0)
    if host in JUDGED_AS_SOCKETS or (static_check == "with" and host not in NO_ADDRESS):
        assert outcome.cause == Cause.BLOCKED
        assert outcome.response.startswith("blocked by the destination check: ")
        assert outcome.response.endswith(" is not a public address")


def test_the_name_of_this_machine_is_refused():
    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(DestinationFilter()) as sender:
            return await sender.post(f"http://localhost:{receiver.port}/", PAYLOAD, HEADERS)

    receiver = RawReceiver(OK)
    outcome = asyncio.run(scenario())
    assert (outcome.cause, receiver.connections) == (Cause.BLOCKED, 0)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:99999/"]
)
def test_an_invalid_url_is_blocked(url):
    assert post(url).cause == Cause.BLOCKED


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", ".test", "name\0.test", "%31%32%37.0.0.1"])
def test_an_impossible_name_is_a_failure(host):
    outcome = post(f"http://{host}/", timeout=2)
    assert (outcome.status, outcome.is_success) == (None, False)
    assert outcome.cause in (Cause.OTHER, Cause.DNS)
