"""Posts a payload and returns the outcome. Knows HTTP, and nothing of the database.

A receiver's fault is never raised here: it becomes an outcome with a cause. If there was no answer, the outcome says why. It
uses the words of Node's HTTP client, as Cotalker's own logs do. Redirects aren't followed, cookies aren't kept, and proxies of
the environment aren't used.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from ..cotalker.outcomes import Cause, classify_status, is_success
from .http_connection import LenientConnector
from .http_exchange import (
    MAX_HEADER_LENGTH,
    MAX_READ_BODY,
    InvalidHeader,
    PreparedRequest,
    RawResponse,
    strip_unstorable,
)
from .response_text import CannotUnpack, decode, header, unpack
from .ssrf import DestinationBlocked, DestinationFilter, FilteringResolver

# Errors that a receiver or its URL can cause. TimeoutError is an OSError, and UnicodeError is a ValueError.
SEND_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)

_ERRNO_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMEOUT,
    errno.EHOSTUNREACH: Cause.TIMEOUT,
    errno.ENETUNREACH: Cause.TIMEOUT,
    errno.ECONNRESET: Cause.RESET,
    errno.EPIPE: Cause.RESET,
}


def classify_error(error: Exception, url: str, timeout: float) -> tuple[Cause, str]:
    host, place = _place(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        code = "EAI_AGAIN" if error.errno == socket.EAI_AGAIN else "ENOTFOUND"
        return Cause.DNS, f"getaddrinfo {code} {host}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        # Node shows OpenSSL's words alone: "certificate has expired".
        return Cause.TLS, strip_unstorable(
            getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return Cause.TLS, strip_unstorable(str(error.os_error) or str(error))
    if isinstance(error, aiohttp.ServerTimeoutError):
        return Cause.TIMEOUT, f"connect ETIMEDOUT {place}"
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT, f"timeout of {int(timeout * 1000)}ms exceeded"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return Cause.RESET, "socket hang up"
    if isinstance(error, OSError) and error.errno in _ERRNO_CAUSES:
        step = "connect" if isinstance(error, aiohttp.ClientConnectorError) else "read"
        return _ERRNO_CAUSES[error.errno], f"{step} {errno.errorcode[error.errno]} {place}"
    if isinstance(error, HttpProcessingError):
        return Cause.OTHER, strip_unstorable(f"Parse Error: {error.message.partition(chr(10))[0]}")[:MAX_HEADER_LENGTH]
    if isinstance(error, InvalidHeader):
        return Cause.OTHER, str(error)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Cause.OTHER, "the URL is not valid"
    return Cause.OTHER, strip_unstorable(f"{type(error).__name__}: {error}")[:MAX_HEADER_LENGTH]


def _place(url: str) -> tuple[str, str]:
    try:
        parsed = URL(url)
        return parsed.host or "", f"{parsed.host}:{parsed.port}"
    except ValueError:
        return "", ""


logger = logging.getLogger("logs.delivery")
MAX_STORED_BODY = 8 * 1024  # bytes kept of a response
_TARGETS = 4096  # URLs whose parsed form is kept


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The outcome of one attempt. `status` None: there was no answer, and `response` says why as Cotalker does.

    `response` has at most 8 KiB; `is_truncated`: there was more. `cause` is "" for a success. `duration_ms` runs from the name
    lookup to the last byte.
    """

    status: int | None
    response: str
    cause: str
    duration_ms: int
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    is_truncated: bool = False
    note: str = ""

    @property
    def is_success(self) -> bool:
        return is_success(self.status)


class Sender:
    """`async with Sender(guard) as sender: outcome = await sender.post(...)`.

    Connections are kept for the next request to the same host and port. `guard` checks the address when a connection is made. A
    kept connection stays with the checked address, even if the name now resolves to another one.
    """

    def __init__(self, guard: DestinationFilter, timeout: float = 20.0, connect_timeout: float = 5.0) -> None:
        self.guard = guard
        self.timeout = timeout
        self.connect_timeout = connect_timeout

    async def __aenter__(self) -> Sender:
        self.connector = LenientConnector(
            resolver=FilteringResolver(self.guard),
            socket_factory=self.guard.socket_factory,
            use_dns_cache=False,  # a name is looked up and checked for every connection
        )
        self._target = lru_cache(_TARGETS)(self._make_target)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.connector.close()

    async def post(
        self,
        url: str,
        payload: bytes,
        headers: Mapping[str, str],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> SendOutcome:
        """Make one attempt: send `payload` byte for byte. `timeout`: in seconds, from the name lookup to the last byte.

        `headers` can't replace the headers that every delivery has.
        """
        start = time.monotonic()
        timeout = timeout or self.timeout
        answer, problem = RawResponse(), ""
        cause: Cause | str = ""
        try:
            async with asyncio.timeout(timeout):
                await self._target(url).exchange(payload, headers, answer)
        except DestinationBlocked as error:
            cause, problem = Cause.BLOCKED, f"blocked by the destination check: {error}"
        except SEND_ERRORS as error:
            cause, problem = classify_error(error, url, timeout)
        except Exception as error:  # a fault of ours or of a library, triggered by a receiver: the queue continues
            logger.exception("unexpected error while sending")
            cause, problem = Cause.OTHER, type(error).__name__
        return _outcome(answer, cause, problem, int((time.monotonic() - start) * 1000))

    def _make_target(self, url: str) -> PreparedRequest:
        self.guard.check_url(url)
        return PreparedRequest(url, self.connector, self.connect_timeout)


def _outcome(answer: RawResponse, cause: Cause | str, problem: str, duration_ms: int) -> SendOutcome:
    if answer.status is None:
        return SendOutcome(None, problem, cause, duration_ms, note=answer.note)
    body, packing = _unpacked(answer)
    # The status decides: a later problem with the body is only noted.
    notes = [answer.note, f"the response ended early: {problem}" if problem else "", packing]
    is_truncated = len(body) > MAX_STORED_BODY
    text = decode(body[:MAX_STORED_BODY], header(answer.headers, "content-type"), is_cut=is_truncated)
    return SendOutcome(
        answer.status,
        strip_unstorable(text),
        "" if is_success(answer.status) else classify_status(answer.status),
        duration_ms,
        response_headers=answer.headers,
        is_truncated=is_truncated,
        note="; ".join(filter(None, notes)),
    )


def _unpacked(answer: RawResponse) -> tuple[bytes, str]:
    """Return the body, and a note if it was compressed although the request didn't allow it (Accept-Encoding: identity)."""
    encoding = header(answer.headers, "content-encoding")
    if not answer.body or encoding.strip().lower() in ("", "identity"):
        return bytes(answer.body), ""
    try:
        return unpack(bytes(answer.body), encoding, MAX_READ_BODY), f"the response was compressed ({encoding[:60]})"
    except CannotUnpack as error:
        return b"", f"the response is compressed ({error}), and can't be shown"
