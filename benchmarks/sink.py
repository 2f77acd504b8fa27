"""A cheap receiver, so that benchmarks measure the sender: `python -m benchmarks.sink`, which prints its port.

POST /<anything> is recorded and answered with 200; POST /slow/… is answered after a short delay, POST /hang/… never.
GET /count returns the number of requests. GET /results/<n> returns those after the first n, in order of arrival, as lines of
"path webhook-id seconds" (of the machine's monotonic clock). DELETE / clears the list.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"\r\nwebhook-id: *([0-9a-f]+)", re.IGNORECASE)
_OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}'

SLOW_SECONDS = (0.005, 0.03)

arrivals: list[tuple[bytes, bytes, float]] = []


class Sink(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = _LENGTH.search(head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < total:
                return
            self.buffer = self.buffer[total:]
            method, path, _version = head.split(b"\r\n", 1)[0].split(b" ")
            self.answer(method, path, head)

    def answer(self, method: bytes, path: bytes, head: bytes) -> None:
        if method == b"POST":
            match = _ID.search(head)
            arrivals.append((path, match[1] if match else b"-", time.monotonic()))
            if path.startswith(b"/slow/"):
                asyncio.get_running_loop().call_later(random.uniform(*SLOW_SECONDS), self.transport.write, _OK)
            elif not path.startswith(b"/hang/"):
                self.transport.write(_OK)
            return
        if method == b"DELETE":
            arrivals.clear()
        lines = [b"%d" % len(arrivals)]
        if path.startswith(b"/results/"):
            lines = [b"%s %s %.6f" % arrival for arrival in arrivals[int(path[9:]) :]]
        body = b"\n".join(lines)
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


class SinkProcess:
    """The sink in a separate process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def count(self) -> int:
        return int(self._ask("GET", "/count"))

    def requests(self, after: int = 0) -> list[tuple[str, str, float]]:
        """Path, webhook-id and monotonic seconds of every arrival after the first `after`."""
        lines = [line.split() for line in self._ask("GET", f"/results/{after}").splitlines()]
        return [(path, webhook_id, float(moment)) for path, webhook_id, moment in lines]

    def forget(self) -> None:
        self._ask("DELETE", "/")

    def _ask(self, method: str, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path)
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer


@contextmanager
def running_sink() -> Iterator[SinkProcess]:
    sink = SinkProcess()
    try:
        yield sink
    finally:
        sink.process.kill()
        sink.process.wait()


async def main() -> None:
    gc.disable()  # the list of requests only grows
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
