"""Connections that are kept for the next request, and pass on an answer's status before anything that follows it.

aiohttp parses all bytes that have arrived together. If some of them aren't HTTP, it discards the answer before them. Receivers
do send such bytes: a body with a 204, more than their Content-Length, a broken chunk, a header with a NUL. By then the status has
decided: a delivered payload must not be recorded as failed and sent again.

So aiohttp gets a head once all of it has arrived, and separately what follows it. If aiohttp refuses a head, or the head never
ends, this module reads it from its status line.
"""

from __future__ import annotations

import asyncio
import re
import select
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

KEEP_ALIVE_SECONDS = 15.0  # shorter than most receivers keep a connection open
MAX_IDLE_CONNECTIONS = 400  # for all receivers together: a process may have 1,024 open files
MAX_HEAD_BYTES = 2 * 1024**2
_BLANK_LINES = re.compile(rb"[\r\n]*")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"[\r\n]*HTTP/[0-9]\.[0-9] (?P<status>[1-9][0-9]{2})(?: [^\n]*)?\r?\n")
_HEADER = re.compile(rb"^(?P<name>[^:\s]+)[ \t]*:[ \t]*(?P<value>[^\r\n]*)", re.MULTILINE)
_LENGTH = re.compile(rb"\ncontent-length[ \t]*:(?P<value>[^\r\n]*)\r?(?=\n)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MalformedResponse:
    """What can be read of a head that isn't valid HTTP after its status line. `rest`: the bytes that followed the head."""

    status: int
    headers: list[tuple[bytes, bytes]]
    rest: bytes


class LenientConnector(aiohttp.TCPConnector):
    def __init__(self, **options: Any) -> None:
        super().__init__(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, **options)
        self.kept: set[LenientConnection] = set()
        protocol: type[ResponseHandler] = LenientConnection
        self._factory = partial(protocol, self)  # type: ignore[arg-type]  # aiohttp has no public way to choose it

    def forget(self, request: aiohttp.ClientRequest) -> None:
        """Close the kept connections to a receiver, so that the next one is fresh."""
        for protocol, _since in self._conns.pop(request.connection_key, ()):
            protocol.close()


class LenientConnection(ResponseHandler):
    """A connection. `was_reused`: the request isn't its first. `has_heard`: part of the answer has arrived."""

    def __init__(self, connector: LenientConnector) -> None:
        super().__init__(connector._loop)
        self.kept = connector.kept
        self.requests = 0
        self.has_heard = False
        self._head = bytearray()
        self._is_in_head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.kept.discard(self)
        super().connection_lost(exc)

    @property
    def was_reused(self) -> bool:
        return self.requests > 1

    def is_stale_socket(self) -> bool:
        """Whether the receiver closed the connection or sent unrequested bytes, and the event loop hasn't noticed yet."""
        return bool(self._poll.poll(0))

    def set_response_params(self, **params: Any) -> None:
        self.requests += 1
        self.has_heard = False
        self._head.clear()
        self._is_in_head = True
        self.kept.discard(self)
        super().set_response_params(**params)

    def rest(self) -> None:
        """Call this when the answer is complete: bytes that arrive later answer no request."""
        if not self.is_connected() or self.should_close or self._has_unsent() or len(self.kept) >= MAX_IDLE_CONNECTIONS:
            self.force_close()
        else:
            self.kept.add(self)

    def _has_unsent(self) -> bool:
        """Whether part of the payload isn't sent yet. Looks at open connections only, because asyncio's TLS fails on others."""
        return self.transport is None or self.transport.get_write_buffer_size() > 0

    def data_received(self, data: bytes) -> None:
        if self in self.kept:
            self.abort()  # else it would be taken for the answer to the next request
            return
        self.has_heard = True
        # aiohttp itself calls this without data, to continue after a pause.
        if not self._is_in_head or self.exception():
            super().data_received(data)
            return
        looked_at = len(self._head)
        self._head += data
        while self._is_in_head:
            start = _BLANK_LINES.match(self._head).end()  # type: ignore[union-attr]  # it may be empty
            if not self._head.startswith(b"HTTP/"[: len(self._head) - start], start):
                self._is_in_head = False  # it isn't HTTP, whatever follows
                break
            end = _END_OF_HEAD.search(self._head, max(start, looked_at - 2))
            if end is None:
                if len(self._head) > MAX_HEAD_BYTES:
                    self.set_exception(BadHttpMessage("the response headers are too long"))
                    self.transport.close()  # type: ignore[union-attr]  # it's open: bytes have arrived
                return
            super().data_received(_with_one_length(bytes(self._head[start : end.end()])))
            if self.exception():
                return  # `broken_head` needs the head
            del self._head[: end.end()]
            looked_at = 0
        body = bytes(self._head)
        self._head.clear()
        if body:
            super().data_received(body)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """aiohttp calls this when it has read a head. An interim one (1xx) comes before the final one."""
        status = data[0].code
        self._is_in_head = status < 200 and status != 101
        super().feed_data(data, size)

    def broken_head(self) -> MalformedResponse | None:
        """Read the head leniently. None if no complete status line has arrived, or only that of an interim answer."""
        data, start = bytes(self._head), 0
        while match := _STATUS_LINE.match(data, start):
            blank_line = _END_OF_HEAD.search(data, match.end() - 1)
            end = blank_line.end() if blank_line else len(data)
            if (status := int(match["status"])) >= 200 or status == 101:
                return MalformedResponse(status, _HEADER.findall(data, match.end(), end), data[end:])
            start = end
        return None

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Notify the reader of the body too: after a broken chunk, aiohttp leaves it waiting until its timeout."""
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError(str(exc)))


def _with_one_length(head: bytes) -> bytes:
    """Merge equal Content-Lengths into one. RFC 9110, 8.6, allows a repeated one, but aiohttp refuses it."""
    given = [value.strip() for line in _LENGTH.finditer(head) for value in line["value"].split(b",")]
    if len(given) < 2 or len(set(given)) > 1 or not given[0].isdigit():
        return head
    return _LENGTH.sub(b"", head).replace(b"\n", b"\nContent-Length: %b\r\n" % given[0], 1)
