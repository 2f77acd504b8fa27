"""One request and its answer, on a connection of aiohttp's pool.

It doesn't use aiohttp's ClientSession, which adds cookies, redirects, proxies, traces and a task for the body. A delivery must
not have these, and they take most of its time (docs/adr/0009-keep-alive.md).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

import aiohttp
from aiohttp.connector import Connection

from cotadmin import __version__

from ..payloads.request_url import RequestURL
from .http_connection import LenientConnection, LenientConnector
from .response_text import decode

FIXED_HEADERS = {
    "User-Agent": f"cotadmin/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
MAX_READ_BODY = 64 * 1024  # bytes read of a response
MAX_STORED_HEADERS = 50
MAX_HEADER_LENGTH = 1024
# A delivered payload must not be sent again because of long headers. Beyond these limits, an answer isn't HTTP any more.
_HEADERS_READ = 256
_HEADER_READ = 16 * 1024

_HANG_UPS = (aiohttp.ServerDisconnectedError, ConnectionError, aiohttp.ClientOSError)
# We set these, or they are about the connection. `PreparedRequest` adds the names of its own lines.
_OURS = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)


class InvalidHeader(ValueError):
    """A request header that can't be sent."""


@dataclass(slots=True)
class RawResponse:
    """What has arrived so far; a timeout keeps it. `note`: says if a closed connection was used first."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    note: str = ""


class PreparedRequest:
    """The parts that all requests to a URL share. Raises ValueError if it isn't a URL."""

    def __init__(self, url: str, connector: LenientConnector, connect_timeout: float) -> None:
        parsed = RequestURL.parse(url)
        lines = {"Host": parsed.host}
        if parsed.credentials:
            lines["Authorization"] = f"Basic {base64.b64encode(parsed.credentials).decode()}"
        lines |= FIXED_HEADERS
        self.connector = connector
        self.timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        # It only tells the connector where to connect.
        self.request = aiohttp.ClientRequest("POST", parsed.origin, loop=connector._loop)
        self.head = f"POST {parsed.target} HTTP/1.1\r\n".encode() + _lines(lines)
        self.ours = _OURS.union(name.lower() for name in lines)

    async def exchange(self, payload: bytes, headers: Mapping[str, str], answer: RawResponse) -> None:
        """Send once, and fill `answer`. Raises aiohttp.ClientError, HttpProcessingError, OSError, ValueError, DestinationBlocked.

        A receiver may close a kept connection just as it is used. Then the request is sent once more, on a fresh connection.
        """
        others = {name: value for name, value in headers.items() if name.lower() not in self.ours}
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self.head, _lines(others), len(payload), payload)
        connection = await self._connect()
        protocol = cast(LenientConnection, connection.protocol)
        try:
            await _converse(connection, request, answer)
        except _HANG_UPS:
            if not protocol.was_reused or protocol.has_heard:
                raise
            answer.note = "sent again immediately because a reused connection was closed"
            await _converse(await self._connect(fresh=True), request, answer)

    async def _connect(self, *, fresh: bool = False) -> Connection:
        if fresh:
            self.connector.forget(self.request)
        try:
            connection = await self.connector.connect(self.request, [], self.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        protocol = cast(LenientConnection, connection.protocol)
        if protocol.requests and protocol.is_stale_socket():
            connection.close()
            return await self._connect(fresh=True)
        return connection


async def _converse(connection: Connection, request: bytes, answer: RawResponse) -> None:
    """Send the request and read the answer. The connection returns to the pool if the answer is complete; else it is closed."""
    protocol = cast(LenientConnection, connection.protocol)
    try:
        protocol.set_response_params(
            read_until_eof=True, auto_decompress=False, max_field_size=_HEADER_READ, max_headers=_HEADERS_READ
        )
        if not protocol.transport or not protocol.is_connected():
            raise aiohttp.ServerDisconnectedError
        protocol.transport.write(request)
        if await _read(protocol, answer):
            protocol.rest()
            connection.release()
    finally:
        if answer.status is None and (broken := protocol.broken_head()):
            _begin(answer, broken.status, broken.headers)
            answer.body += broken.rest[:MAX_READ_BODY]
        connection.close()  # does nothing if it was released


async def _read(protocol: LenientConnection, answer: RawResponse) -> bool:
    """Read the answer, up to MAX_READ_BODY. Returns whether it ended by then."""
    message, body = await protocol.read()
    while message.code < 200 and message.code != 101:
        message, body = await protocol.read()
    _begin(answer, message.code, message.raw_headers)
    while len(answer.body) < MAX_READ_BODY and not body.at_eof():
        answer.body += await body.read(MAX_READ_BODY - len(answer.body))
    return body.at_eof()


def _begin(answer: RawResponse, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    answer.status = status
    answer.headers = [
        (strip_unstorable(decode(name))[:MAX_HEADER_LENGTH], strip_unstorable(decode(value))[:MAX_HEADER_LENGTH])
        for name, value in islice(headers, MAX_STORED_HEADERS)
    ]


def _lines(headers: Mapping[str, str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise InvalidHeader("a request header is not valid")
    return text.encode()


def strip_unstorable(text: str) -> str:
    """Replace what PostgreSQL refuses: NUL, and the lone surrogates that aiohttp puts in place of undecodable bytes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
