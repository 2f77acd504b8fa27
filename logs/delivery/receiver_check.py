"""Checks whether a receiver can be reached now: its name, its port and its TLS, with the code that delivers. Sends nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from yarl import URL

from ..models import Cause
from .http_errors import SEND_ERRORS, classify_error
from .http_pool import ConnectionPool, Destination
from .ssrf import DestinationBlocked, DestinationFilter

CHECK_SECONDS = 8.0  # for all of it, with the name lookup
MAX_CONCURRENT_CHECKS = 4  # per process: each occupies one of its threads
_places = threading.BoundedSemaphore(MAX_CONCURRENT_CHECKS)


class ChecksBusy(Exception):
    """Too many checks are running. The same check works in a few seconds."""


@dataclass(frozen=True)
class ReceiverCheck:
    """`cause`: why it can't be reached, "" if it can. `detail`: in more words. `milliseconds`: how long the check took."""

    milliseconds: int
    cause: str = ""
    detail: str = ""

    @property
    def is_reachable(self) -> bool:
        return not self.cause

    @property
    def cause_label(self) -> str:
        return str(Cause(self.cause).label)


def check_receiver(url: str) -> ReceiverCheck:
    """Connect to the receiver of this URL, and close the connection. Takes CHECK_SECONDS at most. Raises ChecksBusy."""
    if not _places.acquire(blocking=False):
        raise ChecksBusy
    started = time.perf_counter()
    try:
        cause, detail = asyncio.run(_connect(url))
    finally:
        _places.release()
    return ReceiverCheck(round(1000 * (time.perf_counter() - started)), cause, detail)


async def _connect(url: str) -> tuple[str, str]:
    """Why it isn't possible: the cause, and a text. Both are "" if it is."""
    pool = ConnectionPool(DestinationFilter.from_settings(), float(settings.DELIVERY_CONNECT_TIMEOUT))
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            connection = await pool.connect(Destination.of(URL(url)))
        connection.close()
    except DestinationBlocked as blocked:
        return Cause.BLOCKED, str(blocked.message)
    except SEND_ERRORS as error:
        return classify_error(error, url, CHECK_SECONDS)
    finally:
        pool.close()
    return "", ""
