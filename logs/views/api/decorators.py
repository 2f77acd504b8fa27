"""What the ingest endpoints share: no session, POST only, and a JSON response whatever happens.

A response: `{"accepted": [ids of logs], "errors": [{"index": 0, "path": "/company", "reason": "…"}]}`. `index` is null if
an error isn't about one event. At most 1,000 errors are listed; `errors_left_out` counts the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from cotadmin.database import drop_idle_connections, is_unavailable

from ...ingest.events import EventError, PayloadTooLarge
from .body import BodyInterrupted, LengthMissing, drain_rest

_RETRY = {"Retry-After": "5"}  # seconds
logger = logging.getLogger("logs.ingest")


class ApiError(Exception):
    """The whole request is rejected, for one reason."""

    def __init__(
        self, status: int, reason: str, index: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.error = EventError(index, "", reason)
        self.headers = headers or {}


def api_view(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Wrap an ingest view. Each request carries its own secret: there is no session, so CSRF doesn't apply."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def endpoint(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            if request.method != "POST":
                raise ApiError(405, _("Only POST is allowed."), headers={"Allow": "POST"})
            return view(request, *args, **kwargs)
        except Exception as error:  # a script must be able to read the response to any error
            api_error = _as_api_error(error)
            drain_rest(request)
            return json_response([], [api_error.error], api_error.status, api_error.headers)

    return endpoint


def _as_api_error(error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case PayloadTooLarge():
            return ApiError(413, _("Nothing was accepted: %(reason)s.") % {"reason": error}, error.index)
        case BodyInterrupted():
            return ApiError(400, _("The body is incomplete. Nothing was accepted."))
        case LengthMissing():
            return ApiError(411, _("The length of the body is missing."))
        case _ if is_unavailable(error):
            logger.exception("could not store events")
            drop_idle_connections()
            return ApiError(503, _("The events could not be stored now. Send them again."), headers=_RETRY)
        case _:
            logger.exception("unexpected error while accepting events")
            return ApiError(500, _("cotadmin had an internal error; see the server log. Nothing was accepted."))


def _error_json(error: EventError) -> dict[str, object]:
    return {"index": error.index, "path": error.path, "reason": error.reason}


def json_response(
    accepted: Sequence[str],
    errors: Sequence[EventError],
    status: int,
    headers: dict[str, str] | None = None,
    errors_left_out: int = 0,
) -> JsonResponse:
    body: dict[str, object] = {"accepted": accepted, "errors": [_error_json(error) for error in errors]}
    if errors_left_out:
        body["errors_left_out"] = errors_left_out
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"} | (headers or {}))
