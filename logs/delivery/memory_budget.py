"""Limits how many bytes of payloads a worker may have in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteBudget:
    """A quarter is for small payloads, which are read with their logs. The rest is for those that are fetched one at a time.

    So a queue of small events never waits for the large events of other queues. `small`: the free bytes of the quarter.
    """

    def __init__(self, total: int) -> None:
        self.small = total // 4
        self._total = self._free = total - self.small
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Wait, in order of arrival, until `size` bytes are free. A payload larger than the budget takes all of it, alone."""
        size = min(size, self._total)
        await self._take(size)
        try:
            yield
        finally:
            self._give(size)

    async def _take(self, size: int) -> None:
        if size <= self._free and not self._waiting:
            self._free -= size
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            self._give(0 if granted.cancelled() else size)
            raise

    def _give(self, size: int) -> None:
        self._free += size
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            size, granted = self._waiting.popleft()
            if not granted.done():
                self._free -= size
                granted.set_result(None)
