"""The endpoints that accept events: one for Cotalker, with the secret in the URL, and one for scripts, with an API token."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ...ingest import credentials, events, refusals
from ...ingest.events import (
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    CompanyScope,
    EventError,
    IncomingEvent,
    PayloadTooLarge,
    parse_event,
    partition_results,
    read_events,
)
from ...ingest.intake import accept_events
from ...models import ApiToken, Door, RefusalKind
from .body import BodyInterrupted, iter_chunks, read_beginning
from .decorators import ApiError, api_view, json_response

_BEARER = {"WWW-Authenticate": 'Bearer realm="cotadmin"'}
_TYPES = ("", "application/json", "application/x-ndjson")


@api_view
def event_receive(request: HttpRequest, secret: str) -> HttpResponse:
    """Accept one COTEvent with any content type.

    Cotalker doesn't document which content type it sends, and an event must not be lost over it.
    """
    door = credentials.find_endpoint(secret)
    if door is None:
        raise ApiError(404, _("There is no such inbound endpoint, or it was revoked."))
    reach = CompanyScope([door.company_id], _("the inbound endpoint is for events of another company"))
    body = _body_at(door, request)
    response, errors = _accept([parse_event(body, reach, idempotency_key=_idempotency_key(request))])
    for error in errors:
        refusals.keep_refused(door, error.kind, f"{error.path}: {error.reason}".removeprefix(": "), body)
    return response


def _body_at(door: Door, request: HttpRequest) -> bytes:
    """Return the request body. If the body is refused before it's fully read, store the refusal with the inbound endpoint."""
    body = bytearray()
    try:
        for chunk in iter_chunks(request, PayloadTooLarge(MAX_EVENT_BYTES, 0)):
            body += chunk
    except PayloadTooLarge as error:
        beginning = bytes(body) or read_beginning(request, refusals.MAX_KEPT_BYTES)
        size = max(int(request.headers.get("Content-Length") or 0), len(beginning))
        refusals.keep_refused(door, RefusalKind.TOO_LARGE, str(error), beginning, size)
        raise
    except BodyInterrupted:
        refusals.keep_refused(door, RefusalKind.BROKEN_OFF, _("The body is incomplete."), bytes(body))
        raise
    return bytes(body)


@api_view
def event_create(request: HttpRequest) -> HttpResponse:
    """Accept one COTEvent, a JSON array of them, or NDJSON."""
    _token, companies = token_of(request)
    if request.content_type not in _TYPES:
        raise ApiError(415, _("The content type must be application/json or application/x-ndjson."))
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiError(415, _("The body must not be compressed."))
    cut = events.iter_ndjson if request.content_type == "application/x-ndjson" else events.iter_json
    found = cut(iter_chunks(request, PayloadTooLarge(MAX_BATCH_BYTES)))
    reach = CompanyScope(companies, _("the token is not for events of this company"))
    return _accept(read_events(found, reach, _idempotency_key(request)))[0]


def token_of(request: HttpRequest) -> tuple[ApiToken, list[str]]:
    """Return the request's API token and its companies' ids. Raises ApiError."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    found = credentials.find_token(text.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        reason = _("An API token is required: “Authorization: Bearer cot_…”. The token is missing, unknown or revoked.")
        raise ApiError(401, reason, headers=_BEARER)
    return found


def _idempotency_key(request: HttpRequest) -> str:
    return request.headers.get("Idempotency-Key", "").strip()


def _accept(arrivals: Iterable[IncomingEvent | EventError]) -> tuple[HttpResponse, list[EventError]]:
    """Store the valid events. Respond 422 only if none is valid.

    Returns the response, and the errors that it lists.
    """
    found = partition_results(arrivals)
    if found.is_empty:
        raise ApiError(422, _("The body contains no event."))
    results = accept_events(found.events)
    refused = [
        EventError(result.event.index, "", result.problem, RefusalKind.KEY_TAKEN)
        for result in results
        if result.problem
    ]
    errors = sorted(found.errors + refused, key=lambda error: error.index or 0)
    is_accepted = len(refused) < len(results)
    logs = [log for result in results for log in result.logs]
    return json_response(logs, errors, 202 if is_accepted else 422, errors_left_out=found.errors_left_out), errors
