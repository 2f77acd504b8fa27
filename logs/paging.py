"""Paging by key: the place in the list is the last row seen, so page 1,000 costs what page 1 costs and nothing shifts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from . import objectid

_CURSOR = re.compile(r"(-?\d{1,17})~([0-9a-f]{24})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadCursor(ValueError):
    """The place in the list cannot be read; only a hand-made address has one."""


@dataclass(frozen=True)
class Page:
    """Up to `size` logs, newest first; `next_cursor` is "" on the last page."""

    logs: list
    next_cursor: str

    def __iter__(self):
        return iter(self.logs)

    def __len__(self) -> int:
        return len(self.logs)


def key_page(logs: QuerySet, cursor: str, size: int) -> Page:
    """The `size` newest of `logs`, or those right after `cursor`. One query; raises BadCursor."""
    if cursor:
        created_at, pk = _read_cursor(cursor)
        # The first condition is what the index is walked by; the second breaks ties.
        logs = logs.filter(created_at__lte=created_at).filter(Q(created_at__lt=created_at) | Q(pk__lt=pk))
    found = list(logs.order_by("-created_at", "-id")[: size + 1])
    has_more = len(found) > size
    return Page(found[:size], cursor_of(found[size - 1]) if has_more else "")


def cursor_of(log) -> str:
    """The place of a log in the list: microseconds since 1970, and its id for logs of the same moment."""
    return f"{(log.created_at - _EPOCH) // timedelta(microseconds=1)}~{log.pk}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    match = _CURSOR.fullmatch(cursor)
    if not match or not objectid.is_objectid(match[2]):
        raise BadCursor(cursor[:60])
    try:
        return _EPOCH + timedelta(microseconds=int(match[1])), match[2]
    except OverflowError as error:
        raise BadCursor(cursor[:60]) from error
