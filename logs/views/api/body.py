"""The bytes of a request, with a limit that is judged before and while they are read. Django's own would be buffered first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from django.db import connection
from django.http import HttpRequest

from ...ingest.events import MIB, PayloadTooLarge

_PIECE = 64 * 1024
_REST_LIMIT = 128 * MIB


class BodyInterrupted(Exception):
    """The sender went away, or did not keep to the protocol, before the end of the body."""


class LengthMissing(Exception):
    """The body has no length, and this server does not tell where it ends."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def iter_chunks(request: HttpRequest, too_large: PayloadTooLarge) -> Iterator[bytes]:
    """The body, in pieces. Raises BrokenOff, LengthMissing, and `too_large` where the limit that it names is passed."""
    source, length = _source(request)
    if length is not None and length > too_large.limit:
        raise too_large
    if not connection.in_atomic_block:
        connection.close()  # who sends slowly holds none of the pool meanwhile
    seen = 0
    while piece := _read(source):
        seen += len(piece)
        if seen > too_large.limit:
            raise too_large
        yield piece
    if length is not None and seen < length:
        raise BodyInterrupted


def read_beginning(request: HttpRequest, length: int) -> bytes:
    """Up to `length` bytes of a body that is not read otherwise; what there is of them where it breaks off."""
    data = bytearray()
    try:
        source, _length = _source(request)
        while len(data) < length and (piece := _read(source)):
            data += piece
    except (BodyInterrupted, LengthMissing):
        pass
    return bytes(data[:length])


def drain_rest(request: HttpRequest) -> None:
    """Read what is still coming: a sender who is not listened to gets a broken connection instead of the answer."""
    seen = 0
    try:
        source, _length = _source(request)
        while seen < _REST_LIMIT and (piece := _read(source)):
            seen += len(piece)
    except (BodyInterrupted, LengthMissing):
        return


def _source(request: HttpRequest) -> tuple[_Readable, int | None]:
    """Where to read from, and how much there is; None where the sender does not say that beforehand."""
    environ: dict[str, Any] = request.environ  # type: ignore[attr-defined]  # of every request that came by WSGI
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return request, int(environ.get("CONTENT_LENGTH") or 0)
    if not environ.get("wsgi.input_terminated"):
        raise LengthMissing
    return environ["wsgi.input"], None  # Django takes a body without a length for an empty one


def _read(source: _Readable) -> bytes:
    try:
        return source.read(_PIECE)
    except Exception as error:  # what a server raises of a bad chunk or a lost connection has no class in common
        raise BodyInterrupted from error
