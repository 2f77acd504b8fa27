"""The endpoints that accept events: one for Cotalker, with the secret in the URL, and one for scripts, with an API token."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ...ingest import credentials, events, rejections
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
from ...models import ApiToken, InboundEndpoint, RejectionKind
from .body import BodyInterrupted, iter_chunks, read_beginning
from .decorators import ApiError, api_view, json_response

_BEARER = {"WWW-Authenticate": 'Bearer realm="cotadmin"'}
_TYPES = ("", "application/json", "application/x-ndjson")


@api_view
def event_receive(request: HttpRequest, secret: str) -> HttpResponse:
    """Accept one COTEvent with any content type.

    Cotalker doesn't document which content type it sends, and an event must not be lost over it.
    """
    endpoint = credentials.find_endpoint(secret)
    if endpoint is None:
        raise ApiError(404, _("There is no such inbound endpoint, or it was revoked."))
    reach = CompanyScope([endpoint.company_id], _("the inbound endpoint is for events of another company"))
    body = _body_at(endpoint, request)
    response, errors = _accept([parse_event(body, reach, idempotency_key=_idempotency_key(request))])
    for error in errors:
        rejections.keep_rejected(endpoint, error.kind, f"{error.path}: {error.reason}".removeprefix(": "), body)
    return response


def _body_at(endpoint: InboundEndpoint, request: HttpRequest) -> bytes:
    """Return the request body. If it is rejected before it's fully read, store the rejection with the inbound endpoint."""
    body = bytearray()
    try:
        for chunk in iter_chunks(request, PayloadTooLarge(MAX_EVENT_BYTES, 0)):
            body += chunk
    except PayloadTooLarge as error:
        beginning = bytes(body) or read_beginning(request, rejections.MAX_KEPT_BYTES)
        size = max(int(request.headers.get("Content-Length") or 0), len(beginning))
        rejections.keep_rejected(endpoint, RejectionKind.TOO_LARGE, str(error), beginning, size)
        raise
    except BodyInterrupted:
        rejections.keep_rejected(endpoint, RejectionKind.INTERRUPTED, _("The body is incomplete."), bytes(body))
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
    documents = cut(iter_chunks(request, PayloadTooLarge(MAX_BATCH_BYTES)))
    reach = CompanyScope(companies, _("the token is not for events of this company"))
    return _accept(read_events(documents, reach, _idempotency_key(request)))[0]


def token_of(request: HttpRequest) -> tuple[ApiToken, list[str]]:
    """Return the request's API token and its companies' ids. Raises ApiError."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    token_and_companies = credentials.find_token(text.strip()) if scheme.lower() == "bearer" else None
    if token_and_companies is None:
        reason = _("An API token is required: “Authorization: Bearer cot_…”. The token is missing, unknown or revoked.")
        raise ApiError(401, reason, headers=_BEARER)
    return token_and_companies


def _idempotency_key(request: HttpRequest) -> str:
    return request.headers.get("Idempotency-Key", "").strip()


def _accept(arrivals: Iterable[IncomingEvent | EventError]) -> tuple[HttpResponse, list[EventError]]:
    """Store the valid events. Respond 422 only if none is valid.

    Returns the response, and the errors that it lists.
    """
    batch = partition_results(arrivals)
    if batch.is_empty:
        raise ApiError(422, _("The body contains no event."))
    results = accept_events(batch.events)
    conflicts = [
        EventError(result.event.index, "", result.problem, RejectionKind.KEY_TAKEN)
        for result in results
        if result.problem
    ]
    errors = sorted(batch.errors + conflicts, key=lambda error: error.index or 0)
    is_accepted = len(conflicts) < len(results)
    logs = [log for result in results for log in result.logs]
    return json_response(logs, errors, 202 if is_accepted else 422, errors_left_out=batch.errors_left_out), errors
