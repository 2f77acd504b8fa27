"""The sender against real receivers on loopback: what they got is the judge, and only the name server is a stand-in."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from cotadmin import __version__
from logs.cotalker.outcomes import Cause
from logs.delivery.http_client import Sender, SendOutcome
from logs.delivery.http_connection import LenientConnection
from logs.delivery.ssrf import DestinationFilter, parse_allowed_networks

from ..certificates import certificate_for, trust_certificate
from .raw_receiver import HEADERS, LOOPBACK, OK, PAYLOAD, RawReceiver, listening, post, post_to


def test_the_payload_arrives_byte_for_byte_with_its_headers():
    receiver = RawReceiver(OK)
    post_to(receiver)
    [(head, body)] = receiver.requests
    request_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    assert body == PAYLOAD
    assert request_line == "POST /hook HTTP/1.1"
    assert {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)} == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(PAYLOAD)),
        "user-agent": f"cotadmin/{__version__}",
        "webhook-id": "62742dd824c886d54e60f02b",
    }  # no "connection: close": HTTP/1.1 keeps connections where nobody says otherwise


def head_for(headers: dict[str, str], *, userinfo: str = "") -> list[str]:
    async def scenario() -> None:
        async with listening(receiver), Sender(LOOPBACK) as sender:
            await sender.post(receiver.url.replace("//", f"//{userinfo}"), PAYLOAD, headers)

    receiver = RawReceiver(OK)
    asyncio.run(scenario())
    [(head, body)] = receiver.requests
    assert body == PAYLOAD
    return sorted(line.lower() for line in head.decode().split("\r\n")[1:-2])


def test_headers_of_a_subscription_are_sent_and_replace_none_of_ours():
    theirs = {
        "Host": "elsewhere.test",
        "content-length": "1",
        "Transfer-Encoding": "chunked",
        "CONNECTION": "close",
        "Expect": "100-continue",
        "User-Agent": "x",
        "accept-encoding": "gzip",
        "Content-Type": "text/plain",
    }
    without, with_them = head_for({}), head_for({**theirs, "X-Name": "ñ"})
    without = [line for line in without if not line.startswith("host: ")]
    assert [line for line in with_them if not line.startswith("host: 127.0.0.1:")] == sorted([*without, "x-name: ñ"])


def test_a_user_in_the_url_is_sent_as_authorization():
    lines = head_for({"Authorization": "Bearer other"}, userinfo="us%C3%A9r:p%40ss@")
    assert [line for line in lines if line.startswith("authorization")] == ["authorization: basic dxpdqxi6cebzcw=="]


@pytest.mark.parametrize(
    "name_and_value", [("X", "a\r\nY: b"), ("X\r\nY", "b"), ("X", "a\nb"), ("X", "a\0b"), ("X", "a\r")]
)
def test_a_header_that_would_be_two_is_not_sent(name_and_value):
    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(LOOPBACK) as sender:
            return await sender.post(receiver.url, PAYLOAD, dict([name_and_value]))

    receiver = RawReceiver(OK)
    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.OTHER, "a request header is not valid")
    assert receiver.connections == 0


def test_a_delivered_payload_is_a_success():
    outcome = post_to(RawReceiver(b"HTTP/1.1 202 Accepted\r\nX-Trace: a\r\nx-trace: b\r\nContent-Length: 2\r\n\r\nok"))
    assert outcome.is_success
    assert (outcome.status, outcome.response, outcome.cause, outcome.note) == (202, "ok", "", "")
    assert outcome.response_headers == [("X-Trace", "a"), ("x-trace", "b"), ("Content-Length", "2")]
    assert outcome.is_truncated is False
    assert outcome.duration_ms >= 0


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (200, ""),
        (209, ""),
        (210, Cause.OTHER),
        (226, Cause.OTHER),
        (300, Cause.REDIRECT),
        (304, Cause.REDIRECT),
        (404, Cause.HTTP_4XX),
        (409, Cause.HTTP_4XX),
        (500, Cause.HTTP_5XX),
        (503, Cause.HTTP_5XX),
        (600, Cause.OTHER),
    ],
)
def test_the_status_decides(status, cause):
    outcome = post_to(RawReceiver(b"HTTP/1.1 %d X\r\nContent-Length: 22\r\n\r\nconnect ETIMEDOUT 1:44" % status))
    assert (outcome.status, outcome.cause, outcome.is_success) == (status, cause, cause == "")


def test_a_redirect_is_not_followed():
    elsewhere = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    receiver = RawReceiver(elsewhere)
    outcome = post_to(receiver)
    assert (outcome.status, outcome.cause) == (307, Cause.REDIRECT)
    assert ("Location", "/elsewhere") in outcome.response_headers
    assert len(receiver.requests) == 1


def test_cookies_are_not_kept(name_server):
    async def scenario(receiver: RawReceiver) -> None:
        async with listening(receiver), Sender(LOOPBACK) as sender:
            url = f"http://www.server.test:{receiver.port}/"  # aiohttp keeps no cookies of IP addresses anyhow
            await sender.post(url, PAYLOAD, HEADERS)
            await sender.post(url, PAYLOAD, HEADERS)

    name_server(["127.0.0.1"], ["127.0.0.1"])
    receiver = RawReceiver(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    asyncio.run(scenario(receiver))
    assert len(receiver.requests) == 2
    assert all(b"cookie" not in head.lower() for head, _body in receiver.requests)


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert post_to(RawReceiver(OK)).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and then more",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
    ],
)
def test_bytes_after_a_complete_answer_change_nothing(answer):
    outcome = post_to(RawReceiver(answer))
    assert (outcome.status, outcome.response, outcome.cause, outcome.note) == (200, "ok", "", "")


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_after_204_changes_nothing(headers):
    outcome = post_to(RawReceiver(b"HTTP/1.1 204 No Content\r\n" + headers + b"\r\nmore"))
    assert (outcome.status, outcome.response, outcome.cause) == (204, "", "")


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        (b"Content-Length: 100\r\n\r\npart", "part"),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "part"),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n", "part"),
    ],
)
@pytest.mark.parametrize(("status", "cause"), [(200, ""), (404, Cause.HTTP_4XX), (500, Cause.HTTP_5XX)])
def test_when_the_body_breaks_off_the_status_decides(status, cause, answer, response):
    outcome = post_to(RawReceiver(b"HTTP/1.1 %d X\r\n" % status + answer))
    assert (outcome.status, outcome.cause) == (status, cause)
    assert response.startswith(outcome.response)
    assert outcome.note == "the response ended early: socket hang up"


@pytest.mark.parametrize(("status", "cause"), [(200, ""), (503, Cause.HTTP_5XX)])
def test_when_the_body_hangs_the_status_decides(status, cause):
    receiver = RawReceiver(b"HTTP/1.1 %d X\r\nContent-Length: 100\r\n\r\npart" % status, hangs=True)
    outcome = post_to(receiver, timeout=1)
    assert (outcome.status, outcome.cause, outcome.response) == (status, cause, "part")
    assert outcome.note == "the response ended early: timeout of 1000ms exceeded"
    assert outcome.duration_ms >= 1000


def test_a_body_without_length_ends_with_the_connection():
    outcome = post_to(RawReceiver(b"HTTP/1.0 200 OK\r\n\r\nall of it"))
    assert (outcome.response, outcome.note) == ("all of it", "")


@pytest.mark.parametrize(("size", "is_truncated"), [(8192, False), (8193, True), (65536, True), (1_000_000, True)])
def test_a_response_is_kept_up_to_8_kib(size, is_truncated):
    outcome = post_to(RawReceiver(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size))
    assert (outcome.response, outcome.is_truncated, outcome.note) == ("x" * 8192, is_truncated, "")


def test_an_endless_response_is_not_read_to_its_end():
    receiver = RawReceiver(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x" * 4096)
    outcome = post_to(receiver, timeout=30)
    assert (outcome.status, outcome.response, outcome.is_truncated) == (200, "x" * 8192, True)
    assert outcome.note == ""


def test_what_postgresql_refuses_is_replaced():
    answer = b"HTTP/1.1 500 X\r\nX-Name: N\xfa\xf1ez\r\nContent-Length: 6\r\n\r\na\x00\xff\xc3\xb1!"
    outcome = post_to(RawReceiver(answer))
    assert outcome.response == "a\ufffd\ufffdñ!"
    for text in (outcome.response, *(part for header in outcome.response_headers for part in header)):
        assert "\0" not in text
        text.encode()  # no halves of surrogate pairs


def test_headers_are_kept_up_to_50_of_1_kib():
    many = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 2000) for number in range(60))
    outcome = post_to(RawReceiver(b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 0\r\n\r\n"))
    assert outcome.response_headers == [(f"X-{number}", "v" * 1024) for number in range(50)]


def test_long_headers_do_not_make_a_failure_of_a_success():
    many = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 10_240) for number in range(100))
    outcome = post_to(RawReceiver(b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 0\r\n\r\n"))
    assert (outcome.status, outcome.cause) == (200, "")
    assert outcome.response_headers == [(f"X-{number}", "v" * 1024) for number in range(50)]


@pytest.mark.parametrize("endless", [b"X: " + b"a" * 4000 + b"\r\n", b"a" * 4000, b"\r\n" * 512, b" folded\r\n" * 512])
def test_endless_headers_are_not_read_for_long(endless):
    outcome = post_to(RawReceiver(b"HTTP/1.1 200 OK\r\nX: a\r\n", endless=endless), timeout=30)
    assert outcome.status == 200
    assert "timeout" not in outcome.note


@pytest.mark.parametrize("headers", [b"Content-Length: 1000000000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_gigabyte_is_not_read_to_its_end(headers):
    receiver = RawReceiver(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n", endless=b"1000\r\n" + b"x" * 4096 + b"\r\n")
    outcome = post_to(receiver, timeout=30)
    assert (outcome.status, outcome.is_truncated, len(outcome.response), outcome.note) == (200, True, 8192, "")


@pytest.mark.parametrize(
    ("begins", "drips", "status"),
    [
        (b"HTTP/1.1 200 O", b"K", None),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a", 200),
    ],
    ids=["status line", "header", "body"],
)
def test_a_slow_drip_ends_with_the_time(begins, drips, status):
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begins)
        while not writer.is_closing():
            writer.write(drips)
            await asyncio.sleep(0.02)

    async def scenario() -> SendOutcome:
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            port = server.sockets[0].getsockname()[1]
            return await sender.post(f"http://127.0.0.1:{port}/", PAYLOAD, HEADERS, timeout=1)

    outcome = asyncio.run(scenario())
    assert outcome.status == status
    assert "timeout of 1000ms exceeded" in (outcome.note if status else outcome.response)
    assert outcome.duration_ms >= 1000


def test_ipv6_is_spoken():
    async def scenario() -> SendOutcome:
        async with (
            listening(receiver, host="::1"),
            Sender(DestinationFilter(parse_allowed_networks(["::1/128"]))) as sender,
        ):
            return await sender.post(f"http://[::1]:{receiver.port}/", PAYLOAD, HEADERS)

    receiver = RawReceiver(OK)
    assert asyncio.run(scenario()).status == 200
    assert f"host: [::1]:{receiver.port}\r\n".encode() in receiver.requests[0][0].lower()


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
def test_what_is_not_http_is_a_failure_without_a_status(answer):
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
def test_when_the_header_is_broken_the_status_decides(before, headers):
    for status, cause in ((200, ""), (404, Cause.HTTP_4XX), (503, Cause.HTTP_5XX)):
        receiver = RawReceiver(before + b"HTTP/1.1 %d X\r\n" % status + headers, hangs=b"\r\n\r\n" in headers)
        outcome = post_to(receiver, timeout=30)
        assert (outcome.status, outcome.cause, outcome.is_success) == (status, cause, status == 200)
        assert outcome.note.startswith("the response ended early: "), outcome.note
        assert (len(receiver.requests), receiver.connections) == (1, 1)


def test_what_can_be_read_of_a_broken_header_is_kept():
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
def test_the_same_length_given_twice_is_that_length(lengths):
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
def test_a_connection_that_ends_before_the_answer_is_a_reset(answer):
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


def test_an_answer_that_never_comes_is_a_timeout():
    outcome = post_to(RawReceiver(b"", hangs=True), timeout=0.2)
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.TIMEOUT, "timeout of 200ms exceeded")
    assert outcome.duration_ms >= 200


def test_a_subscription_may_have_a_time_of_its_own():
    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(LOOPBACK, timeout=30) as sender:
            return await sender.post(receiver.url, PAYLOAD, HEADERS, timeout=0.2)

    receiver = RawReceiver(b"", hangs=True)
    assert asyncio.run(scenario()).response == "timeout of 200ms exceeded"


def test_an_answer_that_trickles_does_not_stretch_the_time():
    receiver = RawReceiver(b"HTTP/1.1 100 Continue\r\n\r\n", endless=b"HTTP/1.1 100 Continue\r\n\r\n")
    outcome = post_to(receiver, timeout=0.2)
    assert (outcome.status, outcome.cause) == (None, Cause.TIMEOUT)


@contextmanager
def unused_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_port_without_listener_refuses():
    with unused_port() as port:
        outcome = post(f"http://127.0.0.1:{port}/")
    assert (outcome.status, outcome.cause) == (None, Cause.REFUSED)
    assert outcome.response == f"connect ECONNREFUSED 127.0.0.1:{port}"


def test_a_connection_that_is_never_made_is_a_timeout():
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


@pytest.mark.parametrize(("code", "name"), [(socket.EAI_NONAME, "ENOTFOUND"), (socket.EAI_AGAIN, "EAI_AGAIN")])
def test_a_name_that_does_not_resolve_is_a_dns_failure(name_server, code, name):
    name_server(socket.gaierror(code, "said the name server"))
    outcome = post("https://www.server.test/")
    assert (outcome.status, outcome.cause) == (None, Cause.DNS)
    assert outcome.response == f"getaddrinfo {name} www.server.test"


def test_the_time_of_the_name_server_counts(name_server):
    name_server()
    outcome = post("https://www.server.test/", timeout=0.2)
    assert (outcome.cause, outcome.response) == (Cause.TIMEOUT, "timeout of 200ms exceeded")


def test_names_whose_lookup_hangs_do_not_hold_up_others(monkeypatch):
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


def test_a_name_is_resolved_and_judged_for_every_connection(name_server):
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


def test_a_kept_connection_goes_on_to_the_address_that_was_judged(name_server):
    """Whatever the name says since; the next connection is judged anew."""

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
def test_a_name_with_one_refused_address_is_not_sent_to_at_all(name_server, addresses):
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
def test_no_spelling_of_a_refused_address_reaches_it(monkeypatch, host, static_check):
    """Also without the static check: what counts is where sockets are made."""

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
def test_what_is_no_url_is_blocked(url):
    assert post(url).cause == Cause.BLOCKED


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", ".test", "name\0.test", "%31%32%37.0.0.1"])
def test_a_name_that_no_name_server_can_have_is_a_failure(host):
    outcome = post(f"http://{host}/", timeout=2)
    assert (outcome.status, outcome.is_success) == (None, False)
    assert outcome.cause in (Cause.OTHER, Cause.DNS)


def test_a_certificate_that_nobody_vouches_for_is_a_tls_failure(tmp_path):
    async def scenario() -> SendOutcome:
        async with listening(receiver, tls=tls), Sender(LOOPBACK) as sender:
            return await sender.post(f"https://127.0.0.1:{receiver.port}/", PAYLOAD, HEADERS)

    receiver, tls = RawReceiver(OK), certificate_for(tmp_path, days=1)
    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.TLS, "self-signed certificate")
    assert receiver.requests == []


def test_https_delivers(monkeypatch, tmp_path):
    async def scenario() -> SendOutcome:
        async with listening(receiver, tls=tls), Sender(LOOPBACK) as sender:
            return await sender.post(f"https://127.0.0.1:{receiver.port}/", PAYLOAD, HEADERS)

    receiver, tls = RawReceiver(OK), trust_certificate(monkeypatch, tmp_path, days=1)
    assert asyncio.run(scenario()).status == 200
    assert receiver.requests[0][1] == PAYLOAD


@pytest.mark.parametrize(
    ("days", "host", "response"),
    [
        (-1, "127.0.0.1", "certificate has expired"),
        (1, "www.server.test", "Hostname mismatch, certificate is not valid for 'www.server.test'."),
    ],
)
def test_a_certificate_of_another_time_or_host_is_a_tls_failure(
    monkeypatch, tmp_path, name_server, days, host, response
):
    async def scenario() -> SendOutcome:
        async with listening(receiver, tls=tls), Sender(LOOPBACK) as sender:
            return await sender.post(f"https://{host}:{receiver.port}/", PAYLOAD, HEADERS)

    name_server(["127.0.0.1"])
    receiver, tls = RawReceiver(OK), trust_certificate(monkeypatch, tmp_path, days=days)
    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.TLS, response)
    assert receiver.requests == []


def test_a_handshake_that_hangs_is_a_timeout():
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def scenario() -> SendOutcome:
        sender = Sender(LOOPBACK, connect_timeout=0.2)
        async with await asyncio.start_server(hang, "127.0.0.1", 0) as server, sender:
            return await sender.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", PAYLOAD, HEADERS)

    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause) == (None, Cause.TIMEOUT)
    assert outcome.response.startswith("connect ETIMEDOUT 127.0.0.1:")


def test_https_to_a_port_that_speaks_http_is_a_tls_failure():
    async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async def scenario() -> SendOutcome:
        async with await asyncio.start_server(answer_at_once, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            port = server.sockets[0].getsockname()[1]
            return await sender.post(f"https://127.0.0.1:{port}/", PAYLOAD, HEADERS)

    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause) == (None, Cause.TLS)


def test_a_fault_that_nobody_thought_of_is_an_outcome_too(monkeypatch, caplog):
    def break_down(*_arguments, **_options):
        raise AttributeError("about the payload")

    monkeypatch.setattr(LenientConnection, "rest", break_down)
    outcome = post_to(RawReceiver(OK))
    assert (outcome.status, outcome.is_success, outcome.note) == (200, True, "the response ended early: AttributeError")
    monkeypatch.setattr(LenientConnection, "set_response_params", break_down)
    outcome = post_to(RawReceiver(OK))
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.OTHER, "AttributeError")
    assert "unexpected error while sending" in caplog.text


def test_cancelling_passes():
    async def scenario() -> None:
        receiver = RawReceiver(b"", hangs=True)
        async with listening(receiver), Sender(LOOPBACK) as sender:
            posting = asyncio.create_task(sender.post(receiver.url, PAYLOAD, HEADERS))
            await receiver.arrived.wait()
            posting.cancel()
            await posting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())


def test_payloads_are_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    post_to(RawReceiver(b"garbage\r\n\r\n"))
    post_to(RawReceiver(OK))
    assert "Núñez" not in caplog.text
