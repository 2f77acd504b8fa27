"""Lets the status of an answer through before anything that comes after it.

aiohttp parses what has arrived at once, and where it meets bytes that are not HTTP it forgets the answer before them. Receivers
do send such bytes: a body with a 204, more than their Content-Length, a broken chunk. The status has decided by then: a
payload that was received must not be recorded as failed, and sent again.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import islice
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

# Also where a head is spread over two segments. What looks like it in a body does no harm: the pieces add up.
_END_OF_HEAD = re.compile(rb"(?:\A|\n)(?:\r?\n)+")
_HEADS = 5  # in one segment: interim answers (1xx) come before the one that counts


class HeadFirstConnector(aiohttp.TCPConnector):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        protocol: type[ResponseHandler] = _HeadFirst
        self._factory = partial(protocol, loop=self._loop)  # aiohttp has no public way to choose it


class _HeadFirst(ResponseHandler):
    def data_received(self, data: bytes) -> None:
        start = 0
        for found in islice(_END_OF_HEAD.finditer(data), _HEADS):
            super().data_received(data[start : found.end()])
            start = found.end()
        if start < len(data) or not data:  # aiohttp itself calls this without data, to go on after a pause
            super().data_received(data[start:])

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Tells the reader of the body too: at a broken chunk aiohttp leaves it waiting until its time is over."""
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError(str(exc)))
