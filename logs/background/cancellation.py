"""Cancels database queries when a process stops: the threads that wait for them can't be cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Result = TypeVar("Result")
_at_work: dict[int, BaseDatabaseWrapper] = {}  # by thread


@contextmanager
def cancellable() -> Iterator[None]:
    """Wraps a background thread's work. It returns the connection afterwards; until then, `cancel_queries` reaches it."""
    thread = threading.get_ident()
    _at_work[thread] = connections["default"]
    try:
        yield
    finally:
        del _at_work[thread]
        close_old_connections()


async def run_in_thread(work: Callable[[], Result]) -> Result:
    """Run `work` in a thread of its own, where it may use the database."""

    def alone() -> Result:
        with cancellable():
            return work()

    return await asyncio.to_thread(alone)


def is_busy() -> bool:
    return bool(_at_work)


def cancel_queries() -> None:
    """Cancel the queries that background threads are waiting for. The threads get an OperationalError."""
    for connection in list(_at_work.values()):
        if (raw := connection.connection) is not None:
            with suppress(psycopg.Error):
                raw.cancel_safe(timeout=1)
