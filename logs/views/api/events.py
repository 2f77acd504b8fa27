"""The doors by which events come in: one for Cotalker, whose secret is in its address, and one for scripts with a token."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ...ingest import credentials, events, refusals
from ...ingest.events import (
    BATCH_LIMIT,
    EVENT_LIMIT,
    Arrival,
    ArrivalError,
    Reach,
    TooLarge,
    read_arrival,
    read_arrivals,
    sorted_out,
)
from ...ingest.intake import accept
from ...models import ApiToken, Door, RefusalKind
from .body import BrokenOff, beginning_of, chunks_of
from .decorators import Refused, answer, json_door

_BEARER = {"WWW-Authenticate": 'Bearer realm="cotadmin"'}
_TYPES = ("", "application/json", "application/x-ndjson")


@json_door
def event_receive(request: HttpRequest, secret: str) -> HttpResponse:
    """One COTEvent, of whatever content type: Cotalker does not document which it sends, and must not lose one by it."""
    door = credentials.find_door(secret)
    if door is None:
        raise Refused(404, _("There is no such door, or it was revoked."))
    reach = Reach([door.company_id], _("the door is for events of another company"))
    body = _body_at(door, request)
    response, errors = _accept([read_arrival(body, reach, idempotency_key=_idempotency_key(request))])
    for error in errors:
        refusals.keep(door, error.kind, f"{error.path}: {error.reason}".removeprefix(": "), body)
    return response


def _body_at(door: Door, request: HttpRequest) -> bytes:
    """The body of a post; where it is refused before it is read, the door remembers that."""
    body = bytearray()
    try:
        for chunk in chunks_of(request, TooLarge(EVENT_LIMIT, 0)):
            body += chunk
    except TooLarge as error:
        beginning = bytes(body) or beginning_of(request, refusals.BYTES_KEPT)
        size = max(int(request.headers.get("Content-Length") or 0), len(beginning))
        refusals.keep(door, RefusalKind.TOO_LARGE, str(error), beginning, size)
        raise
    except BrokenOff:
        refusals.keep(door, RefusalKind.BROKEN_OFF, _("The body breaks off."), bytes(body))
        raise
    return bytes(body)


@json_door
def event_create(request: HttpRequest) -> HttpResponse:
    """One COTEvent, a JSON array of them, or NDJSON."""
    _token, companies = token_of(request)
    if request.content_type not in _TYPES:
        raise Refused(415, _("The content type must be application/json or application/x-ndjson."))
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(415, _("The body must not be compressed."))
    cut = events.of_lines if request.content_type == "application/x-ndjson" else events.of_json
    found = cut(chunks_of(request, TooLarge(BATCH_LIMIT)))
    reach = Reach(companies, _("the token is not for events of this company"))
    return _accept(read_arrivals(found, reach, _idempotency_key(request)))[0]


def token_of(request: HttpRequest) -> tuple[ApiToken, list[str]]:
    """The token that the request brings, and the ids of its companies; raises Refused."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    found = credentials.find_token(text.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        reason = _("An API token is needed: “Authorization: Bearer cot_…”. It is missing, unknown or revoked.")
        raise Refused(401, reason, headers=_BEARER)
    return found


def _idempotency_key(request: HttpRequest) -> str:
    return request.headers.get("Idempotency-Key", "").strip()


def _accept(arrivals: Iterable[Arrival | ArrivalError]) -> tuple[HttpResponse, list[ArrivalError]]:
    """Store what can be stored; 422 only where that is nothing at all. The answer, and what it tells of what was refused."""
    found = sorted_out(arrivals)
    if found.is_empty:
        raise Refused(422, _("The body holds no event."))
    results = accept(found.events)
    refused = [
        ArrivalError(result.event.index, "", result.problem, RefusalKind.KEY_TAKEN)
        for result in results
        if result.problem
    ]
    errors = sorted(found.errors + refused, key=lambda error: error.index or 0)
    is_accepted = len(refused) < len(results)
    logs = [log for result in results for log in result.logs]
    return answer(logs, errors, 202 if is_accepted else 422, errors_left_out=found.errors_left_out), errors
