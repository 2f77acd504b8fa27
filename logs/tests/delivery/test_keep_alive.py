"""Kept connections to real receivers: a closed connection, or one with unexpected bytes, never costs a delivery."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from logs.cotalker.outcomes import Cause
from logs.delivery import http_pool
from logs.delivery.http_client import Sender, SendOutcome

from .certificates import trust_certificate
from .raw_receiver import HEADERS, LOOPBACK, OK

PAYLOAD = b'{"type":"COTTask"}'
SENT_AGAIN = "sent again immediately because a reused connection was closed"
Step = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(what: bytes) -> Step:
    async def step(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        await writer.drain()

    return step


async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(OK)(reader, writer)
    writer.close()


async def answer_and_close_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(OK)(reader, writer)
    writer.write_eof()


class KeepingReceiver:
    """Reads the requests of every connection in turn. The next of `steps` answers each, and the last step repeats."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps) or [answer(OK)]
        self.connections: list[asyncio.StreamWriter] = []
        self.requests: list[tuple[int, bytes, bytes]] = []  # number of the connection, head and body
        self.left: asyncio.Queue[int] = asyncio.Queue()  # connections that the sender closed
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        number = len(self.connections)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
                )
                self.requests.append((number, head, await reader.readexactly(size)))
                step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                await step(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.put_nowait(number)
        finally:
            writer.close()


@asynccontextmanager
async def sending_to(
    receiver: KeepingReceiver, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Callable[..., Awaitable[SendOutcome]]]:
    async def post(payload: bytes = PAYLOAD) -> SendOutcome:
        return await sender.post(receiver.url, payload, HEADERS)

    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server, Sender(LOOPBACK, timeout=5) as sender:
        yield post


def post_in_turn(receiver: KeepingReceiver, times: int, tls: ssl.SSLContext | None = None) -> list[SendOutcome]:
    async def scenario() -> list[SendOutcome]:
        async with sending_to(receiver, tls) as post:
            return [await post() for _time in range(times)]

    return asyncio.run(scenario())


def results(outcomes: list[SendOutcome]) -> list[tuple[int | None, str, str]]:
    return [(outcome.status, outcome.response, outcome.note) for outcome in outcomes]


def test_a_connection_is_kept_for_the_next_request():
    receiver = KeepingReceiver()
    assert results(post_in_turn(receiver, 3)) == [(200, "ok", "")] * 3
    assert [number for number, _head, _body in receiver.requests] == [1, 1, 1]
    assert [body for _number, _head, body in receiver.requests] == [PAYLOAD] * 3


@pytest.mark.parametrize("step", [answer(OK), answer_and_close, answer(OK + b"more"), close])
def test_a_connection_is_kept_with_https_too(monkeypatch, tmp_path, step):
    receiver = KeepingReceiver(answer(OK), step, answer(OK))
    tls = trust_certificate(monkeypatch, tmp_path, days=1)
    outcomes = post_in_turn(receiver, 3, tls)
    assert [(outcome.status, outcome.response) for outcome in outcomes] == [(200, "ok")] * 3
    assert len(receiver.requests) == (4 if step is close else 3)


@pytest.mark.parametrize(
    "step",
    [
        answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        answer(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        answer_and_close,
        answer_and_close_half,
    ],
    ids=["says close", "HTTP/1.0", "closes", "closes its half"],
)
def test_a_receiver_that_closes_after_each_response_gets_a_new_connection(step):
    receiver = KeepingReceiver(step)
    outcomes = post_in_turn(receiver, 3)
    assert [(outcome.status, outcome.response) for outcome in outcomes] == [(200, "ok")] * 3
    answered = {number for number, _head, _body in receiver.requests}
    assert answered == {1, 2, 3}


@pytest.mark.parametrize("step", [close, reset])
def test_a_kept_connection_that_closes_at_the_same_moment_costs_no_attempt(step):
    receiver = KeepingReceiver(answer(OK), step, answer(OK))
    outcomes = post_in_turn(receiver, 2)
    assert results(outcomes) == [(200, "ok", ""), (200, "ok", SENT_AGAIN)]
    assert [(number, body) for number, _head, body in receiver.requests] == [(1, PAYLOAD), (1, PAYLOAD), (2, PAYLOAD)]
    assert all(b"webhook-id: 62742dd824c886d54e60f02b\r\n" in head for _number, head, _body in receiver.requests)


def test_a_request_is_sent_again_only_once():
    receiver = KeepingReceiver(answer(OK), close)
    _first, second = post_in_turn(receiver, 2)
    assert (second.status, second.cause, second.response) == (None, Cause.RESET, "socket hang up")
    assert second.note == SENT_AGAIN
    assert len(receiver.requests) == 3


def test_the_second_request_uses_a_new_connection():
    async def scenario() -> SendOutcome:
        async with sending_to(receiver) as post:
            await asyncio.gather(post(), post(), post())
            receiver.steps = [close, answer(OK)]
            return await post()

    receiver = KeepingReceiver()
    outcome = asyncio.run(scenario())
    assert (outcome.status, receiver.requests[-1][0]) == (200, 4)


@pytest.mark.parametrize("step", [close, reset])
def test_a_closed_new_connection_is_a_failure(step):
    receiver = KeepingReceiver(step)
    [outcome] = post_in_turn(receiver, 1)
    assert (outcome.status, outcome.cause, outcome.note) == (None, Cause.RESET, "")
    assert len(receiver.requests) == 1


def test_a_partial_response_on_a_kept_connection_is_a_failure():
    async def begin_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(b"HTTP/1.1 20")(reader, writer)
        writer.close()

    receiver = KeepingReceiver(answer(OK), begin_and_close)
    _first, second = post_in_turn(receiver, 2)
    assert (second.status, second.cause, second.note) == (None, Cause.RESET, "")
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    "more",
    [
        b"x",
        b"and more",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 408 Request Timeout\r\n\r\n",
        b"\0" * 9,
    ],
)
@pytest.mark.parametrize("status", [b"200 OK\r\nContent-Length: 2\r\n\r\nok", b"204 No Content\r\n\r\n"])
def test_bytes_after_a_response_never_answer_the_next_request(status, more):
    receiver = KeepingReceiver(answer(b"HTTP/1.1 " + status + more), answer(OK))
    first, second = post_in_turn(receiver, 2)
    assert (first.is_success, first.note) == (True, "")
    assert (second.status, second.response, second.note) == (200, "ok", "")
    assert [number for number, _head, _body in receiver.requests] == [1, 2]


@pytest.mark.parametrize("is_closed", [False, True])
def test_unsolicited_bytes_close_the_connection(is_closed):
    """Servers say 408 when a connection has been idle for too long."""

    async def scenario() -> tuple[SendOutcome, int]:
        async with sending_to(receiver) as post:
            await post()
            receiver.connections[0].write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            if is_closed:
                receiver.connections[0].close()
            else:
                await asyncio.wait_for(receiver.left.get(), 5)
            return await post(), len(receiver.connections)

    receiver = KeepingReceiver()
    outcome, connections = asyncio.run(scenario())
    assert (outcome.status, outcome.note, connections) == (200, "", 2)


class BlockingReceiver(threading.Thread):
    """Answers each connection once, in its own thread, and sends `more` directly after it."""

    def __init__(self, more: bytes) -> None:
        super().__init__(daemon=True)
        self.more, self.said = more, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.go_on = threading.Event()

    def run(self) -> None:
        for _time in range(2):
            connection, _address = self.listener.accept()
            connection.recv(65536)
            connection.sendall(OK)
            self.go_on.wait(5)
            if self.more:
                connection.sendall(self.more)
            else:
                connection.shutdown(socket.SHUT_WR)
            self.said.set()


@pytest.mark.parametrize("more", [b"", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"], ids=["closed", "said more"])
def test_unread_bytes_are_noticed_before_a_connection_is_reused(more):
    async def scenario() -> list[SendOutcome]:
        async with Sender(LOOPBACK, timeout=5) as sender:
            url = f"http://127.0.0.1:{receiver.listener.getsockname()[1]}/"
            first = await sender.post(url, PAYLOAD, HEADERS)
            receiver.go_on.set()
            receiver.said.wait(5)  # and the loop stands still meanwhile
            return [first, await sender.post(url, PAYLOAD, HEADERS)]

    receiver = BlockingReceiver(more)
    receiver.start()
    assert results(asyncio.run(scenario())) == [(200, "ok", "")] * 2
    receiver.listener.close()


def test_a_connection_with_an_unsent_rest_of_a_payload_is_not_kept():
    async def refuse_at_the_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number.append(len(number) + 1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await gone.wait()
        writer.close()

    async def scenario() -> list[SendOutcome]:
        async with await asyncio.start_server(refuse_at_the_head, "127.0.0.1", 0, limit=1024) as server:
            async with Sender(LOOPBACK, timeout=5) as sender:
                url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
                outcomes = [await sender.post(url, b"x" * 20_000_000, HEADERS) for _time in range(2)]
            gone.set()
            return outcomes

    number: list[int] = []
    gone = asyncio.Event()
    assert [outcome.status for outcome in asyncio.run(scenario())] == [413, 413]
    assert number == [1, 2]


def test_a_switch_of_protocols_is_a_failure_and_ends_the_connection():
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever"
    receiver = KeepingReceiver(answer(switching), answer(OK))
    first, second = post_in_turn(receiver, 2)
    assert (first.status, first.cause, second.status) == (101, Cause.OTHER, 200)
    assert [number for number, _head, _body in receiver.requests] == [1, 2]


def test_an_early_hint_is_not_the_answer():
    receiver = KeepingReceiver(answer(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK))
    assert results(post_in_turn(receiver, 2)) == [(200, "ok", "")] * 2
    assert len(receiver.connections) == 1


@pytest.mark.parametrize("size", [65_537, 10**9])
def test_a_connection_with_an_unread_response_is_not_kept(size):
    async def scenario() -> list[SendOutcome]:
        async with sending_to(receiver) as post:
            return [await post(), await post()]

    long = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * 65_536
    receiver = KeepingReceiver(answer(long), answer(OK))
    first, second = asyncio.run(scenario())
    assert (first.status, first.is_truncated, second.response) == (200, True, "ok")
    assert len(receiver.connections) == 2


def test_a_connection_is_not_kept_for_long(monkeypatch):
    async def scenario() -> None:
        async with sending_to(receiver) as post:
            await post()
            assert await asyncio.wait_for(receiver.left.get(), 5) == 1
            await post()

    monkeypatch.setattr(http_pool, "KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(http_pool, "SWEEP_INTERVAL_SECONDS", 0.02)
    receiver = KeepingReceiver()
    asyncio.run(scenario())
    assert [number for number, _head, _body in receiver.requests] == [1, 2]


def test_the_number_of_kept_connections_is_limited(monkeypatch):
    async def scenario() -> None:
        async with sending_to(receiver) as post:
            for _time in range(2):
                await asyncio.gather(post(), post(), post())

    monkeypatch.setattr(http_pool, "MAX_IDLE_CONNECTIONS", 1)
    receiver = KeepingReceiver()
    asyncio.run(scenario())
    assert (len(receiver.requests), len(receiver.connections)) == (6, 5)
