"""What can go wrong while sending, and how an outcome says it: in the words of Node's HTTP client, as Cotalker's own logs do."""

from __future__ import annotations

import errno
import socket
import ssl

from yarl import URL

from ..cotalker.outcomes import Cause
from .response_text import strip_unstorable

MAX_PROBLEM_LENGTH = 1024
_ERRNO_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMEOUT,
    errno.EHOSTUNREACH: Cause.TIMEOUT,
    errno.ENETUNREACH: Cause.TIMEOUT,
    errno.ECONNRESET: Cause.RESET,
    errno.EPIPE: Cause.RESET,
}


class TransportError(Exception):
    """There is no connection, or no longer. `step`: getaddrinfo, connect or read. `reason` None: the connection just ended.

    `is_stale`: it was a reused connection, and no byte of an answer had arrived.
    """

    def __init__(self, step: str, reason: Exception | None = None, *, is_stale: bool = False) -> None:
        super().__init__(step, reason)
        self.step = step
        self.reason = reason
        self.is_stale = is_stale


class InvalidHeader(ValueError):
    """A request header that can't be sent."""


class InvalidResponse(ValueError):
    """The head of an answer isn't valid HTTP. `str()` says why, in the words of llhttp, which Node uses, too."""


# What a receiver or its URL can cause. ValueError: the URL isn't valid. A name that no name server can have is a UnicodeError.
SEND_ERRORS = (TransportError, TimeoutError, ValueError)


def classify_error(error: Exception, url: str, timeout: float) -> tuple[Cause, str]:
    """Return cause and text of one of SEND_ERRORS."""
    if isinstance(error, TransportError):
        cause, text = _classify_transport(error, url)
        return cause, strip_unstorable(text)[:MAX_PROBLEM_LENGTH]
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT, f"timeout of {int(timeout * 1000)}ms exceeded"
    if isinstance(error, InvalidResponse):
        return Cause.OTHER, f"Parse Error: {error}"
    return Cause.OTHER, str(error) if isinstance(error, InvalidHeader) else "the URL is not valid"


def _classify_transport(error: TransportError, url: str) -> tuple[Cause, str]:
    host, place = _place(url)
    reason = error.reason
    if error.step == "getaddrinfo":
        is_temporary = isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_AGAIN
        return Cause.DNS, f"getaddrinfo {'EAI_AGAIN' if is_temporary else 'ENOTFOUND'} {host}"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Cause.TLS, reason.verify_message or str(
            reason
        )  # Node shows OpenSSL's words alone: "certificate has expired"
    if isinstance(reason, ssl.SSLError):
        return Cause.TLS, str(reason)
    if isinstance(reason, OSError) and reason.errno in _ERRNO_CAUSES:
        return _ERRNO_CAUSES[reason.errno], f"{error.step} {errno.errorcode[reason.errno]} {place}"
    if isinstance(reason, TimeoutError):
        return Cause.TIMEOUT, f"connect ETIMEDOUT {place}"
    if reason is None or isinstance(reason, ConnectionError):
        return Cause.RESET, "socket hang up"
    return Cause.OTHER, f"{type(reason).__name__}: {reason}"


def _place(url: str) -> tuple[str, str]:
    try:
        parsed = URL(url)
        return parsed.host or "", f"{parsed.host}:{parsed.port}"
    except ValueError:
        return "", ""
