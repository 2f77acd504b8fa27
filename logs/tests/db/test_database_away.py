"""The database is busy or ends connections: clients are asked to retry, and nobody sees a server error."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import connection

from logs.ingest import enqueue, intake
from logs.models import WebhookLog

from ..events import as_bytes, make_endpoint, make_event, make_token, post
from ..factories import make_subscription
from ..processes import wait_until
from ..web_server import WebServer, head, read_all

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "cotadmin of this test"
PAGES = ["/", "/queues/", "/subscriptions/"]


@pytest.fixture
def serve(serve) -> Callable[..., WebServer]:
    return functools.partial(serve, PGAPPNAME=NAME, DJANGO_SETTINGS_MODULE="cotadmin.test_settings")


@pytest.fixture
def cookie(client, member) -> str:
    client.force_login(member("Administrator"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def send(server: WebServer, address: str, event: bytes, **headers: str) -> bytes:
    with server.connect() as client:
        client.sendall(head(address, Content_Length=str(len(event)), **headers) + event)
        return read_all(client)


@contextlib.contextmanager
def waiting_posts(server: WebServer, number: int) -> Iterator[list[bytes]]:
    """So many posts to an inbound endpoint wait for the database, each with a connection; finally their responses."""
    endpoint, answers, event = make_endpoint(), [], as_bytes(make_event())
    posts = [
        threading.Thread(target=lambda: answers.append(send(server, endpoint, event))) for _number in range(number)
    ]
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE logs_inboundendpoint IN ACCESS EXCLUSIVE MODE")
        try:
            for thread in posts:
                thread.start()
            wait_until(lambda: len(backends("AND wait_event_type = 'Lock'")) == number)
            yield answers
        finally:
            cursor.execute("ROLLBACK")
            for thread in posts:
                thread.join()


def backends(condition: str = "") -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(f"SELECT pid FROM pg_stat_activity WHERE application_name = %s {condition}", [NAME])
        return [pid for (pid,) in cursor.fetchall()]


def terminate(pids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) pid", [pids])
    wait_until(lambda: not set(pids) & set(backends()))


def says_come_again(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 503") and b"\r\nRetry-After: " in answer


def test_people_and_scripts_are_asked_to_retry_when_all_connections_are_busy(serve, cookie):
    server = serve(workers=1, DATABASE_POOL_SIZE="1")
    make_subscription()
    token = make_token()
    assert server.get("/queues/", Cookie=cookie).startswith(b"HTTP/1.1 200")
    with waiting_posts(server, 1) as answers:
        pages = [server.get("/queues/", Cookie=cookie), server.get("/queues/", Cookie=cookie, HX_Request="true")]
        assert all(says_come_again(answer) for answer in pages)
        assert all(b"The database is not responding." in answer for answer in pages)
        answer = send(server, "/api/v3/events", as_bytes(make_event(9)), Authorization=f"Bearer {token}")
        assert says_come_again(answer)
        assert b"Send them again." in answer
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 202"]
    assert server.get("/queues/", Cookie=cookie).startswith(b"HTTP/1.1 200")
    assert WebhookLog.objects.count() == 1


def test_broken_connections_cost_one_response_and_no_server_error(serve, cookie):
    """The pool has eight of them; checking one after the other with growing pauses would take half a minute."""
    server = serve(workers=1, threads=8)
    make_subscription()
    with waiting_posts(server, 8) as answers:
        pass
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 202"] * 8
    terminate(backends())
    first = server.get("/queues/", Cookie=cookie)
    assert first.startswith(b"HTTP/1.1 200") or says_come_again(first)
    for address in PAGES:
        assert server.get(address, Cookie=cookie).startswith(b"HTTP/1.1 200"), address
    assert send(server, make_endpoint(), as_bytes(make_event(7))).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize(
    ("module", "name"),
    [(intake, "matching_subscriptions"), (enqueue, "event_vectors"), (enqueue, "notify_workers")],
    ids=["before a queue is locked", "in the midst of COPY", "before the commit"],
)
def test_an_event_is_requested_again_when_the_database_goes_away(client, monkeypatch, module, name):
    subscription, endpoint = make_subscription(), make_endpoint()
    original = getattr(module, name)

    def go_away(*arguments):
        """Another connection ends this one, and PostgreSQL has done so when it comes back."""
        pid = connection.connection.info.backend_pid
        run_in_thread(lambda: end(pid))
        return original(*arguments)

    monkeypatch.setattr(module, name, go_away)
    answer = post(client, endpoint, as_bytes(make_event()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["errors"][0]["reason"] == "The events could not be stored now. Send them again."
    monkeypatch.undo()
    assert not WebhookLog.objects.exists()
    assert post(client, endpoint, as_bytes(make_event())).status_code == 202
    assert len(subscription.waiting()) == 1


def end(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    wait_until(lambda: not is_alive(pid))
    connection.close()


def is_alive(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [pid])
        return cursor.fetchone()[0]


def run_in_thread(call) -> None:
    """In a thread, so with a connection of its own."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
