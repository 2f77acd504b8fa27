"""Connections that are kept for the next request, and let the status of an answer through before anything that comes after it.

aiohttp parses what has arrived at once, and where it meets bytes that are not HTTP it forgets the answer before them. Receivers
do send such bytes: a body with a 204, more than their Content-Length, a broken chunk. The status has decided by then: a
payload that was received must not be recorded as failed, and sent again.
"""

from __future__ import annotations

import asyncio
import re
import select
from functools import partial
from itertools import islice
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

KEPT_SECONDS = 15.0  # shorter than most receivers keep them
KEPT = 400  # of all receivers: a process may have 1,024 files open
# Also where a head is spread over two segments. What looks like it in a body does no harm: the pieces add up.
_END_OF_HEAD = re.compile(rb"(?:\A|\n)(?:\r?\n)+")
_HEADS = 5  # in one segment: interim answers (1xx) come before the one that counts


class HeadFirstConnector(aiohttp.TCPConnector):
    def __init__(self, **options: Any) -> None:
        super().__init__(limit=0, keepalive_timeout=KEPT_SECONDS, **options)
        self.kept: set[HeadFirst] = set()
        protocol: type[ResponseHandler] = HeadFirst
        self._factory = partial(protocol, self)  # type: ignore[arg-type]  # aiohttp has no public way to choose it

    def forget(self, request: aiohttp.ClientRequest) -> None:
        """Close the kept connections to a receiver: the next one is fresh."""
        for protocol, _since in self._conns.pop(request.connection_key, ()):
            protocol.close()


class HeadFirst(ResponseHandler):
    """A connection. `is_reused`: the request is not its first; `has_heard`: something of the answer has come."""

    def __init__(self, connector: HeadFirstConnector) -> None:
        super().__init__(connector._loop)
        self.kept = connector.kept
        self.requests = 0
        self.has_heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.kept.discard(self)
        super().connection_lost(exc)

    @property
    def is_reused(self) -> bool:
        return self.requests > 1

    def has_moved_on(self) -> bool:
        """Whether the receiver closed the connection or sent something nobody asked for, and the loop does not know it yet."""
        return bool(self._poll.poll(0))

    def set_response_params(self, **params: Any) -> None:
        self.requests += 1
        self.has_heard = False
        self.kept.discard(self)
        super().set_response_params(**params)

    def rest(self) -> None:
        """To be called when the answer is complete: what comes from now on is the answer to nothing."""
        if not self.is_connected() or self.should_close or self._has_unsent() or len(self.kept) >= KEPT:
            self.force_close()
        else:
            self.kept.add(self)

    def _has_unsent(self) -> bool:
        """Whether a rest of the payload waits; of an open connection only, since asyncio's TLS breaks at others."""
        return self.transport is None or self.transport.get_write_buffer_size() > 0

    def data_received(self, data: bytes) -> None:
        if self in self.kept:
            self.abort()  # so that nobody takes it for the answer to the next request
            return
        self.has_heard = True
        start = 0
        for found in islice(_END_OF_HEAD.finditer(data), _HEADS):
            super().data_received(data[start : found.end()])
            start = found.end()
        if start < len(data) or not data:  # aiohttp itself calls this without data, to go on after a pause
            super().data_received(data[start:])

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Tells the reader of the body too: at a broken chunk aiohttp leaves it waiting until its time is over."""
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError(str(exc)))
