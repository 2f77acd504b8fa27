"""Read a request body in chunks, with a size limit that is checked before and while reading.

Django's own body handling would buffer the whole body first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from django.db import connection
from django.http import HttpRequest

from ...ingest.events import MIB, PayloadTooLarge

_PIECE = 64 * 1024
_REST_LIMIT = 128 * MIB


class BodyInterrupted(Exception):
    """The client disconnected or broke the protocol before the end of the body."""


class LengthMissing(Exception):
    """The body has no length, and this server doesn't mark where it ends."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def iter_chunks(request: HttpRequest, too_large: PayloadTooLarge) -> Iterator[bytes]:
    """Yield the body in chunks.

    Raises BodyInterrupted, LengthMissing, and `too_large` when the body exceeds its limit.
    """
    source, length = _source(request)
    if length is not None and length > too_large.limit:
        raise too_large
    if not connection.in_atomic_block:
        connection.close()  # a slow client must not hold a pooled connection
    seen = 0
    while piece := _read(source):
        seen += len(piece)
        if seen > too_large.limit:
            raise too_large
        yield piece
    if length is not None and seen < length:
        raise BodyInterrupted


def read_beginning(request: HttpRequest, length: int) -> bytes:
    """Return up to `length` bytes of a body that isn't read otherwise; fewer if the body breaks off."""
    data = bytearray()
    try:
        source, _length = _source(request)
        while len(data) < length and (piece := _read(source)):
            data += piece
    except (BodyInterrupted, LengthMissing):
        pass
    return bytes(data[:length])


def drain_rest(request: HttpRequest) -> None:
    """Read the rest of the body. If it stayed unread, the client would get a broken connection instead of the response."""
    seen = 0
    try:
        source, _length = _source(request)
        while seen < _REST_LIMIT and (piece := _read(source)):
            seen += len(piece)
    except (BodyInterrupted, LengthMissing):
        return


def _source(request: HttpRequest) -> tuple[_Readable, int | None]:
    """Return the stream to read from, and the length of the body; None if the client doesn't announce the length."""
    environ: dict[str, Any] = request.environ  # type: ignore[attr-defined]  # set on every WSGI request
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return request, int(environ.get("CONTENT_LENGTH") or 0)
    if not environ.get("wsgi.input_terminated"):
        raise LengthMissing
    return environ["wsgi.input"], None  # Django treats a body without a length as empty


def _read(source: _Readable) -> bytes:
    try:
        return source.read(_PIECE)
    except Exception as error:  # servers' errors for bad chunks and lost connections share no base class
        raise BodyInterrupted from error
