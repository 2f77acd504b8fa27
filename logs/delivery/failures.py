"""Why a try had no answer: the cause, and a text in the words of Node's HTTP client that Cotalker's own logs have."""

from __future__ import annotations

import errno
import socket

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from ..cotalker.outcomes import Cause
from .exchange import HEADER_LENGTH, BadHeader, clean

# What a receiver, or the URL of one, can cause. TimeoutError is an OSError, and UnicodeError a ValueError.
FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)

_ERRNO_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMEOUT,
    errno.EHOSTUNREACH: Cause.TIMEOUT,
    errno.ENETUNREACH: Cause.TIMEOUT,
    errno.ECONNRESET: Cause.RESET,
    errno.EPIPE: Cause.RESET,
}


def describe(error: Exception, url: str, timeout: float) -> tuple[Cause, str]:
    host, place = _place(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        code = "EAI_AGAIN" if error.errno == socket.EAI_AGAIN else "ENOTFOUND"
        return Cause.DNS, f"getaddrinfo {code} {host}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        # OpenSSL's words alone are what Node says: "certificate has expired".
        return Cause.TLS, clean(getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error))
    if isinstance(error, aiohttp.ClientSSLError):
        return Cause.TLS, clean(str(error.os_error) or str(error))
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
        return Cause.OTHER, clean(f"Parse Error: {error.message.partition(chr(10))[0]}")[:HEADER_LENGTH]
    if isinstance(error, BadHeader):
        return Cause.OTHER, str(error)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Cause.OTHER, "the URL is not valid"
    return Cause.OTHER, clean(f"{type(error).__name__}: {error}")[:HEADER_LENGTH]


def _place(url: str) -> tuple[str, str]:
    try:
        parsed = URL(url)
        return parsed.host or "", f"{parsed.host}:{parsed.port}"
    except ValueError:
        return "", ""
