"""Limits how many requests of each kind a process works on at once; the others wait for a slot. While a thread waits for a
client, another thread uses its slot, so slow clients take none. Inbound events have slots of their own, which no page can take.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .patience import READ_CHUNK_SIZE, ClientDeadline, SlowClientWatch

PROBE_PATHS = ("/readyz", "/metrics")  # each has a database connection of its own
PROBE_PLACES = 2
WAIT_SECONDS = 30  # for a slot; then 503 says that the server is overloaded


class WorkerSlot:
    """One request's slot among those of its kind."""

    def __init__(self, places: threading.Semaphore | None) -> None:
        self._places = places

    @contextlib.contextmanager
    def taken(self) -> Iterator[bool]:
        """Take the slot; yields False if none is free in time. Releases it afterwards."""
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
        """Leave the slot to another request while this thread waits for its client."""
        if self._places is None:
            yield
            return
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()


class RequestSlots:
    """A WSGI application that wraps another. `inbound_paths`: what the paths of inbound events begin with."""

    def __init__(
        self, application: WSGIApplication, places: int, watch: SlowClientWatch, inbound_paths: tuple[str, ...]
    ) -> None:
        self._application, self._watch, self._inbound_paths = application, watch, inbound_paths
        self._pages, self._inbound = threading.Semaphore(places), threading.Semaphore(places)
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
        """The slots for this path; None if it never has to wait."""
        if path == "/healthz":
            return None
        if path in PROBE_PATHS:
            return self._probes
        return self._inbound if path.startswith(self._inbound_paths) else self._pages


class Body(io.RawIOBase):
    """The body of a request. Raises if the body breaks off: otherwise half a form would pass for a whole one."""

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
    """The body of a response: it's produced within the request's slot, and sent outside it."""

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
