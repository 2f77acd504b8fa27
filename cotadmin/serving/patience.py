"""Limits how long a thread waits for a client. A background thread watches the others, because a read can't time itself:
a client that sends one byte now and then would keep it going forever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

from django.conf import settings

READ_CHUNK_SIZE = 64 * 1024  # bytes that must be sent or received within CLIENT_TIMEOUT
_LOOK_SECONDS = 0.25


class HasSocket(Protocol):
    sock: socket.socket


class ClientDeadline:
    """The deadline of the connection that a thread serves. When it passes, the socket is shut down, and the thread notices."""

    def __init__(self, connection: HasSocket) -> None:
        self._connection = connection
        self._until: float | None = None
        self._lock = threading.Lock()
        self.is_late = False

    @contextlib.contextmanager
    def has_time_for(self, size: int) -> Iterator[None]:
        """Within this context, `size` bytes must be received or sent in time."""
        self._set_until(time.monotonic() + settings.CLIENT_TIMEOUT * (1 + size // READ_CHUNK_SIZE))
        try:
            yield
        finally:
            self.take_time()

    def take_time(self) -> None:
        """Stop the clock: the thread isn't waiting for the client."""
        self._set_until(None)

    def _set_until(self, until: float | None) -> None:
        with self._lock:
            self._until = until

    def shut_if_late(self) -> None:
        with self._lock:  # not after it: the socket may then be another client's
            if self._until is None or time.monotonic() < self._until:
                return
            self.is_late = True
            with contextlib.suppress(OSError):  # the client has already disconnected
                # SHUT_RD alone isn't enough: data that arrives later would still be read.
                self._connection.sock.shutdown(socket.SHUT_RDWR)


class SlowClientWatch:
    """Watches all clients of a process."""

    def __init__(self) -> None:
        self._clients: set[ClientDeadline] = set()
        self._lock = threading.Lock()
        self._here = threading.local()
        threading.Thread(target=self._look, name="patience", daemon=True).start()

    @contextlib.contextmanager
    def serving(self, connection: HasSocket) -> Iterator[None]:
        """This thread serves the connection. It starts by waiting for the headers of a request."""
        client = ClientDeadline(connection)
        with self._lock:
            self._clients.add(client)
        self._here.client = client
        try:
            with client.has_time_for(0):
                yield
        finally:
            self._here.client = None
            with self._lock:
                self._clients.discard(client)

    def client(self) -> ClientDeadline | None:
        """The client that this thread serves."""
        return getattr(self._here, "client", None)

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                clients = list(self._clients)
            for client in clients:
                client.shut_if_late()
