"""Counts the logs that have arrived at the top of a list since it was rendered. It never adds rows: they would move the text that
somebody reads.

A log may become visible shortly after a newer one, if its transaction took longer. So the last seconds before the newest log are
read again. Logs of those seconds that were already shown are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.http import QueryDict
from django.urls import reverse

from ..db.cursor_pagination import Cursor, InvalidCursor, cursor_for, decode_cursor, encode_cursor
from ..db.timeouts import BoundedCount
from ..models import WebhookLog
from .criteria import SearchCriteria
from .finder import Finder
from .query_params import list_url, querystring, with_params, without_cursor

LIVE_TAIL_COOKIE = "tail"  # "on" while the person wants it
OVERLAP = timedelta(seconds=10)
BEFORE_EMPTY = timedelta(hours=1)  # in an empty list, logs that are imported now but happened then are new too
MAX_SEEN_IDS = 20  # logs of the overlap; their ids are part of a URL
MAX_NEW_COUNT = 99
TAIL_POLL_SECONDS = 0.5
_FIRST_ID = "0" * 24


@dataclass(frozen=True)
class TailMarker:
    """The top of a list: the logs after the cursor `place` have the ids `shown`."""

    place: Cursor
    shown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, logs: Sequence[WebhookLog], now: datetime) -> TailMarker:
        """From a list with the newest log first, which may be empty."""
        if not logs:
            return cls(Cursor(now - BEFORE_EMPTY, _FIRST_ID))
        since = logs[0].created_at - OVERLAP
        recent = [log for log in logs if log.created_at >= since]
        if len(recent) == len(logs) or len(recent) > MAX_SEEN_IDS:
            *recent, last = recent[: MAX_SEEN_IDS + 1]
            return cls(cursor_for(last), frozenset(log.pk for log in recent))
        return cls(Cursor(since, _FIRST_ID), frozenset(log.pk for log in recent))

    @classmethod
    def read(cls, text: str) -> TailMarker:
        """From a URL; raises InvalidCursor."""
        cursor, *shown = text.split(".")
        if len(shown) > MAX_SEEN_IDS:
            raise InvalidCursor(text[:60])
        return cls(decode_cursor(cursor), frozenset(shown))

    def __str__(self) -> str:
        return ".".join([encode_cursor(self.place), *sorted(self.shown)])

    def count_new(self, criteria: SearchCriteria) -> BoundedCount:
        """How many logs have arrived since."""
        since = max(filter(None, (criteria.since, self.place.created_at)))
        finder = Finder(replace(criteria, since=since), seconds=TAIL_POLL_SECONDS)
        page = finder.find(self.place, is_older=False, limit=MAX_NEW_COUNT + 1 + len(self.shown))
        number = sum(key.pk not in self.shown for key in page.keys)
        is_more = number > MAX_NEW_COUNT or page.searched_until is not None
        return BoundedCount(min(number, MAX_NEW_COUNT), is_more=is_more)


@dataclass(frozen=True)
class LiveTail:
    """The live tail of the list with this query, on its first page, newest first."""

    query: QueryDict
    top: TailMarker
    is_on: bool

    @classmethod
    def read(cls, params: QueryDict, is_on: bool) -> LiveTail:
        """From the query of `poll_url`; raises InvalidCursor."""
        query = without_cursor(params)
        top = query.pop("top", [""])[-1]
        query.pop("seen", None)
        return cls(query, TailMarker.read(top), is_on)

    @property
    def poll_url(self) -> str:
        """The URL that returns what is new."""
        return reverse("logs:webhook_log_tail") + self._query

    @property
    def toggle_url(self) -> str:
        """The URL that turns it on and off."""
        return reverse("logs:live_tail_toggle") + self._query

    @property
    def newest(self) -> str:
        """The URL of the list with the new logs."""
        return list_url(self.query)

    @property
    def _query(self) -> str:
        return querystring(with_params(self.query, top=str(self.top)))
