"""Reads an answer from its bytes as they arrive. Its status counts, whatever follows it.

Receivers send what isn't HTTP: a body with a 204, more than their Content-Length, a broken chunk, a header with a NUL. By then
the status has decided: a delivered payload must not be recorded as failed and sent again.

So this module reads status and headers itself, leniently, once all of the head has arrived. Then llhttp (httptools) judges
whether the head is valid, and finds the body and its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from .http_errors import InvalidResponse, TransportError
from .response_text import decode, strip_unstorable

MAX_READ_BODY = 64 * 1024  # bytes read of a response
MAX_STORED_HEADERS = 50
MAX_HEADER_LENGTH = 1024
# A delivered payload must not be sent again because of long headers. Beyond these limits, an answer isn't HTTP any more.
_MAX_HEAD_BYTES = 2 * 1024**2
_MAX_HEADERS = 256
_MAX_HEADER_BYTES = 16 * 1024

_BLANK_LINES = re.compile(rb"[\r\n]*")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"[\r\n]*HTTP/[0-9]\.[0-9] (?P<status>[1-9][0-9]{2})(?: [^\n]*)?\r?\n")
_HEADER = re.compile(rb"^(?P<name>[^:\s]+)[ \t]*:[ \t]*(?P<value>[^\r\n]*)", re.MULTILINE)
_LENGTH = re.compile(rb"\ncontent-length[ \t]*:(?P<value>[^\r\n]*)\r?(?=\n)", re.IGNORECASE)
_KNOWN_END = re.compile(rb"\n(?:content-length[ \t]*:|transfer-encoding[ \t]*:[^\n]*chunked)", re.IGNORECASE)


@dataclass(slots=True)
class RawResponse:
    """What has arrived so far; a timeout keeps it. `note`: says if a closed connection was used first."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    note: str = ""


class ResponseReader:
    """Fills a RawResponse. `can_reuse`: the answer is complete, and the connection is ready for another request.

    `ends_with_connection`: nothing else says where the body ends.
    """

    def __init__(self, response: RawResponse) -> None:
        self.response = response
        self.has_begun = False
        self.can_reuse = False
        self.ends_with_connection = False
        self._is_complete = False
        self._head = bytearray()  # what has arrived, until the head is complete
        self._searched = 0  # bytes of it that don't contain its end
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    @property
    def is_done(self) -> bool:
        """Whether the answer is complete, or long enough."""
        return self._is_complete or len(self.response.body) >= MAX_READ_BODY

    def feed(self, data: bytes) -> None:
        """Raises InvalidResponse for the head. If the body is broken, it counts as cut off: TransportError."""
        self.has_begun = True
        if self.response.status is None:
            data = self._read_heads(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.can_reuse = False
            if not self._is_complete:
                raise TransportError("read") from error

    def end(self) -> None:
        """Call this when no more will be read. A head counts if its status line is complete."""
        if self.response.status is None and (head := _parse_head(self._head)) and not _is_interim(head[0]):
            self._begin(*head)

    def _read_heads(self, data: bytes) -> bytes:
        """Read the head, if it has arrived, and return what follows it. Interim ones (1xx) may come first."""
        self._head += data
        while True:
            start = _BLANK_LINES.match(self._head).end()  # type: ignore[union-attr]  # it may be empty
            if not self._head.startswith(b"HTTP/"[: len(self._head) - start], start):
                self._refuse(self._head)
            end = _END_OF_HEAD.search(self._head, max(start, self._searched - 2))
            if end is None:
                if len(self._head) > _MAX_HEAD_BYTES:
                    raise InvalidResponse("Header overflow")
                self._searched = len(self._head)
                return b""
            head = bytes(self._head[start : end.end()])
            del self._head[: end.end()]
            self._searched = 0
            status, headers = _parse_head(head) or self._refuse(head)
            if not _is_interim(status):
                self._begin(status, headers)
                self._check_head(head, headers)
                return bytes(self._head)

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response.status = status
        self.response.headers = [(_text(name), _text(value)) for name, value in headers[:MAX_STORED_HEADERS]]

    def _check_head(self, head: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Raises InvalidResponse. Nobody knows where such an answer ends, so what has arrived of it is its body."""
        self.ends_with_connection = not _KNOWN_END.search(head)
        try:
            if len(headers) > _MAX_HEADERS or any(len(value) > _MAX_HEADER_BYTES for _name, value in headers):
                raise InvalidResponse("Header overflow")
            self._parser.feed_data(_with_one_length(head))
        except HttpParserUpgrade:
            self.can_reuse = False
        except (HttpParserError, InvalidResponse) as error:
            self.ends_with_connection = False
            self.response.body += self._head[:MAX_READ_BODY]
            raise InvalidResponse(str(error)) from error

    def _refuse(self, data: bytes | bytearray) -> NoReturn:
        """Raises InvalidResponse for what has no status line."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            raise InvalidResponse(str(error)) from error
        raise InvalidResponse("Invalid status line")

    # httptools calls these. Bytes that arrive together are parsed together, so they may belong to a second answer.

    def on_message_begin(self) -> None:
        self.can_reuse = False

    def on_body(self, data: bytes) -> None:
        if not self._is_complete:
            self.response.body += data[: MAX_READ_BODY - len(self.response.body)]

    def on_message_complete(self) -> None:
        self.can_reuse = not self._is_complete and self._parser.should_keep_alive()
        self._is_complete = True


def _parse_head(head: bytes | bytearray) -> tuple[int, list[tuple[bytes, bytes]]] | None:
    """Read what can be read of a head, even if it isn't complete or valid. None without a complete status line."""
    line = _STATUS_LINE.match(head)
    return line and (int(line["status"]), _HEADER.findall(head, line.end()))


def _is_interim(status: int) -> bool:
    return status < 200 and status != 101


def _text(value: bytes) -> str:
    return strip_unstorable(decode(value))[:MAX_HEADER_LENGTH]


def _with_one_length(head: bytes) -> bytes:
    """Merge equal Content-Lengths into one. RFC 9110, 8.6, allows a repeated one, but llhttp refuses it."""
    given = [value.strip() for line in _LENGTH.finditer(head) for value in line["value"].split(b",")]
    if len(given) < 2 or len(set(given)) > 1 or not given[0].isdigit():
        return head
    return _LENGTH.sub(b"", head).replace(b"\n", b"\nContent-Length: %b\r\n" % given[0], 1)
