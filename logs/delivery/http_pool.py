"""Makes connections to receivers, and keeps them for the next request.

A connection goes to an address that the destination check has allowed. A kept one stays with it, even if the name now resolves
to another address.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import NamedTuple

from aiohappyeyeballs import start_connection
from yarl import URL

from .http_connection import Connection
from .http_errors import TransportError
from .name_lookup import FilteringResolver
from .ssrf import DestinationFilter

KEEP_ALIVE_SECONDS = 15.0  # shorter than most receivers keep a connection open
MAX_IDLE_CONNECTIONS = 400  # for all receivers together: a process may have 1,024 open files
SWEEP_INTERVAL_SECONDS = 1.0
NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305: how long an address may take before the next one is tried as well


class Destination(NamedTuple):
    """`host`: in ASCII."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def of(cls, url: URL) -> Destination:
        """Raises ValueError if it leads nowhere."""
        if not url.raw_host or not url.port:
            raise ValueError("the URL has no host or no port")
        return cls(url.raw_host, url.port, url.scheme == "https")


class ConnectionPool:
    """Needs a running event loop. Close it in the end."""

    def __init__(self, guard: DestinationFilter, connect_timeout: float) -> None:
        self.guard = guard
        self.connect_timeout = connect_timeout
        self._resolver = FilteringResolver(guard)
        self._kept: dict[Destination, list[Connection]] = {}
        self._kept_count = 0
        self._loop = asyncio.get_running_loop()
        self._sweep()

    async def connect(self, destination: Destination) -> Connection:
        """Return a kept connection, or make one. Raises TransportError, DestinationBlocked, ValueError."""
        kept = self._kept.get(destination)
        while kept:
            connection = kept.pop()
            self._kept_count -= 1
            if connection.is_usable():
                return connection
            connection.close()
        return await self._open(destination)

    def keep(self, destination: Destination, connection: Connection) -> None:
        """Call this when an answer is complete."""
        if self._kept_count >= MAX_IDLE_CONNECTIONS:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._kept.setdefault(destination, []).append(connection)
        self._kept_count += 1

    def forget(self, destination: Destination) -> None:
        """Close the kept connections to a receiver, so that the next one is fresh."""
        for connection in self._kept.pop(destination, []):
            self._kept_count -= 1
            connection.close()

    def close(self) -> None:
        self._next_sweep.cancel()
        for destination in list(self._kept):
            self.forget(destination)
        self._resolver.close()

    def _sweep(self) -> None:
        """Close the connections that nobody has used for a while, and drop those that have ended."""
        oldest = self._loop.time() - KEEP_ALIVE_SECONDS
        for destination, connections in list(self._kept.items()):
            for connection in connections:
                if connection.idle_since < oldest:
                    connection.close()
            self._kept[destination] = [connection for connection in connections if connection.is_open]
            if not self._kept[destination]:
                del self._kept[destination]
        self._kept_count = sum(map(len, self._kept.values()))
        self._next_sweep = self._loop.call_later(SWEEP_INTERVAL_SECONDS, self._sweep)

    async def _open(self, destination: Destination) -> Connection:
        host, port, is_tls = destination
        try:
            addresses = await self._resolver.resolve(host, port)
        except OSError as error:
            raise TransportError("getaddrinfo", error) from error
        try:
            async with asyncio.timeout(self.connect_timeout):
                socket = await start_connection(
                    addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, socket_factory=self.guard.socket_factory
                )
                _transport, connection = await self._loop.create_connection(
                    Connection,
                    sock=socket,
                    ssl=tls_context() if is_tls else None,
                    server_hostname=host.rstrip(".") if is_tls else None,
                )
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise TransportError("connect", error) from error
        return connection


@cache
def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
