"""What has come to the top of a list of logs since it was made: a number, never rows that move what somebody reads.

A log may become visible a moment after one that is younger: it was written in a transaction that took longer. So the last
seconds before the newest log are looked at again, and what was shown of them is not counted.
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
BEFORE_EMPTY = timedelta(hours=1)  # to an empty list, what is imported now but happened then is new as well
MAX_SEEN_IDS = 20  # logs of the overlap; their ids stand in an address
MAX_NEW_COUNT = 99
TAIL_POLL_SECONDS = 0.5
_FIRST_ID = "0" * 24


@dataclass(frozen=True)
class TailMarker:
    """The top of a list: after `place` its logs are those of the ids `shown`."""

    place: Cursor
    shown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, logs: Sequence[WebhookLog], now: datetime) -> TailMarker:
        """Of a list that has the newest first and may be empty."""
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
        """From an address; raises BadCursor."""
        cursor, *shown = text.split(".")
        if len(shown) > MAX_SEEN_IDS:
            raise InvalidCursor(text[:60])
        return cls(decode_cursor(cursor), frozenset(shown))

    def __str__(self) -> str:
        return ".".join([encode_cursor(self.place), *sorted(self.shown)])

    def count_new(self, criteria: SearchCriteria) -> BoundedCount:
        """How many logs have come since."""
        since = max(filter(None, (criteria.since, self.place.created_at)))
        finder = Finder(replace(criteria, since=since), seconds=TAIL_POLL_SECONDS)
        found = finder.find(self.place, is_older=False, limit=MAX_NEW_COUNT + 1 + len(self.shown))
        number = sum(key.pk not in self.shown for key in found.keys)
        is_more = number > MAX_NEW_COUNT or found.searched_until is not None
        return BoundedCount(min(number, MAX_NEW_COUNT), is_more=is_more)


@dataclass(frozen=True)
class LiveTail:
    """Of the list with this query, on its first page and with the newest first."""

    query: QueryDict
    top: TailMarker
    is_on: bool

    @classmethod
    def read(cls, asked: QueryDict, is_on: bool) -> LiveTail:
        """From the query of `asking`; raises BadCursor."""
        query = without_cursor(asked)
        top = query.pop("top", [""])[-1]
        query.pop("told", None)
        return cls(query, TailMarker.read(top), is_on)

    @property
    def asking(self) -> str:
        """Where the page asks for what is new."""
        return reverse("logs:webhook_log_tail") + self._query

    @property
    def switching(self) -> str:
        """Where it is turned on and off."""
        return reverse("logs:live_tail_toggle") + self._query

    @property
    def newest(self) -> str:
        """The list with what is new."""
        return list_url(self.query)

    @property
    def _query(self) -> str:
        return querystring(with_params(self.query, top=str(self.top)))
