"""Which pages accept files from whom. Everywhere else, no file is read or kept."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.files import uploadhandler
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIHandler
from django.urls import reverse

from cotadmin.serving.turns import RequestSlots

from ..factories import make_subscription

pytestmark = pytest.mark.django_db

IMPORTS, PLANS = reverse("logs:import_list"), reverse("logs:bulk_redelivery_create")


@pytest.fixture
def kept(monkeypatch) -> list[str]:
    """The names of the files that Django keeps, in memory or on disk."""
    names: list[str] = []
    new_file = uploadhandler.FileUploadHandler.new_file

    def note(self, field_name, file_name, *arguments, **more):
        names.append(file_name)
        return new_file(self, field_name, file_name, *arguments, **more)

    monkeypatch.setattr(uploadhandler.FileUploadHandler, "new_file", note)
    return names


def a_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("logs.json", b"{}" * 1000)


def test_uploads_are_refused_on_pages_without_uploads(client, member, kept):
    subscription = make_subscription()
    addresses = [reverse("login"), reverse("set_language")]
    for address in [*addresses, reverse("admin:login")]:
        assert client.post(address, {"file": a_file()}).status_code == 400, address
    for address in [IMPORTS, PLANS]:
        assert client.post(address, {"file": a_file()}).url.startswith(reverse("login")), address
    client.force_login(member("Administrator"))
    for name in ("queue_pause", "subscription_edit", "test_event_create"):
        assert client.post(reverse(f"logs:{name}", args=[subscription.pk]), {"file": a_file()}).status_code == 400, name
    client.force_login(member("Viewer"))
    for address in [IMPORTS, PLANS]:
        assert client.post(address, {"file": a_file()}).status_code == 403, address
    assert kept == []


def test_users_with_the_permission_can_upload_on_upload_pages(client, member, kept):
    client.force_login(member("Operator"))
    assert client.post(IMPORTS, {"kind": "logs", "file": a_file()}).status_code == 303
    assert client.post(PLANS, {"source": "ids", "file": a_file()}).status_code == 422  # there is no id in it
    assert set(kept) == {"logs.json"}


class Untouched(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size=-1):
        raise AssertionError("it was read")


def answer_to(address: str, content_type: str, length: int, body, **more: str) -> str:
    """The status of the response to such a post, as in gunicorn's threads."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": address,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(length),
        "wsgi.input": body,
        "wsgi.url_scheme": "http",
        "HTTP_COOKIE": f"csrftoken={'x' * 32}",
        "HTTP_X_CSRFTOKEN": "x" * 32,
    } | more
    statuses: list[str] = []
    application = RequestSlots(WSGIHandler(), 1, SimpleNamespace(client=lambda: None), ("/in/",))
    application(environ, lambda status, headers: statuses.append(status)).close()
    return statuses[0]


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_a_form_over_the_limit_is_refused_before_it_is_read(content_type):
    large = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 2 * 1024 * 1024
    assert answer_to(reverse("login"), content_type, large, Untouched()).startswith("400")


def test_a_truncated_form_is_not_accepted():
    form = b"language=es"
    kind = "application/x-www-form-urlencoded"
    assert answer_to(reverse("set_language"), kind, len(form), io.BytesIO(form)).startswith("302")
    assert answer_to(reverse("set_language"), kind, len(form) + 10, io.BytesIO(form)).startswith("400")
