"""Fixtures of the browser tests: real Chromium, the real server, a real worker, all on the test database.

They don't use pytest-playwright's fixtures: those keep an event loop for the whole session, in
which neither Django's ORM nor asyncio.run() works. Here the loop ends with this package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cotadmin.tests import browser as chromium
from logs.models import Subscription

from ..factories import make_subscription
from ..processes import Worker
from .complaints import Complaints

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSWORD = "correct horse battery staple"
PATIENCE_MS = 60_000
HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests run last: they take longest and say least about the place of a fault."""
    items.sort(key=lambda item: HERE in item.path.parents)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop in this thread
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.executable(), args=ARGUMENTS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def administrator(transactional_db, django_user_model):
    return django_user_model.objects.create_superuser("ana", password=PASSWORD)


@pytest.fixture
def subscription(transactional_db, receiver) -> Subscription:
    """Its events go to the receiver."""
    return make_subscription(url=receiver.url)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def open_page(browser, live_server, transactional_db, complaints) -> Iterator[Callable[..., Page]]:
    """`open_page(user)`: a page of a browser in which that user is signed in; more arguments go to its context.

    A problem that a page reports fails the test at its end.
    """
    contexts = []

    def make(user=None, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, reduced_motion="reduce", **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if user:
            client = Client()  # a client of its own: signing in again would end the session of the other user
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        complaints.listen(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert complaints.unexpected == [], complaints.unexpected


@pytest.fixture
def page(open_page, administrator) -> Page:
    """A page of a browser in which the administrator is signed in."""
    return open_page(administrator)


@pytest.fixture
def worker(transactional_db) -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.stop() == 0, worker.output
