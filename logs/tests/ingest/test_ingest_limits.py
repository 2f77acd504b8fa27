"""Bodies over the limits and truncated bodies, with a real gunicorn."""

import json
import re
import socket
from pathlib import Path

import pytest

from logs.models import WebhookLog

from ..events import as_bytes, make_endpoint, make_event, make_token
from ..factories import make_subscription
from ..web_server import WebServer, chunk, head, read_answer

MIB = 1024 * 1024
ADDRESS = "/api/v3/events"
NDJSON = "application/x-ndjson"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(serve) -> WebServer:
    return serve()


def headers(**more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token()}", "Content_Type": NDJSON} | more


def large_event(size: int, number: int = 0) -> bytes:
    """An event of exactly so many bytes."""
    event = make_event(number)
    event["data"]["description"] = ""
    event["data"]["description"] = "x" * (size - len(json.dumps(event)))
    return json.dumps(event).encode()


def send(server: WebServer, address: str, body: bytes, **more: str):
    with server.connect() as connection:
        connection.sendall(head(address, **headers(**{"Content_Length": str(len(body))} | more)) + body)
        return read_answer(connection)


def send_chunks(server: WebServer, address: str, *chunks: bytes, **more: str):
    with server.connect() as connection:
        connection.sendall(head(address, **headers(Transfer_Encoding="chunked", **more)))
        for data in chunks:
            connection.sendall(chunk(data))
        connection.sendall(b"0\r\n\r\n")
        return read_answer(connection)


def test_limits_apply_to_lengths_and_chunks(server):
    """One server for all of it: starting one takes a second."""
    subscription, endpoint = make_subscription(), make_endpoint()

    # A body in chunks of any size is a body.
    body = as_bytes(*(make_event(number) for number in range(3)))
    answer = send_chunks(server, ADDRESS, body[:7], body[7:5000], body[5000:])
    assert (answer.status, len(answer.body["accepted"])) == (202, 3)
    answer = send_chunks(server, endpoint, as_bytes(make_event(3)))
    assert (answer.status, len(answer.body["accepted"])) == (202, 1)
    assert [log.object_id[-1] for log in subscription.waiting()] == ["0", "1", "2", "3"]

    # An event of exactly 1 MiB is taken, by every endpoint.
    for number, (address, more) in enumerate(
        [(ADDRESS, {}), (ADDRESS, {"Content_Type": "application/json"}), (endpoint, {})]
    ):
        assert send(server, address, large_event(MIB, 10 + number), **more).status == 202
        answer = send(server, address, large_event(MIB + 1, 20 + number), **more)
        assert answer.status == 413
        assert answer.body["errors"] == [
            {"index": 0, "path": "", "reason": "Nothing was accepted: the event is larger than 1 MiB."}
        ]
        assert send_chunks(server, address, large_event(MIB + 1, 30 + number), **more).status == 413
    assert WebhookLog.objects.count() == 7


def test_one_event_over_the_limit_rejects_its_batch(server):
    make_subscription()
    events = [large_event(2000, 0), large_event(MIB + 1, 1), large_event(2000, 2)]
    for body, content_type in [(b"\n".join(events), NDJSON), (b"[" + b",".join(events) + b"]", "application/json")]:
        for way in (send, send_chunks):
            answer = way(server, ADDRESS, body, Content_Type=content_type)
            assert (answer.status, answer.body["accepted"]) == (413, [])
            assert answer.body["errors"][0]["index"] == 1
    assert not WebhookLog.objects.exists()


def test_a_batch_over_32_mib_is_rejected_regardless_of_its_declared_length(server):
    make_subscription()
    event = large_event(MIB - 1) + b"\n"
    reason = "Nothing was accepted: all events together are larger than 32 MiB."

    answer = send_chunks(server, ADDRESS, *[event] * 33)
    assert (answer.status, answer.body["errors"]) == (413, [{"index": None, "path": "", "reason": reason}])

    with server.connect() as connection:
        connection.sendall(head(ADDRESS, **headers(Content_Length=str(33 * MIB))))
        for _number in range(33):
            connection.sendall(event)
        answer = read_answer(connection)
    assert (answer.status, answer.body["errors"]) == (413, [{"index": None, "path": "", "reason": reason}])
    assert not WebhookLog.objects.exists()


def test_a_declared_length_over_the_limit_is_rejected_before_reading(server):
    """The body never comes; a server that waited for it would report a truncated body."""
    for address, length, index in [(ADDRESS, 32 * MIB + 1, None), (make_endpoint(), MIB + 1, 0)]:
        with server.connect() as connection:
            connection.sendall(head(address, **headers(Content_Length=str(length))))
            connection.shutdown(socket.SHUT_WR)
            answer = read_answer(connection)
        assert (answer.status, answer.body["errors"][0]["index"]) == (413, index)


def test_a_body_over_the_limit_is_not_kept_in_memory(server):
    """120 MiB of one endless event. Before, a little more than 1 MiB warms every process up."""
    for _number in range(20):
        assert send_chunks(server, ADDRESS, *[b"x" * MIB] * 2).status == 413
    before = peak_memory(server)
    assert send_chunks(server, ADDRESS, *[b"x" * MIB] * 120).status == 413
    assert peak_memory(server) - before < 8 * MIB


def test_a_truncated_body_is_not_accepted(server):
    make_subscription()
    body = as_bytes(make_event(), make_event(1))
    beginnings = [
        head(ADDRESS, **headers(Content_Length=str(len(body) + 1))) + body,
        head(ADDRESS, **headers(Transfer_Encoding="chunked")) + chunk(body),
        head(ADDRESS, **headers(Transfer_Encoding="chunked")) + chunk(body) + b"nonsense\r\n",
    ]
    for beginning in beginnings:
        with server.connect() as connection:
            connection.sendall(beginning)
            connection.shutdown(socket.SHUT_WR)
            answer = read_answer(connection)
        assert answer.status == 400
        assert answer.body["errors"][0]["reason"] == "The body is incomplete. Nothing was accepted."
    assert not WebhookLog.objects.exists()


def test_an_unauthorized_client_gets_the_response_after_a_large_body(server):
    answer = send(server, ADDRESS, b"x" * (8 * MIB), Authorization="Bearer cot_nothing")
    assert answer.status == 401
    assert send(server, "/in/nothing", b"x" * (8 * MIB)).status == 404


def peak_memory(server: WebServer) -> int:
    """The peak memory of a process of the server, in bytes."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    peaks = [re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in children]
    return max(int(peak[1]) * 1024 for peak in peaks if peak)
