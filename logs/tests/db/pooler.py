"""A minimal connection pooler like PgBouncer: clients connect by TCP, and server connections outlive them."""

from __future__ import annotations

import socket
import struct
import threading

CANCEL_KEY = b"K" + struct.pack("!III", 12, 4_000_000, 1)  # its own, not that of the server's process


class Pooler:
    """`is_by_transaction`: all clients share one connection, transaction by transaction; otherwise each has its own.

    `refuses`: with this message, as PgBouncer refuses settings at the start.
    """

    def __init__(self, server: str | tuple[str, int], *, is_by_transaction: bool, refuses: str = "") -> None:
        self.server = server
        self.is_by_transaction = is_by_transaction
        self.refuses = refuses
        self._greeting = b""
        self._shared: _Link | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        if self._shared:
            self._shared.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=[_Link(client)], daemon=True).start()
        except OSError:
            return

    def _serve(self, client: _Link) -> None:
        server: _Link | None = None
        try:
            start = client.read_start()
            if self.refuses:
                client.send(_error(self.refuses))
                return
            server = self._shared
            if server is None:
                server = self._connect(start, client)
            else:
                client.send(self._greeting)
            if self.is_by_transaction:
                self._shared = server
            while self._pass_transaction(client, server):
                pass
        except (OSError, EOFError):
            return
        finally:
            client.close()
            if server and not self.is_by_transaction:
                server.close()

    def _connect(self, start: bytes, client: _Link) -> _Link:
        """The client signs in at the server. Later clients get the same greeting without signing in."""
        family = socket.AF_UNIX if isinstance(self.server, str) else socket.AF_INET
        server = _Link(socket.socket(family))
        server.socket.connect(self.server)
        server.send(start)
        greeting = b""
        while not greeting.startswith(b"Z"):
            greeting = server.read()
            is_signing_in = greeting.startswith(b"R") and greeting[5:9] not in (b"\0\0\0\0", b"\0\0\0\x0c")
            if greeting.startswith(b"K"):
                greeting = CANCEL_KEY
            if not greeting.startswith(b"R") or greeting[5:9] == b"\0\0\0\0":
                self._greeting += greeting
            client.send(greeting)
            if is_signing_in:
                server.send(client.read())
        return server

    def _pass_transaction(self, client: _Link, server: _Link) -> bool:
        message = client.read()
        with self._lock if self.is_by_transaction else threading.Lock():
            while True:
                if message.startswith(b"X"):
                    return False
                server.send(message)
                if message[:1] in (b"Q", b"S"):
                    answer = b""
                    while not answer.startswith(b"Z"):
                        answer = server.read()
                        client.send(answer)
                    if answer.endswith(b"I"):  # no transaction is open
                        return True
                message = client.read()


class _Link:
    def __init__(self, link: socket.socket) -> None:
        self.socket = link
        self.file = link.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """A message, with its type and length."""
        head = self._exactly(5)
        return head + self._exactly(struct.unpack("!I", head[1:])[0] - 4)

    def read_start(self) -> bytes:
        head = self._exactly(4)
        return head + self._exactly(struct.unpack("!I", head)[0] - 4)

    def _exactly(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _error(message: str) -> bytes:
    body = b"SFATAL\0C08P01\0M" + message.encode() + b"\0\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body
