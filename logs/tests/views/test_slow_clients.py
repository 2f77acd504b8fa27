"""Slow clients with a real gunicorn: they delay nobody, and time out."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pytest

from logs.models import WebhookLog

from ..events import as_bytes, make_endpoint, make_event, make_token
from ..factories import make_subscription
from ..processes import PATIENCE
from ..web_server import WebServer, chunk, head, read_answer

pytestmark = pytest.mark.django_db(transaction=True)

EACH = 4  # of every kind; of any two kinds there are as many as there are places
NEVER = "600"  # seconds


@contextlib.contextmanager
def clients(server: WebServer, beginning: bytes, number: int) -> Iterator[list[socket.socket]]:
    """Connections on which this was sent, and nothing else."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _number in range(number)]
        for connection in connections:
            connection.sendall(beginning)
        yield connections


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    return select.select(connections, [], [], 0)[0]


def wait_for_the_end(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass


SLOW_HEADS = [b"GET / HTTP/1.1\r\nHost: loc", b"POST /in/x HTTP/1.1\r\nHost: localhost\r\nX-Slow: "]


def slow_bodies() -> list[bytes]:
    """Requests that announce a hundred bytes and send few or none."""
    endpoint, token = make_endpoint(), f"Bearer {make_token()}"
    length = {"Content_Length": "100"}
    form = {"Cookie": f"csrftoken={'x' * 32}"} | length  # without it nothing would be read
    return [
        head("/sign-in/", Content_Type="application/x-www-form-urlencoded", **form),
        head("/sign-in/", Content_Type="multipart/form-data; boundary=x", **form) + b"--x\r\n",
        head(endpoint, **length),
        head("/api/v3/events", Authorization=token, Content_Type="application/x-ndjson", **length) + b"{",
        head("/api/v3/events", Authorization=token, Transfer_Encoding="chunked") + chunk(b"{"),
    ]


def test_slow_clients_do_not_delay_other_requests(serve):
    """Pages, probes and endpoints; bodies in pieces are accepted, too. Slow clients hold no database connections."""
    server = serve(CLIENT_TIMEOUT=NEVER, DATABASE_POOL_SIZE="2")
    subscription, endpoint = make_subscription(), make_endpoint()
    with contextlib.ExitStack() as stack:
        slow = []
        for beginning in [*slow_bodies(), *SLOW_HEADS]:
            slow += stack.enter_context(clients(server, beginning, EACH))
        for address, status in [("/healthz", 200), ("/readyz", 200), ("/", 302)]:
            assert server.get(address).startswith(f"HTTP/1.1 {status}".encode()), address
        body = as_bytes(make_event())
        with server.connect() as connection:
            connection.sendall(head(endpoint, Content_Length=str(len(body))))
            for place in range(0, len(body), 1000):
                assert answered([connection]) == []
                connection.sendall(body[place : place + 1000])
            assert read_answer(connection).status == 202
        assert answered(slow) == []
    assert len(subscription.waiting()) == 1


def test_a_slow_client_is_cut_off_after_the_timeout(serve):
    server = serve(CLIENT_TIMEOUT="1")
    with contextlib.ExitStack() as stack:
        silent = []
        for beginning in [*slow_bodies()[2:], *SLOW_HEADS]:
            silent += stack.enter_context(clients(server, beginning, 1))
        for connection in silent:
            wait_for_the_end(connection)

    # A client that sends a byte now and then never reaches the timeout of a pause.
    for beginning in [head(make_endpoint(), Content_Length="100000"), SLOW_HEADS[1]]:
        with clients(server, beginning, 1) as [slow]:
            until = time.monotonic() + PATIENCE  # noqa: TID251  a deadline
            while not answered([slow]):
                assert time.monotonic() < until, "it is still waited for"  # noqa: TID251  a deadline
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    slow.sendall(b"x")
                select.select([slow], [], [], 0.2)

    assert not WebhookLog.objects.exists()
