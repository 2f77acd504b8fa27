"""A receiver that answers with bytes of the test's choice, in the event loop of the sender; and posts to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from logs.delivery.http_client import Sender, SendOutcome
from logs.delivery.ssrf import DestinationFilter, parse_allowed_networks

LOOPBACK = DestinationFilter(parse_allowed_networks(["127.0.0.1/32"]))
PAYLOAD = '{"b":1,  "a":1e400,"name":"Núñez 😀","b":2}\n'.encode()
HEADERS = {"webhook-id": "62742dd824c886d54e60f02b"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawReceiver:
    """Reads one request of each connection, then writes `answer` as it is; `hangs` keeps the connection open after it."""

    def __init__(self, answer: bytes, *, hangs: bool = False, endless: bytes = b"") -> None:
        self.answer, self.hangs, self.endless = answer, hangs, endless
        self.connections = 0
        self.requests: list[tuple[bytes, bytes]] = []  # head and body
        self.arrived = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            self.requests.append((head, await reader.readexactly(size)))
            self.arrived.set()
            writer.write(self.answer)
            await writer.drain()
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
            if self.hangs:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender has gone
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    receiver: RawReceiver, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawReceiver]:
    server = await asyncio.start_server(receiver.serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


def post_to(receiver: RawReceiver, *, timeout: float = 5.0, payload: bytes = PAYLOAD) -> SendOutcome:
    async def scenario() -> SendOutcome:
        async with listening(receiver), Sender(LOOPBACK, timeout=timeout) as sender:
            return await sender.post(receiver.url, payload, HEADERS)

    return asyncio.run(scenario())


def post(
    url: str, *, guard: DestinationFilter = LOOPBACK, timeout: float = 5.0, connect_timeout: float = 5.0
) -> SendOutcome:
    async def scenario() -> SendOutcome:
        async with Sender(guard, timeout, connect_timeout) as sender:
            return await sender.post(url, PAYLOAD, HEADERS)

    return asyncio.run(scenario())
