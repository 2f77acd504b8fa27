"""A real HTTP receiver on loopback; its record of requests decides what was delivered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connection

from .raw_server import POLL


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """It answers with `status` and `body`, or with the next of `statuses` while there are some. `gate`, an Event, holds
    every answer back until it is set; `hanging` is a path that is never answered; `on_arrival` is called before an answer.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.status = 200
        self.statuses: list[int] = []
        self.on_arrival: Callable[[], object] | None = None
        self.body = b'{"ok":true}'
        self.gate: threading.Event | None = None
        self.hanging = ""
        self.arrived = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=[POLL], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    @property
    def path(self) -> str:
        return "/hook"

    @property
    def ids(self) -> list[str]:
        """The logs in the order in which they arrived."""
        return [received.headers["webhook-id"] for received in self.requests]

    def close(self) -> None:
        if self.gate:
            self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(self.path, headers, body))
                receiver.arrived.set()
                if receiver.on_arrival:
                    try:
                        receiver.on_arrival()
                    finally:
                        connection.close()  # this thread's own
                if receiver.hanging == self.path:
                    self.connection.recv(1)  # until the other side gives up
                    return
                if receiver.gate:
                    receiver.gate.wait(30)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else receiver.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *args) -> None:
                pass

        return Handler
