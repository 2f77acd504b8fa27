"""Looks up the host names of receivers, and refuses a name that leads where nothing may be sent.

Names are looked up in separate threads. A lookup in Python can't be cancelled, and a name server that hangs holds a thread for
half a minute. asyncio's shared threads are six on two cores. Six such names would stop all deliveries there, and the database's
work as well.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohappyeyeballs import AddrInfoType

from .ssrf import DestinationFilter

# More than the worker has deliveries in flight, with room for lookups whose delivery has timed out.
MAX_CONCURRENT_LOOKUPS = 256


class PooledResolver:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(MAX_CONCURRENT_LOOKUPS, thread_name_prefix="lookup")

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Return every address of a name, or the address itself. Raises OSError."""
        lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return list(await asyncio.get_running_loop().run_in_executor(self.pool, lookup))

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


class FilteringResolver:
    """Refuses a name if any of its addresses is refused. Otherwise chance would decide which one is used."""

    def __init__(self, guard: DestinationFilter, resolver: PooledResolver | None = None) -> None:
        self.guard = guard
        self.resolver = resolver or PooledResolver()

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Raises OSError, DestinationBlocked."""
        addresses = await self.resolver.resolve(host, port)
        for *_kind, address in addresses:
            self.guard.check_address(str(address[0]), port)
        return addresses

    def close(self) -> None:
        self.resolver.close()
