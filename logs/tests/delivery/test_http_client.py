"""The sender against real receivers on loopback. Their requests decide; only the name server is replaced."""

from __future__ import annotations

import asyncio
import logging

import pytest

from cotadmin import __version__
from logs.cotalker.outcomes import Cause
from logs.delivery.http_client import Sender, SendOutcome
from logs.delivery.http_connection import Connection
from logs.delivery.http_pool import ConnectionPool
from logs.delivery.ssrf import DestinationFilter, parse_allowed_networks

from .raw_receiver import HEADERS, LOOPBACK, OK, PAYLOAD, RawReceiver, listening, post_to


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
    }  # no "connection: close": HTTP/1.1 keeps connections by default


def head_for(headers: dict[str, str], *, userinfo: str = "") -> list[str]:
    async def scenario() -> None:
        async with listening(receiver), Sender(LOOPBACK) as sender:
            await sender.post(receiver.url.replace("//", f"//{userinfo}"), PAYLOAD, headers)

    receiver = RawReceiver(OK)
    asyncio.run(scenario())
    [(head, body)] = receiver.requests
    assert body == PAYLOAD
    return sorted(line.lower() for line in head.decode().split("\r\n")[1:-2])


def test_headers_of_a_subscription_are_sent_and_never_replace_ours():
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
def test_a_header_with_a_line_break_is_not_sent(name_and_value):
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
            url = f"http://www.server.test:{receiver.port}/"
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
def test_the_status_decides_when_the_body_breaks_off(status, cause, answer, response):
    outcome = post_to(RawReceiver(b"HTTP/1.1 %d X\r\n" % status + answer))
    assert (outcome.status, outcome.cause) == (status, cause)
    assert response.startswith(outcome.response)
    assert outcome.note == "the response ended early: socket hang up"


@pytest.mark.parametrize(("status", "cause"), [(200, ""), (503, Cause.HTTP_5XX)])
def test_the_status_decides_when_the_body_hangs(status, cause):
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


def test_characters_that_postgresql_refuses_are_replaced():
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


def test_long_headers_do_not_turn_a_success_into_a_failure():
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
def test_a_slow_response_ends_at_the_timeout(begins, drips, status):
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


def test_ipv6_is_supported():
    async def scenario() -> SendOutcome:
        async with (
            listening(receiver, host="::1"),
            Sender(DestinationFilter(parse_allowed_networks(["::1/128"]))) as sender,
        ):
            return await sender.post(f"http://[::1]:{receiver.port}/", PAYLOAD, HEADERS)

    receiver = RawReceiver(OK)
    assert asyncio.run(scenario()).status == 200
    assert f"host: [::1]:{receiver.port}\r\n".encode() in receiver.requests[0][0].lower()


def test_an_unexpected_error_is_an_outcome_too(monkeypatch, caplog):
    def break_down(*_arguments, **_options):
        raise AttributeError("about the payload")

    monkeypatch.setattr(ConnectionPool, "keep", break_down)
    outcome = post_to(RawReceiver(OK))
    assert (outcome.status, outcome.is_success, outcome.note) == (200, True, "the response ended early: AttributeError")
    monkeypatch.setattr(Connection, "exchange", break_down)
    outcome = post_to(RawReceiver(OK))
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.OTHER, "AttributeError")
    assert "unexpected error while sending" in caplog.text


def test_a_cancellation_is_passed_on():
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
