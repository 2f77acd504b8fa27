"""No request to any URL causes a server error (5xx), for any method and role."""

from __future__ import annotations

import io
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.signals import got_request_exception, request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client

from cotadmin.encoding import read_as_utf_8
from logs.models import Import, WebhookLog

from ..factories import make_company
from .odd_requests import FORM, MULTIPART, Odd, names_on, odd_requests
from .site_urls import SiteUrl, make_one_of_each, make_user, site_urls

pytestmark = pytest.mark.django_db
ROUNDS = int(os.environ.get("ODD_ROUNDS", "2"))  # requests to each URL; more find more, and take longer
CSRF = "a" * 32
APPLICATION = read_as_utf_8(get_wsgi_application())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    page: str


class Visitor:
    """Sends requests to the application as gunicorn does, with the token of a form. None changes anything for the next."""

    def __init__(self, user=None) -> None:
        self.client = Client(raise_request_exception=False)
        if user:
            self.client.force_login(user)
        session = self.client.cookies.get("sessionid")
        self.cookies = f"csrftoken={CSRF}" + (f"; sessionid={session.value}" if session else "")

    def send(self, path: str, odd: Odd) -> Answer:
        environ = {
            "REQUEST_METHOD": odd.method,
            "PATH_INFO": path,
            "QUERY_STRING": odd.query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": odd.content_type,
            "CONTENT_LENGTH": str(len(odd.body)),
            "wsgi.input": io.BytesIO(odd.body),
            "HTTP_HOST": "testserver",
            "HTTP_COOKIE": self.cookies,
            "HTTP_X_CSRFTOKEN": CSRF,
        }
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in odd.headers.items()}
        setup_testing_defaults(environ)
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        _keep_connection()
        with transaction.atomic():
            page = b"".join(APPLICATION(environ, lambda status, headers, _info=None: heads.append((status, headers))))
            transaction.set_rollback(True)
        status, headers = heads[-1]
        return Answer(int(status[:3]), dict(headers), page.decode(errors="replace"))


def _keep_connection() -> None:
    """A request must not close the connection of the test. Django's test client ensures that only for its own requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)


@pytest.fixture
def everybody(django_user_model) -> dict:
    users = {role: make_user(django_user_model, role) for role in ("Viewer", "Operator", "Administrator", "Superuser")}
    make_company().users.add(*users.values())
    return users


@pytest.mark.parametrize("role", ["anonymous", "Viewer", "Operator", "Administrator", "Superuser"])
def test_no_odd_request_causes_a_server_error_or_a_cacheable_response(everybody, role):
    who, all_ = Visitor(everybody.get(role)), Visitor(everybody["Superuser"])
    arguments = make_one_of_each(everybody.get(role, everybody["Superuser"]), everybody["Superuser"])
    if role == "Operator":  # looks at other rows than the others do
        arguments["int"].reverse()
    failed, kept = [], []
    with errors_of_the_server() as errors:
        for url in site_urls(all_.client, arguments):
            for odd, answer in _answers(who, role, url):
                if answer.status >= 500:
                    failed.append(f"{url.path} {odd}: {answer.status} {' '.join(errors[-1:])}")
                if "no-store" not in answer.headers.get("Cache-Control", ""):
                    kept.append(f"{url.path} {odd}: {answer.status}")
    assert (failed, kept) == ([], [])


def _answers(who: Visitor, role: str, url: SiteUrl) -> Iterator[tuple[Odd, Answer]]:
    """Responses first to usual requests, then to odd ones with the parameters of the page."""
    usual = [Odd("GET"), Odd("POST")] if role == "Superuser" else []
    page = ""
    for odd in [*usual, Odd("GET", "range=99d", {"Hx-Request": "true", "Hx-Current-Url": "http://["})]:
        answer = who.send(url.path, odd)
        page += answer.page
        yield odd, answer
    number = ROUNDS * 2 if role == "Superuser" else ROUNDS
    for odd in odd_requests(f"{role} {url.route}", names_on(page), number):
        yield odd, who.send(url.path, odd)


@contextmanager
def errors_of_the_server() -> Iterator[list[str]]:
    """Exceptions in views as they occur, for the message of a failing test."""
    errors: list[str] = []

    def note(**_signal) -> None:
        errors.append(traceback.format_exc(limit=-2, chain=False).replace("\n", " "))

    got_request_exception.connect(note)
    yield errors
    got_request_exception.disconnect(note)


HTMX_FROM_NOWHERE = {"Hx-Request": "true", "Hx-Current-Url": "http://["}


@pytest.mark.parametrize(
    ("path", "odd", "status"),
    [
        ("/logs/histogram/", Odd("GET", "range=99d", {"Hx-Request": "true"}), 422),
        ("/imports/{waiting}/", Odd("GET", "after=x", {"Hx-Request": "true"}), 422),
        ("/saved-views/", Odd("GET"), 200),
        ("/logs/{log}/retry/", Odd("POST", headers=HTMX_FROM_NOWHERE | {"Hx-Target": "log-status"}), 200),
        ("/preferences/", Odd("GET", headers={"Host": "[", "Hx-Request": "true"}), 400),
        ("/preferences/", Odd("POST", content_type=f"{FORM}; charset=utf-16", body=b"zone=x"), 400),
        ("/preferences/", Odd("POST", content_type=f"{FORM}; charset=idna", body=b"zone=%ff"), 400),
        ("/preferences/", Odd("GET", "a=%ff%ff", content_type="text/plain; charset=idna"), 200),
        ("/preferences/", Odd("POST", content_type=MULTIPART, body=b"--x"), 400),
        ("/preferences/", Odd("POST", body=b"a=1&" * 10_001), 400),
        ("/no/such/page/", Odd("POST", content_type=MULTIPART, body=b"--x"), 404),
        ("/admin/procrastinate/procrastinatejob/", Odd("GET", "status__exact=abc"), 400),
    ],
    ids=str,
)
def test_requests_that_once_caused_server_errors_get_a_page(everybody, path, odd, status):
    user = everybody["Superuser"]
    make_one_of_each(user, user)
    path = path.format(waiting=Import.objects.get(state="waiting").pk, log=WebhookLog.objects.order_by("pk")[0].pk)
    answer = Visitor(user).send(path, odd)
    assert (answer.status, bool(answer.page)) == (status, True)


@pytest.mark.parametrize("header", [HTMX_FROM_NOWHERE, HTMX_FROM_NOWHERE | {"Hx-Current-Url-Uri-Autoencoded": "true"}])
def test_an_anonymous_htmx_request_without_a_valid_url_goes_to_the_sign_in_page(db, header):
    answer = Visitor().send("/logs/", Odd("GET", headers=header))
    assert (answer.status, answer.headers["HX-Redirect"]) == (401, "/sign-in/?next=/")


def test_static_files_can_be_cached_and_have_a_content_security_policy(settings, client):
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True
    answer = client.get("/static/logs/cotadmin.css")
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, False)
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "no-store" in client.get("/static/logs/none.css")["Cache-Control"]
