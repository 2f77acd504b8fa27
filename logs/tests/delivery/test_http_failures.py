"""The sender and receivers that answer no valid HTTP, or too late, or not at all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from logs.cotalker.outcomes import Cause
from logs.delivery.http_client import Sender, SendOutcome

from .raw_receiver import HEADERS, LOOPBACK, PAYLOAD, RawReceiver, listening, post, post_to


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9 HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early Hints\r\nX: \0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x00" * 1000 + b"\r\n\r\n",
    ],
)
def test_a_response_that_is_not_http_is_a_failure_without_a_status(answer):
    outcome = post_to(RawReceiver(answer), timeout=2)
    assert (outcome.status, outcome.is_success) == (None, False)
    assert outcome.cause in (Cause.OTHER, Cause.RESET)
    assert 0 < len(outcome.response) <= 1024


BROKEN_HEADERS = [
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
    b"Content-Length: 2, 3\r\n\r\n",
    b"Content-Length: -2\r\n\r\n",
    b"Content-Length: many\r\n\r\n",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
    b"X: a\0b\r\n\r\n",
    b"X: " + b"a" * 17_000 + b"\r\n\r\n",
    b"X: " + b"a" * 3_000_000 + b"\r\n\r\n",
    b"X: a\r\n" * 300 + b"\r\n",
    b"no colon\r\n\r\n",
    b"X y: a\r\n\r\n",
    b"X: a\r\nContent-Le",
    b"",
]


@pytest.mark.parametrize("before", [b"", b"\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"])
@pytest.mark.parametrize("headers", BROKEN_HEADERS, ids=lambda headers: headers[:50].decode())
def test_the_status_decides_when_the_header_is_broken(before, headers):
    for status, cause in ((200, ""), (404, Cause.HTTP_4XX), (503, Cause.HTTP_5XX)):
        receiver = RawReceiver(before + b"HTTP/1.1 %d X\r\n" % status + headers, hangs=b"\r\n\r\n" in headers)
        outcome = post_to(receiver, timeout=30)
        assert (outcome.status, outcome.cause, outcome.is_success) == (status, cause, status == 200)
        assert outcome.note.startswith("the response ended early: "), outcome.note
        assert (len(receiver.requests), receiver.connections) == (1, 1)


def test_the_readable_part_of_a_broken_header_is_kept():
    answer = b"HTTP/1.1 200 OK\r\nX-Trace: a\0b\r\nContent-Length: 2\r\nno colon\r\n\r\nok \0 and more"
    outcome = post_to(RawReceiver(answer))
    assert outcome.response_headers == [("X-Trace", "a\ufffdb"), ("Content-Length", "2")]
    assert outcome.response == "ok \ufffd and more"


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 2\r\nX: a\r\ncontent-length: 2\r\n",
        b"Content-Length: 2, 2\r\n",
        b"X: a\r\nContent-Length:2\r\nCONTENT-LENGTH: 2 \r\nContent-Length: 2\r\n",
    ],
)
def test_a_repeated_content_length_is_accepted(lengths):
    """RFC 9110, 8.6. The connection can be used again."""

    async def scenario() -> list[SendOutcome]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            return [await sender.post(url, PAYLOAD, HEADERS) for _time in range(2)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(len(PAYLOAD))
                writer.write(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\nok")

    connections: list[asyncio.StreamWriter] = []
    outcomes = asyncio.run(scenario())
    assert [(outcome.status, outcome.response, outcome.note) for outcome in outcomes] == [(200, "ok", "")] * 2
    assert len(connections) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r"])
def test_a_connection_that_ends_before_the_response_is_a_reset(answer):
    outcome = post_to(RawReceiver(answer))
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.RESET, "socket hang up")


def test_a_reset_connection_is_a_reset():
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def scenario() -> SendOutcome:
        async with await asyncio.start_server(slam, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            port = server.sockets[0].getsockname()[1]
            return await sender.post(f"http://127.0.0.1:{port}/", PAYLOAD, HEADERS)

    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause) == (None, Cause.RESET)


def test_a_missing_response_is_a_timeout():
    outcome = post_to(RawReceiver(b"", hangs=True), timeout=0.2)
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.TIMEOUT, "timeout of 200ms exceeded")
    assert outcome.duration_ms >= 200


def test_a_subscription_can_have_its_own_timeout():
    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(LOOPBACK, timeout=30) as sender:
            return await sender.post(receiver.url, PAYLOAD, HEADERS, timeout=0.2)

    receiver = RawReceiver(b"", hangs=True)
    assert asyncio.run(scenario()).response == "timeout of 200ms exceeded"


def test_a_trickling_response_does_not_extend_the_timeout():
    receiver = RawReceiver(b"HTTP/1.1 100 Continue\r\n\r\n", endless=b"HTTP/1.1 100 Continue\r\n\r\n")
    outcome = post_to(receiver, timeout=0.2)
    assert (outcome.status, outcome.cause) == (None, Cause.TIMEOUT)


@contextmanager
def unused_port() -> Iterator[int]:
    """A port that refuses: bound, so that no other process takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_port_without_listener_refuses():
    with unused_port() as port:
        outcome = post(f"http://127.0.0.1:{port}/")
    assert (outcome.status, outcome.cause) == (None, Cause.REFUSED)
    assert outcome.response == f"connect ECONNREFUSED 127.0.0.1:{port}"


def test_a_connection_that_is_never_established_is_a_timeout():
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # Linux queues one more than that, and drops the next
        address = full.getsockname()
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(address)
        outcome = post(f"http://127.0.0.1:{address[1]}/", connect_timeout=0.2)
    assert (outcome.status, outcome.cause) == (None, Cause.TIMEOUT)
    assert outcome.response == f"connect ETIMEDOUT 127.0.0.1:{address[1]}"
