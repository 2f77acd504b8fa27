"""Cursor pagination: the cursor is the last row of the page, so page 1,000 costs as much as page 1, and no row shifts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet

from ..cotalker import objectid

_CURSOR = re.compile(r"(-?\d{1,17})~([0-9a-f]{24})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidCursor(ValueError):
    """The cursor is invalid; only a hand-made URL has such a cursor."""


class Cursor(NamedTuple):
    """A place in a list sorted by time; ids break ties between logs of the same datetime."""

    created_at: datetime
    pk: str


@dataclass(frozen=True)
class Page:
    """Up to `size` logs, newest first; `next_cursor` is "" on the last page."""

    logs: list
    next_cursor: str

    def __iter__(self):
        return iter(self.logs)

    def __len__(self) -> int:
        return len(self.logs)


def cursor_page(logs: QuerySet, cursor: str, size: int) -> Page:
    """The `size` newest of `logs`, or those right after `cursor`. One query; raises InvalidCursor."""
    if cursor:
        logs = after_cursor(logs, decode_cursor(cursor), is_older=True)
    rows = list(logs.order_by("-created_at", "-id")[: size + 1])
    has_more = len(rows) > size
    return Page(rows[:size], encode_cursor(cursor_for(rows[size - 1])) if has_more else "")


def after_cursor(logs: QuerySet, place: Cursor, *, is_older: bool) -> QuerySet:
    """The logs older, or newer, than the cursor. The first condition lets PostgreSQL use an index; the second breaks ties."""
    moment, pk = place
    if is_older:
        return logs.filter(created_at__lte=moment).filter(Q(created_at__lt=moment) | Q(pk__lt=pk))
    return logs.filter(created_at__gte=moment).filter(Q(created_at__gt=moment) | Q(pk__gt=pk))


def ordered_keys(logs: QuerySet, place: Cursor | None, *, is_older: bool, limit: int) -> list[Cursor]:
    """The cursors of the next `limit` logs, starting from the newest or from the oldest. One query."""
    if place is not None:
        logs = after_cursor(logs, place, is_older=is_older)
    order = ("-created_at", "-id") if is_older else ("created_at", "id")
    return [Cursor(*row) for row in logs.order_by(*order).values_list("created_at", "pk")[:limit]]


def cursor_for(log) -> Cursor:
    return Cursor(log.created_at, log.pk)


def encode_cursor(key: Cursor) -> str:
    """The cursor as it appears in a URL: microseconds since 1970, and the id."""
    return f"{(key.created_at - _EPOCH) // timedelta(microseconds=1)}~{key.pk}"


def decode_cursor(cursor: str) -> Cursor:
    """Raises InvalidCursor."""
    match = _CURSOR.fullmatch(cursor)
    if not match or not objectid.is_objectid(match[2]):
        raise InvalidCursor(cursor[:60])
    try:
        return Cursor(_EPOCH + timedelta(microseconds=int(match[1])), match[2])
    except OverflowError as error:
        raise InvalidCursor(cursor[:60]) from error
