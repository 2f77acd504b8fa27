"""Posts a payload and says what came of it. Knows HTTP, and nothing of the database.

No fault of a receiver is an exception here: each becomes an outcome with a cause. Redirects are not followed, cookies are not
kept, proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from cotadmin import __version__

from .guard import Blocked, Guard, GuardedResolver
from .head_first import HeadFirstConnector
from .policy import Cause, cause_of_status, is_success

USER_AGENT = f"cotadmin/{__version__}"
CONNECT_SECONDS = 5.0
BODY_READ = 64 * 1024  # bytes read of a response
BODY_KEPT = 8 * 1024  # bytes kept of them
HEADERS_KEPT = 50
HEADER_LENGTH = 1024

_ERRNO_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMEOUT,
    errno.EHOSTUNREACH: Cause.TIMEOUT,
    errno.ENETUNREACH: Cause.TIMEOUT,
    errno.ECONNRESET: Cause.RESET,
    errno.EPIPE: Cause.RESET,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `status` None: there was no answer, and `response` says why in Cotalker's manner.

    `response` has at most 8 KiB, of more when `is_truncated`; `cause` is "" for a success; `duration_ms` runs from the name
    lookup to the last byte.
    """

    status: int | None
    response: str
    cause: str
    started_at: datetime
    duration_ms: int
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    is_truncated: bool = False
    note: str = ""

    @property
    def is_success(self) -> bool:
        return is_success(self.status)


@dataclass(slots=True)
class _Answer:
    """What has been received so far; a timeout leaves what there is."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


class Sender:
    """`async with Sender(guard) as sender: outcome = await sender.post(...)`."""

    def __init__(self, guard: Guard, timeout: float = 20.0) -> None:
        self.guard = guard
        self.timeout = timeout

    async def __aenter__(self) -> Sender:
        connector = HeadFirstConnector(
            resolver=GuardedResolver(self.guard),
            socket_factory=self.guard.socket_factory,
            use_dns_cache=False,  # a name is looked up, and judged, at every attempt
            force_close=True,
            limit=0,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.session.close()

    async def post(self, url: str, payload: bytes, headers: Mapping[str, str]) -> Outcome:
        """One try: `payload` goes out byte for byte."""
        started_at, start = datetime.now(UTC), time.monotonic()
        answer, problem = _Answer(), ""
        cause: Cause | str = ""
        try:
            async with asyncio.timeout(self.timeout):
                await self._exchange(url, payload, headers, answer)
        except Blocked as error:
            cause, problem = Cause.BLOCKED, f"blocked by the guard: {error}"
        except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:  # TimeoutError is an OSError
            cause, problem = _failure(error, url, self.timeout)
        return _outcome(answer, cause, problem, started_at, int((time.monotonic() - start) * 1000))

    async def _exchange(self, url: str, payload: bytes, headers: Mapping[str, str], answer: _Answer) -> None:
        self.guard.check_url(url)
        all_headers = {"Content-Type": "application/json", **headers}
        async with self.session.post(URL(url), data=payload, headers=all_headers, allow_redirects=False) as response:
            answer.status = response.status
            answer.headers = [
                (_clean(name)[:HEADER_LENGTH], _clean(value)[:HEADER_LENGTH])
                for name, value in list(response.headers.items())[:HEADERS_KEPT]
            ]
            while len(answer.body) < BODY_READ:
                piece = await response.content.read(BODY_READ - len(answer.body))
                if not piece:
                    return
                answer.body += piece
            response.close()  # there may be more, and nobody will read it


def _outcome(answer: _Answer, cause: Cause | str, problem: str, started_at: datetime, duration_ms: int) -> Outcome:
    if answer.status is None:
        return Outcome(None, problem, cause, started_at, duration_ms)
    # The status decides: what went wrong with the body afterwards is only noted.
    note = f"the response broke off: {problem}" if problem else ""
    cause = "" if is_success(answer.status) else cause_of_status(answer.status)
    return Outcome(
        answer.status,
        _clean(bytes(answer.body[:BODY_KEPT]).decode(errors="replace")),
        cause,
        started_at,
        duration_ms,
        response_headers=answer.headers,
        is_truncated=len(answer.body) > BODY_KEPT,
        note=note,
    )


def _failure(error: Exception, url: str, timeout: float) -> tuple[Cause, str]:
    """Cause and text, in the words of Node's HTTP client that Cotalker's own logs have."""
    host, place = _place(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        code = "EAI_AGAIN" if error.errno == socket.EAI_AGAIN else "ENOTFOUND"
        return Cause.DNS, f"getaddrinfo {code} {host}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        # OpenSSL's words alone are what Node says: "certificate has expired".
        return Cause.TLS, _clean(getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error))
    if isinstance(error, aiohttp.ClientSSLError):
        return Cause.TLS, _clean(str(error.os_error) or str(error))
    if isinstance(error, aiohttp.ServerTimeoutError):
        return Cause.TIMEOUT, f"connect ETIMEDOUT {place}"
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT, f"timeout of {int(timeout * 1000)}ms exceeded"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return Cause.RESET, "socket hang up"
    if isinstance(error, OSError) and error.errno in _ERRNO_CAUSES:
        step = "connect" if isinstance(error, aiohttp.ClientConnectorError) else "read"
        return _ERRNO_CAUSES[error.errno], f"{step} {errno.errorcode[error.errno]} {place}"
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Cause.OTHER, "the URL is not valid"
    return Cause.OTHER, _clean(f"{type(error).__name__}: {error}")[:HEADER_LENGTH]


def _place(url: str) -> tuple[str, str]:
    try:
        parsed = URL(url)
        return parsed.host or "", f"{parsed.host}:{parsed.port}"
    except ValueError:
        return "", ""


def _clean(text: str) -> str:
    """Without what PostgreSQL refuses: NUL, and the halves of surrogate pairs that aiohttp puts for odd bytes."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
