"""Cuts what came in into the texts of single events, and refuses what is too large before it is read to its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from django.utils.translation import gettext as _

from ..cotalker.json_stream import Piece, split_text

MIB = 1024 * 1024
EVENT_LIMIT = 1 * MIB
BATCH_LIMIT = 32 * MIB
_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLarge(Exception):
    """Event `index` (from 0; None: all of them together) is larger than `limit` bytes."""

    def __init__(self, limit: int, index: int | None = None) -> None:
        self.limit = limit
        self.index = index
        size = {"size": limit // MIB}
        super().__init__(
            _("all events together are larger than %(size)s MiB") % size
            if index is None
            else _("the event is larger than %(size)s MiB") % size
        )


def of_json(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """The elements of an array, or else the whole text as one event. Raises TooLarge, as all of these do."""
    start, chunks = _begun(chunks)
    return _checked(split_text(chunks, EVENT_LIMIT)) if start.startswith(b"[") else _whole(chunks)


def of_lines(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """The lines that are not empty."""
    return _checked(_lines(_begun(chunks)[1]))


def of_file(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Whatever a person may have: an array, events one after another, on one line or over many."""
    return _checked(split_text(_begun(chunks)[1], EVENT_LIMIT))


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes that are not blank, and everything from them on."""
    source = iter(chunks)
    start = b""
    for chunk in source:
        start = (start + chunk).lstrip(_BLANKS).removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
        if len(start) > len(_BYTE_ORDER_MARK):
            break
    return start, chain([start], source)


def _checked(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for index, piece in enumerate(pieces):
        if piece.is_too_long or len(piece.data) > EVENT_LIMIT:
            raise TooLarge(EVENT_LIMIT, index)
        yield piece


def _whole(chunks: Iterable[bytes]) -> Iterator[Piece]:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > EVENT_LIMIT:
            raise TooLarge(EVENT_LIMIT, 0)
    if data:
        yield Piece(1, 1, bytes(data))


def _lines(chunks: Iterable[bytes]) -> Iterator[Piece]:
    number, line, rest = 0, 0, b""
    for chunk in chain(chunks, [b"\n"]):
        *complete, rest = (rest + chunk).split(b"\n")
        for data in complete:
            line += 1
            if data := data.strip(_BLANKS):
                number += 1
                yield Piece(number, line, data)
        if len(rest) > EVENT_LIMIT:
            yield Piece(number + 1, line + 1, rest, is_too_long=True)
