"""Slow pages: they delay no events, and no user has more than two slow searches at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from logs.views.logs import list_page
from logs.views.search_limit import take_search_slot

from ..events import as_bytes, at_once, make_endpoint, make_event
from ..factories import import_logs, log_document, make_subscription
from ..processes import wait_until
from ..web_server import WebServer, head, read_answer

pytestmark = pytest.mark.django_db(transaction=True)

LOGS = reverse("logs:webhook_log_list")
EXTENDED = f"{LOGS}?q=needle&extend=1"


@pytest.fixture
def server(serve) -> WebServer:
    return serve(workers=1, PGAPPNAME="busy", DJANGO_SETTINGS_MODULE="cotadmin.test_settings")


@contextlib.contextmanager
def nothing_is_finished(server: WebServer) -> Iterator[Callable[..., list[bytes]]]:
    """Every page that shows saved views waits within. `get(address, cookie, number)` requests so many of them and returns once
    they wait; the list it returns has their responses in the end.
    """
    waiting: list[threading.Thread] = []

    def get(address: str, cookie: str, number: int) -> list[bytes]:
        answers: list[bytes] = []
        for _number in range(number):
            waiting.append(threading.Thread(target=lambda: answers.append(server.get(address, Cookie=cookie))))
            waiting[-1].start()
        wait_until(lambda: len(waiting) == number_of_waiting())
        return answers

    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE logs_savedview IN ACCESS EXCLUSIVE MODE")
        try:
            yield get
        finally:
            cursor.execute("ROLLBACK")
            for thread in waiting:
                thread.join()


def number_of_waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'busy' AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def sign_in(user) -> str:
    """The session cookie of a browser."""
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def test_slow_pages_delay_no_events_and_a_third_slow_search_is_refused(server, member):
    subscription, endpoint = make_subscription(), make_endpoint()
    cookie, other_cookie = sign_in(member("Viewer")), sign_in(member("Viewer"))
    with nothing_is_finished(server) as get:
        answers = [get(EXTENDED, cookie, 2)]
        for headers in ({}, {"HX_Request": "true"}):
            answer = server.get(EXTENDED, Cookie=cookie, **headers)
            assert answer.startswith(b"HTTP/1.1 429")
            assert b"\r\nRetry-After: 5\r\n" in answer
            assert b"Two of your searches are still running" in answer
        answers.append(get(EXTENDED, other_cookie, 1))
        answers.append(get("/queues/", cookie, 1))  # now all four places are taken
        body = as_bytes(make_event())
        with server.connect() as connection:
            connection.sendall(head(endpoint, Content_Length=str(len(body))) + body)
            assert read_answer(connection).status == 202
        assert server.get("/healthz").startswith(b"HTTP/1.1 200")
        assert server.get("/readyz").startswith(b"HTTP/1.1 200")
    assert [answer[:12] for some in answers for answer in some] == [b"HTTP/1.1 200"] * 4
    assert server.get(EXTENDED, Cookie=cookie).startswith(b"HTTP/1.1 200")
    assert len(subscription.waiting()) == 1


@pytest.fixture
def seconds(monkeypatch) -> list[float]:
    """How long each search may take."""
    limits, finder = [], list_page.Finder

    def make(*arguments, **more):
        created = finder(*arguments, **more)
        limits.append(created.seconds)
        return created

    monkeypatch.setattr(list_page, "Finder", make)
    return limits


def test_a_search_beside_two_others_is_limited_to_a_short_time(client, member, seconds):
    """It answers with the logs found by then; without words there is nothing to search."""
    make_subscription()
    import_logs(log_document(1))
    user = member("Viewer")
    client.force_login(user)

    def seconds_beside(others: int, query: dict[str, str]) -> set[float]:
        seconds.clear()
        call = lambda: client.get(LOGS, query).status_code  # noqa: E731
        for _number in range(others):
            call = lambda inner=call: in_a_place(inner)  # noqa: E731
        assert at_once([call]) == [200]
        return set(seconds)

    def in_a_place(call):
        with transaction.atomic():
            assert take_search_slot(user.pk)
            return at_once([call])[0]  # in a thread of its own, so with a connection of its own

    usual, short = 1.0, list_page.SHORT_SECONDS
    words, kinds = {"q": "needle"}, {"state": "failed"}
    assert [seconds_beside(others, words) for others in (0, 1, 2)] == [{usual}, {usual}, {short}]
    assert seconds_beside(2, kinds) == {usual}
