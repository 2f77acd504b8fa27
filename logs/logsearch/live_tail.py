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

from ..db.cursor_pagination import BadCursor, Key, cursor_of, key_of, read_cursor
from ..db.timeouts import Count
from ..models import WebhookLog
from .criteria import Criteria
from .finder import Finder
from .query_params import address, at_the_beginning, changed, tail

COOKIE = "tail"  # "on" while the person wants it
OVERLAP = timedelta(seconds=10)
BEFORE_EMPTY = timedelta(hours=1)  # to an empty list, what is imported now but happened then is new as well
MOST_REMEMBERED = 20  # logs of the overlap; their ids stand in an address
MOST_COUNTED = 99
SECONDS = 0.5
_FIRST_ID = "0" * 24


@dataclass(frozen=True)
class Top:
    """The top of a list: after `place` its logs are those of the ids `shown`."""

    place: Key
    shown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, logs: Sequence[WebhookLog], now: datetime) -> Top:
        """Of a list that has the newest first and may be empty."""
        if not logs:
            return cls(Key(now - BEFORE_EMPTY, _FIRST_ID))
        since = logs[0].created_at - OVERLAP
        recent = [log for log in logs if log.created_at >= since]
        if len(recent) == len(logs) or len(recent) > MOST_REMEMBERED:
            *recent, last = recent[: MOST_REMEMBERED + 1]
            return cls(key_of(last), frozenset(log.pk for log in recent))
        return cls(Key(since, _FIRST_ID), frozenset(log.pk for log in recent))

    @classmethod
    def read(cls, text: str) -> Top:
        """From an address; raises BadCursor."""
        cursor, *shown = text.split(".")
        if len(shown) > MOST_REMEMBERED:
            raise BadCursor(text[:60])
        return cls(read_cursor(cursor), frozenset(shown))

    def __str__(self) -> str:
        return ".".join([cursor_of(self.place), *sorted(self.shown)])

    def count_new(self, criteria: Criteria) -> Count:
        """How many logs have come since."""
        since = max(filter(None, (criteria.since, self.place.created_at)))
        finder = Finder(replace(criteria, since=since), seconds=SECONDS)
        found = finder.find(self.place, is_older=False, limit=MOST_COUNTED + 1 + len(self.shown))
        number = sum(key.pk not in self.shown for key in found.keys)
        is_more = number > MOST_COUNTED or found.looked_until is not None
        return Count(min(number, MOST_COUNTED), is_more=is_more)


@dataclass(frozen=True)
class LiveTail:
    """Of the list with this query, on its first page and with the newest first."""

    query: QueryDict
    top: Top
    is_on: bool

    @classmethod
    def read(cls, asked: QueryDict, is_on: bool) -> LiveTail:
        """From the query of `asking`; raises BadCursor."""
        query = at_the_beginning(asked)
        top = query.pop("top", [""])[-1]
        query.pop("told", None)
        return cls(query, Top.read(top), is_on)

    @property
    def asking(self) -> str:
        """Where the page asks for what is new."""
        return reverse("logs:webhook_log_tail") + self._query

    @property
    def switching(self) -> str:
        """Where it is turned on and off."""
        return reverse("logs:live_tail_switch") + self._query

    @property
    def newest(self) -> str:
        """The list with what is new."""
        return address(self.query)

    @property
    def _query(self) -> str:
        return tail(changed(self.query, top=str(self.top)))
