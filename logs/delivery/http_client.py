"""Posts a payload and returns the outcome. Knows HTTP, and nothing of the database.

A receiver's fault is never raised here: it becomes an outcome with a cause. If there was no answer, the outcome says why.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..cotalker.outcomes import Cause, classify_status, is_success
from .http_errors import SEND_ERRORS, classify_error
from .http_exchange import PreparedRequest
from .http_pool import ConnectionPool
from .http_response import MAX_READ_BODY, RawResponse
from .response_text import CannotUnpack, decode, header, strip_unstorable, unpack
from .ssrf import DestinationBlocked, DestinationFilter

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
        self.pool = ConnectionPool(self.guard, self.connect_timeout)
        self._target = lru_cache(_TARGETS)(self._make_target)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.pool.close()

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
        return PreparedRequest(url, self.pool)


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
