"""One connection to a receiver. It carries one request after the other, as long as receiver and sender are in step."""

from __future__ import annotations

import asyncio
import select
from typing import cast

from .http_errors import InvalidResponse, TransportError
from .http_response import RawResponse, ResponseReader


class Connection(asyncio.Protocol):
    """`idle_since`: set by the pool that keeps it, in the event loop's time."""

    idle_since = 0.0

    def __init__(self) -> None:
        self._requests = 0
        self._reader: ResponseReader | None = None
        self._answered: asyncio.Future[None] | None = None

    async def exchange(self, request: bytes, response: RawResponse) -> bool:
        """Send a request, and read its answer into `response`. Returns whether the connection may be kept; otherwise it's closed.

        Raises TransportError or InvalidResponse.
        """
        self._requests += 1
        self._reader = reader = ResponseReader(response)
        self._answered = asyncio.get_running_loop().create_future()
        may_be_kept = False
        try:
            if not self.is_open:
                raise self._lost()
            self._transport.write(request)
            await self._answered
            may_be_kept = reader.can_reuse and self.is_open and not self._transport.get_write_buffer_size()
        finally:
            reader.end()
            self._reader = None
            if not may_be_kept:
                self.close()
        return may_be_kept

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def is_usable(self) -> bool:
        """Whether it's open and in step. The poll finds what the event loop hasn't seen yet: bytes, or the end."""
        return self.is_open and not self._poll.poll(0)

    def close(self) -> None:
        self._transport.abort()  # nothing that is still to be sent or read matters

    def _lost(self, reason: Exception | None = None) -> TransportError:
        is_unanswered = self._reader is None or not self._reader.has_begun
        return TransportError("read", reason, is_stale=self._requests > 1 and is_unanswered)

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._answered is None or self._answered.done():
            self.close()  # else these bytes would be taken for the answer to the next request
            return
        try:
            self._reader.feed(data)
        except (InvalidResponse, TransportError) as error:
            self._answered.set_exception(error)
        else:
            if self._reader.is_done:
                self._answered.set_result(None)

    def connection_lost(self, reason: Exception | None) -> None:
        if self._reader is None or self._answered is None or self._answered.done():
            return
        if reason is None and self._reader.ends_with_connection:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(self._lost(reason))
