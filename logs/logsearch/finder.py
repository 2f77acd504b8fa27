"""Finds the next logs of a list.

Conditions that log counts know cost the same at any size. An index finds rare words. Everything else is searched from the cursor
on, in windows of more and more logs, for a limited time.

`candidate_logs` lists logs that meet the conditions on dimensions, in order of time. Log counts say where there are any. Other
logs are hardly read, however many there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..db.cursor_pagination import Cursor, ordered_keys
from ..db.raw_sql import fetch_all
from ..stats.buckets import SMALLEST_BUCKET, bucket_floor
from .criteria import SearchCriteria
from .index_lookup import IndexLookup
from .matching import filter_matching
from .time_slices import NO_ORDER, TimeSlice, lateral_query, merge_slices, next_slices

SORTED_IN_PYTHON = 2000  # logs; more are sorted by an index


def candidate_logs(criteria: SearchCriteria, place: Cursor | None, *, is_older: bool, limit: int) -> list[Cursor]:
    """The next `limit` logs after the cursor `place` that meet the conditions on dimensions; fewer at the end of the list.

    `is_older`: towards older logs, else towards newer ones.
    """
    criteria = criteria.dimensions_only()
    if not criteria.kinds and criteria.subscriptions is None:
        return ordered_keys(criteria.logs(), place, is_older=is_older, limit=limit)
    keys: list[Cursor] = []
    edge = None
    if place is not None:
        start = bucket_floor(place.created_at)
        edge = start if is_older else start + SMALLEST_BUCKET
        here = criteria.logs().filter(created_at__gte=start, created_at__lt=start + SMALLEST_BUCKET)
        keys = ordered_keys(here, place, is_older=is_older, limit=limit)
    is_all = False
    while len(keys) < limit and not is_all:
        slices, is_all = next_slices(criteria, edge, is_older=is_older, wanted=limit - len(keys))
        if slices:
            keys += _logs_in(slices, criteria, is_older=is_older, limit=limit - len(keys))
            edge = slices[-1].start if is_older else slices[-1].end
        elif not is_all:  # a log has just changed, or the log counts are wrong: read the logs themselves
            logs = criteria.logs()
            if edge is not None:
                logs = logs.before(edge) if is_older else logs.since(edge)
            return keys + ordered_keys(logs, None, is_older=is_older, limit=limit - len(keys))
    return keys


def _logs_in(slices: list[TimeSlice], criteria: SearchCriteria, *, is_older: bool, limit: int) -> list[Cursor]:
    conditions = [criteria.dimension_sql]
    if criteria.since is not None:
        conditions.append(("created_at >= %s", [criteria.since]))
    if criteria.until is not None:
        conditions.append(("created_at < %s", [criteria.until]))
    order_and_limit = NO_ORDER  # no ORDER BY: to sort so few, PostgreSQL might walk through all logs by age
    if sum(piece.count for piece in slices) > SORTED_IN_PYTHON:
        direction = "DESC" if is_older else "ASC"
        order_and_limit = f"ORDER BY created_at {direction}, id {direction} LIMIT {limit}"
    ranges, columns = merge_slices(slices), "created_at, id"
    [rows] = fetch_all(lateral_query(ranges, "logs_webhooklog", "created_at", columns, conditions, order_and_limit))
    return sorted((Cursor(*row) for row in rows), reverse=is_older)[:limit]


SEARCH_SECONDS = 1.0
FIRST_WINDOW = 100  # logs: enough for a page if most logs contain the word
WINDOWS_BEFORE_INDEX = 2  # if these find too few, the word may be rare
MAX_WINDOW = 8_000
PAGE_PLUS_ONE = 51  # a page, and one log that shows that there is another page


@dataclass(frozen=True)
class SearchPage:
    """`keys`: in the order of the list. `searched_until`: where the time ran out, None if it didn't."""

    keys: list[Cursor] = field(default_factory=list)
    searched_until: Cursor | None = None


@dataclass(frozen=True)
class FirstPass:
    """`keys`: the logs found, newest first. `is_all`: there are no others. `until`: where the search stopped, unless `is_all`."""

    keys: list[Cursor]
    is_all: bool
    until: Cursor | None = None


@dataclass
class Finder:
    """`seconds`: how long one search may take before it returns what it has found.

    `by_index`: may be shared with another finder that searches for the same words.
    """

    criteria: SearchCriteria
    seconds: float = SEARCH_SECONDS
    by_index: IndexLookup = None  # type: ignore[assignment]  # never after __post_init__

    def __post_init__(self) -> None:
        self.by_index = self.by_index or IndexLookup(self.criteria.few, self.criteria.terms)

    def with_dimensions(self, criteria: SearchCriteria) -> Finder:
        """A finder of the same words in logs that meet other conditions."""
        return replace(self, criteria=criteria)

    def find(self, place: Cursor | None = None, *, is_older: bool = True, limit: int = PAGE_PLUS_ONE) -> SearchPage:
        """The next `limit` logs after the cursor `place`; None starts at the newest log, or at the oldest."""
        if self.criteria.uses_dimensions_only:
            return SearchPage(candidate_logs(self.criteria, place, is_older=is_older, limit=limit))
        first_pass = self.looked
        if first_pass.is_all:
            return SearchPage(_after(first_pass.keys, place, is_older=is_older)[:limit])
        if place is None and is_older and (len(first_pass.keys) >= limit or first_pass.until):
            return SearchPage(
                first_pass.keys[:limit],
                searched_until=None if len(first_pass.keys) >= limit else first_pass.until,
            )
        return self._search_from(place, is_older=is_older, limit=limit)

    def _search_from(self, place: Cursor | None, *, is_older: bool, limit: int) -> SearchPage:
        deadline = time.monotonic() + self.seconds
        keys: list[Cursor] = []
        for window, is_last in self._windows(place, is_older=is_older):
            matched = filter_matching(self.criteria, window, limit - len(keys), deadline)
            keys += matched.keys
            if matched.searched_until:
                return SearchPage(keys, searched_until=matched.searched_until)
            if len(keys) >= limit or is_last:
                break
            if time.monotonic() > deadline:
                return SearchPage(keys, searched_until=window[-1])
        return SearchPage(keys)

    @cached_property
    def looked(self) -> FirstPass:
        """What a first look at the newest logs finds: enough for a page, all that there are, or what time allowed."""
        if self.by_index.is_selective and (first_pass := self._first_pass_by_index()):
            return first_pass
        deadline = time.monotonic() + self._first_seconds
        keys: list[Cursor] = []
        for number, (window, is_last) in enumerate(self._windows(None, is_older=True), 1):
            matched = filter_matching(self.criteria, window, deadline=deadline)
            keys += matched.keys
            if matched.searched_until:
                return FirstPass(keys, is_all=False, until=matched.searched_until)
            if is_last:
                return FirstPass(keys, is_all=True)
            if len(keys) >= PAGE_PLUS_ONE:
                break
            if number == WINDOWS_BEFORE_INDEX and (first_pass := self._first_pass_by_index()):
                return first_pass
            if time.monotonic() > deadline:
                break
        return FirstPass(keys, is_all=False, until=window[-1])

    @property
    def _first_seconds(self) -> float:
        """A longer search has searched here before: its extra time is for the logs after these."""
        return min(self.seconds, SEARCH_SECONDS)

    def _first_pass_by_index(self) -> FirstPass | None:
        """None if there may be many."""
        ids = self.by_index.ids
        if ids is None:
            return None
        logs = self.criteria.dimensions_only().logs().filter(pk__in=ids).order_by()
        keys = sorted((Cursor(*row) for row in logs.values_list("created_at", "pk")), reverse=True)
        matched = filter_matching(self.criteria, keys, deadline=time.monotonic() + self._first_seconds)
        return FirstPass(matched.keys, is_all=matched.searched_until is None, until=matched.searched_until)

    def every(self, *, is_older: bool, at_once: int = MAX_WINDOW) -> Iterator[list[Cursor]]:
        """All logs that match, from the newest or the oldest on, in batches, however long it takes."""
        place = None
        while True:
            window = candidate_logs(self.criteria, place, is_older=is_older, limit=at_once)
            yield filter_matching(self.criteria, window).keys
            if len(window) < at_once:
                return
            place = window[-1]

    def _windows(self, place: Cursor | None, *, is_older: bool) -> Iterator[tuple[list[Cursor], bool]]:
        """Candidate logs, more each time; and whether these are the last."""
        size = FIRST_WINDOW
        while True:
            window = candidate_logs(self.criteria, place, is_older=is_older, limit=size)
            is_last = len(window) < size
            yield window, is_last
            if is_last:
                return
            place, size = window[-1], min(size * 4, MAX_WINDOW)


def _after(keys: list[Cursor], place: Cursor | None, *, is_older: bool) -> list[Cursor]:
    if is_older:
        return [key for key in keys if place is None or key < place]
    return [key for key in reversed(keys) if place is None or key > place]
