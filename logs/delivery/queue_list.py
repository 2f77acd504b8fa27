"""All queues, page by page: the blocked ones, those that keep events for a decision, and the active ones."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from hashlib import sha256
from typing import Any, NamedTuple

from ..cotalker import objectid
from ..db.cursor_pagination import InvalidCursor
from ..db.timeouts import BoundedCount
from ..models import Subscription
from .queue_status import with_next_logs
from .queue_summary import is_blocked, oldest_waiting_since, subscriptions_with_queue, total_waiting, with_next_events

PAGE_SIZE = 50  # queues on a page
DELAYED_AFTER = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = 10**17  # microseconds; later than any time of a queue
_CURSOR = re.compile(r"([0-4])~(\d{1,18})~([0-9a-f]{24})~(.{0,200})", re.ASCII | re.DOTALL)
# Enough to sort and count all queues. Other columns are read only for the queues on the page.
COMPACT_FIELDS = (
    "pk",
    "name",
    "company_id",
    "is_active",
    "is_draining",
    "is_delivered_here",
    "paused_at",
    "has_queued",
    "oldest_waiting",
    "next_retry_at",
)
DETAIL_FIELDS = (
    "pk",
    "name",
    "paused_at",
    "blocking_log",
    "blocking_error",
    "paused_by",
    "next_retry_at",
    "queued_count",
    "first_logs",
    "pause_on_exhausted",
    "skipped_so_far",
)


class Section(IntEnum):
    """The sections of the list, in order."""

    PAUSED = 0
    RETRYING = 1
    KEPT = 2
    DELAYED = 3  # something in it has waited longer than in any queue that keeps up
    ON_TIME = 4


BLOCKED = (Section.PAUSED, Section.RETRYING)
ACTIVE = (Section.DELAYED, Section.ON_TIME)


class QueueCursor(NamedTuple):
    """Where a queue stands in the list. The one that has waited longest comes first; active ones are ordered by name."""

    section: int
    since: int  # microseconds since 1970; 0 if it is active
    name: str
    pk: str

    @property
    def cursor(self) -> str:
        """As it stands in a URL. The name is last, because it may contain any characters."""
        return f"{self.section:d}~{self.since}~{self.pk}~{self.name}"


def decode_queue_cursor(cursor: str) -> QueueCursor:
    """Raises InvalidCursor."""
    match = _CURSOR.fullmatch(cursor)
    if not match or not objectid.is_objectid(match[3]):
        raise InvalidCursor(cursor[:60])
    return QueueCursor(int(match[1]), int(match[2]), match[4], match[3])


@dataclass(frozen=True)
class QueueList:
    """A page of queues: subscriptions from `subscriptions_with_queue`, with their sections.

    `numbers`: how many queues there are in all, by section. `first`: the number of the page's first queue, from 1. `next_cursor`
    is "" on the last page. `waiting`: how many logs are queued in all blocked queues. `others`: how many subscriptions Cotalker
    delivers, with nothing to do here.
    """

    now: datetime
    page: list[tuple[Section, Any]]
    first: int
    next_cursor: str
    numbers: Counter[Section]
    others: int
    companies: int
    waiting: BoundedCount
    oldest: datetime | None

    @property
    def blocked(self) -> list[Any]:
        return self._in_sections(*BLOCKED)

    @property
    def kept(self) -> list[Any]:
        return self._in_sections(Section.KEPT)

    @property
    def active(self) -> list[Any]:
        return self._in_sections(*ACTIVE)

    @property
    def blocked_count(self) -> int:
        return sum(self.numbers[section] for section in BLOCKED)

    @property
    def kept_count(self) -> int:
        return self.numbers[Section.KEPT]

    @property
    def active_count(self) -> int:
        return sum(self.numbers[section] for section in ACTIVE)

    @property
    def total(self) -> int:
        return self.numbers.total()

    @property
    def last(self) -> int:
        """The number of the page's last queue; less than `first` if no queue is left."""
        return self.first + len(self.page) - 1

    @property
    def next_size(self) -> int:
        return min(PAGE_SIZE, self.total - self.last)

    @property
    def mark(self) -> str:
        """Changes as soon as the page would show something else, and every minute, because ages grow."""
        queues = [[section, *(getattr(queue, column) for column in DETAIL_FIELDS)] for section, queue in self.page]
        counts = [sorted(self.numbers.items()), self.others, self.waiting, self.oldest]
        state = [f"{self.now:%H:%M}", counts, self.first, self.next_cursor, queues]
        return sha256(repr(state).encode()).hexdigest()[:16]

    def _in_sections(self, *sections: Section) -> list[Any]:
        return [queue for section, queue in self.page if section in sections]


def subscriptions_with_queues(user, now: datetime, after: QueueCursor | None = None) -> QueueList:
    """Return the queues right after `after`. Takes three queries, and reads details of at most PAGE_SIZE queues."""
    visible = Subscription.objects.visible_to(user).filter(is_placeholder=False)
    rows: list[Any] = list(with_next_events(visible).values_list(*COMPACT_FIELDS, named=True))
    sections = {row.pk: section for row in rows if (section := _section(row, now)) is not None}
    queues = [row for row in rows if row.pk in sections]
    blocked = [row for row in queues if sections[row.pk] in BLOCKED]
    order = sorted(_place(row, sections[row.pk]) for row in queues)
    rest = order if after is None else order[bisect_right(order, after) :]
    page = rest[:PAGE_SIZE]
    details = subscriptions_with_queue(
        with_next_logs(visible.filter(pk__in=[place.pk for place in page]).select_related("company"))
    )
    return QueueList(
        now=now,
        # A queue that was deleted since the first query has no details any more.
        page=[(sections[place.pk], details[place.pk]) for place in page if place.pk in details],
        first=len(order) - len(rest) + 1,
        next_cursor=page[-1].cursor if len(rest) > PAGE_SIZE else "",
        numbers=Counter(sections.values()),
        others=sum(_is_sent(row) for row in rows) - sum(_is_sent(row) for row in queues),
        companies=len({row.company_id for row in queues}),
        waiting=total_waiting(blocked),
        oldest=oldest_waiting_since(blocked),
    )


def _section(row, now: datetime) -> Section | None:
    """Return None if Cotalker delivers, or if nothing waits for an inactive subscription."""
    if not _is_sent(row):
        return Section.KEPT if row.has_queued else None
    if is_blocked(row):
        return Section.RETRYING if row.paused_at is None else Section.PAUSED
    if not (row.is_delivered_here or row.has_queued):
        return None
    return Section.DELAYED if row.oldest_waiting and now - row.oldest_waiting > DELAYED_AFTER else Section.ON_TIME


def _is_sent(row) -> bool:
    return row.is_active or row.is_draining


def _place(row, section: Section) -> QueueCursor:
    since = 0 if section in ACTIVE else _microseconds(row.paused_at or row.oldest_waiting)
    return QueueCursor(section, since, row.name, row.pk)


def _microseconds(moment: datetime | None) -> int:
    return _NEVER if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
