"""One request and its answer, on a kept connection or a new one. Redirects aren't followed, and cookies aren't kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cotadmin import __version__

from ..payloads.request_url import RequestURL
from .http_errors import InvalidHeader, TransportError
from .http_pool import ConnectionPool, Destination
from .http_response import RawResponse

FIXED_HEADERS = {
    "User-Agent": f"cotadmin/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
# We set these, or they are about the connection. `PreparedRequest` adds the names of its own lines.
_OURS = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)


class PreparedRequest:
    """The parts that all requests to a URL share. Raises ValueError if it isn't a URL."""

    def __init__(self, url: str, pool: ConnectionPool) -> None:
        parsed = RequestURL.parse(url)
        lines = {"Host": parsed.host}
        if parsed.credentials:
            lines["Authorization"] = f"Basic {base64.b64encode(parsed.credentials).decode()}"
        lines |= FIXED_HEADERS
        self.pool = pool
        self.destination = Destination.of(parsed.origin)
        self.head = f"POST {parsed.target} HTTP/1.1\r\n".encode() + _lines(lines)
        self.ours = _OURS.union(name.lower() for name in lines)

    async def exchange(self, payload: bytes, headers: Mapping[str, str], response: RawResponse) -> None:
        """Send once, and fill `response`. Raises one of SEND_ERRORS, or DestinationBlocked.

        A receiver may close a kept connection just as it is used. Then the request is sent once more, on a fresh connection.
        """
        others = {name: value for name, value in headers.items() if name.lower() not in self.ours}
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self.head, _lines(others), len(payload), payload)
        try:
            await self._send(request, response)
        except TransportError as error:
            if not error.is_stale:
                raise
            response.note = "sent again immediately because a reused connection was closed"
            self.pool.forget(self.destination)
            await self._send(request, response)

    async def _send(self, request: bytes, response: RawResponse) -> None:
        connection = await self.pool.connect(self.destination)
        if await connection.exchange(request, response):
            self.pool.keep(self.destination, connection)


def _lines(headers: Mapping[str, str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise InvalidHeader("a request header is not valid")
    return text.encode()
