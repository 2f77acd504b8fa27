"""How many requests of each kind a process works on at once; the others wait for their turn. While a thread waits for a client it
leaves its place to another, so slow clients take none. Events that come in have places of their own, which no page can take.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .patience import READ_CHUNK_SIZE, ClientDeadline, SlowClientWatch

INBOUND_PATHS = ("/in/", "/api/")
PROBE_PATHS = ("/readyz", "/metrics")  # each has a database connection of its own
PROBE_PLACES = 2
WAIT_SECONDS = 30  # for a turn; then somebody must know that there is too much to do


class WorkerSlot:
    """One request's share of the places of its kind."""

    def __init__(self, places: threading.Semaphore | None) -> None:
        self._places = places

    @contextlib.contextmanager
    def taken(self) -> Iterator[bool]:
        """Whether there is one in time; it is free afterwards."""
        if self._places is None:
            yield True
        elif self._places.acquire(timeout=WAIT_SECONDS):
            try:
                yield True
            finally:
                self._places.release()
        else:
            yield False

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """For somebody else, while this thread waits for its client."""
        if self._places is None:
            yield
            return
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()


class RequestSlots:
    """A WSGI application around another."""

    def __init__(self, application: WSGIApplication, places: int, watch: SlowClientWatch) -> None:
        self._application, self._watch = application, watch
        self._pages, self._doors = threading.Semaphore(places), threading.Semaphore(places)
        self._probes = threading.Semaphore(PROBE_PLACES)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        client = self._watch.client()
        if client:
            client.take_time()
        place = WorkerSlot(self._places_for(environ["PATH_INFO"]))
        environ["wsgi.input"] = io.BufferedReader(Body(environ, place, client), READ_CHUNK_SIZE)
        with place.taken() as is_taken:
            if not is_taken:
                start_response("503 Service Unavailable", [("Retry-After", "5"), ("Content-Type", "text/plain")])
                return [b"The server is busy. Try again in a few seconds.\n"]
            answer = self._application(environ, start_response)
        return SlotResponse(answer, place, client)

    def _places_for(self, path: str) -> threading.Semaphore | None:
        """None where nobody has to wait."""
        if path == "/healthz":
            return None
        if path in PROBE_PATHS:
            return self._probes
        return self._doors if path.startswith(INBOUND_PATHS) else self._pages


class Body(io.RawIOBase):
    """The body of a request. It raises where the body breaks off: read as one that ends, half a form would be a whole one."""

    def __init__(self, environ: WSGIEnvironment, place: WorkerSlot, client: ClientDeadline | None) -> None:
        super().__init__()
        self._read: Callable[[int], bytes] = environ["wsgi.input"].read
        self._place, self._client = place, client
        has_length = "HTTP_TRANSFER_ENCODING" not in environ
        self._missing = int(environ.get("CONTENT_LENGTH") or 0) if has_length else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = len(buffer) if self._missing is None else min(len(buffer), self._missing)
        if not size:
            return 0
        data = self._wait_for(size)
        if self._missing is not None:
            if not data:
                raise ConnectionResetError("the request body ended early")
            self._missing -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def _wait_for(self, size: int) -> bytes:
        with self._place.left(), self._client.has_time_for(size) if self._client else contextlib.nullcontext():
            data = self._read(size)
        if self._client and self._client.is_late:
            raise TimeoutError("the request body took too long")
        return data


class SlotResponse:
    """The body of an answer, which is made in the place of the request, and sent without it."""

    def __init__(self, answer: Any, place: WorkerSlot, client: ClientDeadline | None) -> None:
        self._answer, self._place, self._client = answer, place, client

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._answer)
        while True:
            with self._place.taken():
                piece = next(pieces, None)
            if piece is None:
                return
            with self._client.has_time_for(len(piece)) if self._client else contextlib.nullcontext():
                yield piece

    def close(self) -> None:
        if close := getattr(self._answer, "close", None):
            close()
