"""Accepts files only where they are expected, from people who may send them. Elsewhere they are neither read nor stored.

Django itself stores the files of a form, on disk if they are large, before anything checks who sends them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, UnreadablePostError

FORM_CONTENT_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
OTHER_FIELDS_BYTES = 1024 * 1024  # bytes of a form in addition to its file or its text


def takes_files(permission: str, limit: Callable[[], int]) -> Callable:
    """Decorator of a view, the outermost one: it accepts a file of up to `limit()` bytes from people with the permission."""

    def mark(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        view.takes_files = (permission, limit)  # type: ignore[attr-defined]
        return view

    return mark


class UploadMiddleware:
    """Runs before the CSRF check, which is the first to read a form. It reads the whole form, so half a form is rejected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if (
            request.method != "POST"
            or request.content_type not in FORM_CONTENT_TYPES
            or getattr(view, "csrf_exempt", False)
        ):
            return None
        if request.content_type == "multipart/form-data":
            permission, limit_of = getattr(view, "takes_files", ("", int))
            user = get_user(request) if permission else None
            if user and not user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if user and not user.has_perm(permission):
                raise PermissionDenied
            limit = limit_of()
            # If a file is somewhat too large, the page says so after the upload; beyond twice the limit it's rejected here.
            if _length(request) > (2 * limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + OTHER_FIELDS_BYTES:
                raise RequestDataTooBig("the form is too large for this URL")
            if not limit:
                request.upload_handlers = [_NoFiles(request)]
        try:
            request.POST  # noqa: B018  # reads and parses the form now
        except UnreadablePostError as error:
            raise BadRequest("the request body ended early") from error
        return None


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # as in Django: then there is no body


class _NoFiles(FileUploadHandler):
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise BadRequest("file uploads are not accepted here")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise BadRequest("file uploads are not accepted here")

    def file_complete(self, file_size: int) -> None:
        return None
