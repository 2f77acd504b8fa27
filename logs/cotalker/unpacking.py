"""The bytes of an uploaded file, unpacked if they are gzipped, chunk by chunk."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

_UNPACK_AT_ONCE = 1 << 20
_PACKED_AT_MOST = 2  # times: some tools compress data that is already compressed


class UnreadableFile(ValueError):
    """The rest of the file can't be read. Documents that were already read stay."""


class FileTooLarge(UnreadableFile):
    """The file has more bytes than may be read."""


def unpacked(chunks: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    """The bytes of the file, decompressed if they are gzipped, without a byte order mark."""
    start, source = _begun(_limited(chunks, limit))
    for _time in range(_PACKED_AT_MOST):
        if start[:2] == b"\x1f\x8b":
            start, source = _begun(_limited(_gunzipped(start, source), limit))
    if start[:2] == b"\x1f\x8b":
        raise UnreadableFile(_("it is compressed more than twice; unpack it first"))
    if start[:2] == b"PK":
        raise UnreadableFile(_("this is a ZIP file; unpack it, or compress with gzip"))
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in start[:4]:
        raise UnreadableFile(_("this is not UTF-8 text; save it as UTF-8"))
    yield start.removeprefix(b"\xef\xbb\xbf")
    yield from source


def _limited(chunks: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if limit is not None and size > limit:
            raise FileTooLarge
        yield chunk


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """At least the first four bytes, and the chunks after them."""
    source = iter(chunks)
    start = b""
    while len(start) < 4 and (more := next(source, b"")):
        start += more
    return start, source


def _gunzipped(packed: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    inflater, is_inside, seen = zlib.decompressobj(wbits=31), False, 0
    while packed:
        while packed:
            is_inside = True
            before = len(packed)
            try:
                data = inflater.decompress(packed, _UNPACK_AT_ONCE)
            except zlib.error as error:
                raise UnreadableFile(_("the gzip data is damaged near byte %(number)s") % {"number": seen}) from error
            if data:
                yield data
            packed = inflater.unconsumed_tail
            if inflater.eof:  # a gzip file may hold several members, one after another
                packed = inflater.unused_data.lstrip(b"\0")
                inflater, is_inside = zlib.decompressobj(wbits=31), False
            seen += before - len(packed)
        packed = next(source, b"")
    if is_inside:
        raise UnreadableFile(_("the gzip data ends early; the file is incomplete"))
