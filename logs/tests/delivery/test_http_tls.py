"""The sender and the certificates of receivers."""

from __future__ import annotations

import asyncio

import pytest

from logs.cotalker.outcomes import Cause
from logs.delivery.http_client import Sender, SendOutcome

from .certificates import certificate_for, trust_certificate
from .raw_receiver import HEADERS, LOOPBACK, OK, PAYLOAD, RawReceiver, listening


def test_an_untrusted_certificate_is_a_tls_failure(tmp_path):
    async def scenario() -> SendOutcome:
        async with listening(receiver, tls=tls), Sender(LOOPBACK) as sender:
            return await sender.post(f"https://127.0.0.1:{receiver.port}/", PAYLOAD, HEADERS)

    receiver, tls = RawReceiver(OK), certificate_for(tmp_path, days=1)
    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause, outcome.response) == (None, Cause.TLS, "self-signed certificate")
    assert receiver.requests == []


def test_https_is_delivered(monkeypatch, tmp_path):
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
def test_an_expired_certificate_or_one_of_another_host_is_a_tls_failure(
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


def test_a_handshake_that_is_closed_is_a_reset():
    async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.close()

    async def scenario() -> SendOutcome:
        async with await asyncio.start_server(close_at_once, "127.0.0.1", 0) as server, Sender(LOOPBACK) as sender:
            port = server.sockets[0].getsockname()[1]
            return await sender.post(f"https://127.0.0.1:{port}/", PAYLOAD, HEADERS)

    outcome = asyncio.run(scenario())
    assert (outcome.status, outcome.cause, outcome.note) == (None, Cause.RESET, "")


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
