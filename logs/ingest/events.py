"""Turns the bytes of a request into events, or errors that say which event, where and why. Nothing is stored here.

A request is cut into the texts of single events. If it is too large, it is rejected before it is read to its end. Of a
parsed event, only the values that are stored are kept: as Python objects, a batch of 32 MiB would take ten times as much.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..cotalker.documents import EventDocument, InvalidDocument, read_event
from ..cotalker.json_stream import RawDocument, iter_text_documents
from ..models import RejectionKind
from .matching import EventScope, event_scope

MIB = 1024 * 1024
MAX_EVENT_BYTES = 1 * MIB
MAX_BATCH_BYTES = 32 * MIB
_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class PayloadTooLarge(Exception):
    """Event `index` (from 0; None: all events together) is larger than `limit` bytes."""

    def __init__(self, limit: int, index: int | None = None) -> None:
        self.limit = limit
        self.index = index
        size = {"size": limit // MIB}
        super().__init__(
            _("all events together are larger than %(size)s MiB") % size
            if index is None
            else _("the event is larger than %(size)s MiB") % size
        )


def iter_json(chunks: Iterable[bytes]) -> Iterator[RawDocument]:
    """The elements of an array, or else the whole text as one event. Raises PayloadTooLarge, like all of these functions."""
    start, chunks = _begun(chunks)
    return _checked(iter_text_documents(chunks, MAX_EVENT_BYTES)) if start.startswith(b"[") else _whole(chunks)


def iter_ndjson(chunks: Iterable[bytes]) -> Iterator[RawDocument]:
    """One event per line; blank lines are ignored."""
    return _checked(_lines(_begun(chunks)[1]))


def iter_any(chunks: Iterable[bytes]) -> Iterator[RawDocument]:
    """What a person may paste: an array, or events one after another, on one line or many."""
    return _checked(iter_text_documents(_begun(chunks)[1], MAX_EVENT_BYTES))


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes that are not blank, and everything from these bytes on."""
    source = iter(chunks)
    start = b""
    for chunk in source:
        start = (start + chunk).lstrip(_BLANKS).removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
        if len(start) > len(_BYTE_ORDER_MARK):
            break
    return start, chain([start], source)


def _checked(pieces: Iterable[RawDocument]) -> Iterator[RawDocument]:
    for index, piece in enumerate(pieces):
        if piece.is_too_long or len(piece.data) > MAX_EVENT_BYTES:
            raise PayloadTooLarge(MAX_EVENT_BYTES, index)
        yield piece


def _whole(chunks: Iterable[bytes]) -> Iterator[RawDocument]:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_EVENT_BYTES:
            raise PayloadTooLarge(MAX_EVENT_BYTES, 0)
    if data:
        yield RawDocument(1, 1, bytes(data))


def _lines(chunks: Iterable[bytes]) -> Iterator[RawDocument]:
    number, line, rest = 0, 0, b""
    for chunk in chain(chunks, [b"\n"]):
        *complete, rest = (rest + chunk).split(b"\n")
        for data in complete:
            line += 1
            if data := data.strip(_BLANKS):
                number += 1
                yield RawDocument(number, line, data)
        if len(rest) > MAX_EVENT_BYTES:
            yield RawDocument(number + 1, line + 1, rest, is_too_long=True)


MAX_ERRORS = 1000


@dataclass(frozen=True, slots=True)
class EventError:
    """Why an event was not accepted. `index`: from 0; None if the error isn't about one event. `path`: a JSON Pointer."""

    index: int | None
    path: str
    reason: str
    kind: RejectionKind = RejectionKind.NOT_EVENT


class _OtherCompany(InvalidDocument):
    """The event is valid, but its company is not one for which the sender may send."""


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event that may be stored. `text` is exactly what was sent.

    Another event with the same `key` counts as the same one; `digest` says whether it really is. A `key` of "" means that the
    event is stored in any case.
    """

    index: int
    text: str
    about: EventScope
    object_id: str
    object_name: str
    digest: str
    key: str


@dataclass(slots=True)
class ParsedBatch:
    """A parsed batch. Errors beyond the first 1,000 are only counted: 32 MiB can hold millions."""

    events: list[IncomingEvent] = field(default_factory=list)
    errors: list[EventError] = field(default_factory=list)
    errors_left_out: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.events and not self.errors


@dataclass(frozen=True, slots=True)
class CompanyScope:
    """The companies whose events are accepted, and the error message for all others."""

    companies: Collection[str]
    rejection: str


def read_events(
    pieces: Iterable[RawDocument], reach: CompanyScope, idempotency_key: str = ""
) -> Iterator[IncomingEvent | EventError]:
    """The events of a batch in order, or what is wrong with them."""
    for index, piece in enumerate(pieces):
        if piece.problem:
            yield EventError(index, "", piece.problem)
        else:
            yield parse_event(piece.data, reach, index, idempotency_key)


def parse_event(
    data: bytes, reach: CompanyScope, index: int = 0, idempotency_key: str = ""
) -> IncomingEvent | EventError:
    """One COTEvent. Its index is part of its key, because a whole batch has one Idempotency-Key."""
    try:
        return build_event(read_event(data), reach, index, idempotency_key and f"{idempotency_key}\n{index}")
    except _OtherCompany as error:
        return EventError(index, error.path, error.reason, RejectionKind.COMPANY)
    except InvalidDocument as error:
        kind = RejectionKind.NOT_EVENT if error.path else RejectionKind.NOT_JSON
        return EventError(index, error.path, _reason(error, data), kind)


def partition_results(arrivals: Iterable[IncomingEvent | EventError]) -> ParsedBatch:
    """Separates the events that may be stored from the errors."""
    batch = ParsedBatch()
    for arrival in arrivals:
        if isinstance(arrival, IncomingEvent):
            batch.events.append(arrival)
        elif len(batch.errors) < MAX_ERRORS:
            batch.errors.append(arrival)
        else:
            batch.errors_left_out += 1
    return batch


def build_event(event: EventDocument, reach: CompanyScope, index: int = 0, key: str = "") -> IncomingEvent:
    """`key`: the sender's key for this event; "" if its bytes identify it. Raises InvalidDocument."""
    if "company" not in event.value:
        raise InvalidDocument(_("missing"), "/company")
    try:
        company = objectid.parse_objectid(event.value["company"])
    except ValueError as error:
        raise InvalidDocument(str(error), "/company") from error
    if company not in reach.companies:
        raise _OtherCompany(reach.rejection, "/company")
    digest = _sha256("event", company, event.text)
    return IncomingEvent(
        index=index,
        text=event.text,
        about=event_scope(company, event.value),
        object_id=event.object_id,
        object_name=event.object_name,
        digest=digest,
        key=_sha256("key", company, key) if key else digest,
    )


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _reason(error: InvalidDocument, data: bytes) -> str:
    if error.offset is None:
        return error.reason
    before = data.decode(errors="replace")[: error.offset]
    place = {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}
    return f"{error.reason} {_('(line %(line)s, column %(column)s)') % place}"
