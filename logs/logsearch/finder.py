"""The logs of a kind in the order of time. Where the rollups tell that there are any, they are looked up; logs of another kind
are hardly looked at, however many they are.

Finds the next logs of a list. What the rollups know costs the same at any size; a word that is rare is found by its index;
everything else is looked for from the place on, in stretches of more and more logs, for a limited time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..db.cursor_pagination import Key, in_order
from ..db.raw_sql import answers
from ..stats.buckets import FINEST, floor
from .criteria import Criteria
from .index_lookup import ByIndex
from .matching import matching
from .time_slices import ALL, Stretch, in_each, next_stretches, ranges_of

SORTED_HERE = 2000  # logs; more are sorted by an index


def candidates(criteria: Criteria, place: Key | None, *, is_older: bool, limit: int) -> list[Key]:
    """The next `limit` logs of the kind after `place` in the list, towards the older or the newer; fewer at its end."""
    criteria = criteria.of_kinds()
    if not criteria.kinds and criteria.subscriptions is None:
        return in_order(criteria.logs(), place, is_older=is_older, limit=limit)
    found: list[Key] = []
    edge = None
    if place is not None:
        start = floor(place.created_at)
        edge = start if is_older else start + FINEST
        here = criteria.logs().filter(created_at__gte=start, created_at__lt=start + FINEST)
        found = in_order(here, place, is_older=is_older, limit=limit)
    is_all = False
    while len(found) < limit and not is_all:
        stretches, is_all = next_stretches(criteria, edge, is_older=is_older, wanted=limit - len(found))
        if stretches:
            found += _logs_in(stretches, criteria, is_older=is_older, limit=limit - len(found))
            edge = stretches[-1].start if is_older else stretches[-1].end
        elif not is_all:  # a log has just changed, or the rollups are wrong: the logs themselves tell
            logs = criteria.logs()
            if edge is not None:
                logs = logs.before(edge) if is_older else logs.since(edge)
            return found + in_order(logs, None, is_older=is_older, limit=limit - len(found))
    return found


def _logs_in(stretches: list[Stretch], criteria: Criteria, *, is_older: bool, limit: int) -> list[Key]:
    conditions = [criteria.written_kind]
    if criteria.since is not None:
        conditions.append(("created_at >= %s", [criteria.since]))
    if criteria.until is not None:
        conditions.append(("created_at < %s", [criteria.until]))
    some = ALL  # without an order: to sort these few, PostgreSQL might walk through all logs by their age
    if sum(one.count for one in stretches) > SORTED_HERE:
        direction = "DESC" if is_older else "ASC"
        some = f"ORDER BY created_at {direction}, id {direction} LIMIT {limit}"
    [rows] = answers(in_each(ranges_of(stretches), "logs_webhooklog", "created_at", "created_at, id", conditions, some))
    return sorted((Key(*row) for row in rows), reverse=is_older)[:limit]


SECONDS = 1.0
FIRST_LOOK = 100  # logs: enough for a page of a word that is in most
LOOKS_BEFORE_INDEX = 2  # what these find too little of may be rare
MOST_AT_ONCE = 8_000
ENOUGH = 51  # a page, and one that tells that there is another


@dataclass(frozen=True)
class Found:
    """`keys`: in the order of the list. `looked_until`: where the time ran out, None where it did not."""

    keys: list[Key] = field(default_factory=list)
    looked_until: Key | None = None


@dataclass(frozen=True)
class Looked:
    """`keys`: what was found from the newest on. `is_all`: there is no other. `until`: as far as was looked, if it is not."""

    keys: list[Key]
    is_all: bool
    until: Key | None = None


@dataclass
class Finder:
    """`seconds`: how long one question may take before it is answered with what was found by then. `by_index`: may be that of
    another finder that looks for the same words.
    """

    criteria: Criteria
    seconds: float = SECONDS
    by_index: ByIndex = None  # type: ignore[assignment]  # never after __post_init__

    def __post_init__(self) -> None:
        self.by_index = self.by_index or ByIndex(self.criteria.few, self.criteria.terms)

    def with_kinds(self, criteria: Criteria) -> Finder:
        """One that looks for the same words in logs of other kinds."""
        return replace(self, criteria=criteria)

    def find(self, place: Key | None = None, *, is_older: bool = True, limit: int = ENOUGH) -> Found:
        """The next `limit` logs after the place, None being the beginning: of the newest, or of the oldest."""
        if self.criteria.is_of_kinds:
            return Found(candidates(self.criteria, place, is_older=is_older, limit=limit))
        looked = self.looked
        if looked.is_all:
            return Found(_after(looked.keys, place, is_older=is_older)[:limit])
        if place is None and is_older and (len(looked.keys) >= limit or looked.until):
            return Found(looked.keys[:limit], looked_until=None if len(looked.keys) >= limit else looked.until)
        return self._look_for(place, is_older=is_older, limit=limit)

    def _look_for(self, place: Key | None, *, is_older: bool, limit: int) -> Found:
        deadline = time.monotonic() + self.seconds
        keys: list[Key] = []
        for window, is_last in self._windows(place, is_older=is_older):
            matched = matching(self.criteria, window, limit - len(keys), deadline)
            keys += matched.keys
            if matched.looked_until:
                return Found(keys, looked_until=matched.looked_until)
            if len(keys) >= limit or is_last:
                break
            if time.monotonic() > deadline:
                return Found(keys, looked_until=window[-1])
        return Found(keys)

    @cached_property
    def looked(self) -> Looked:
        """What is found at a first look at the newest: enough for a page, or all that there is, or what time allowed."""
        if self.by_index.is_worth_while and (looked := self._look_by_index()):
            return looked
        deadline = time.monotonic() + self._first_seconds
        keys: list[Key] = []
        for number, (window, is_last) in enumerate(self._windows(None, is_older=True), 1):
            matched = matching(self.criteria, window, deadline=deadline)
            keys += matched.keys
            if matched.looked_until:
                return Looked(keys, is_all=False, until=matched.looked_until)
            if is_last:
                return Looked(keys, is_all=True)
            if len(keys) >= ENOUGH:
                break
            if number == LOOKS_BEFORE_INDEX and (looked := self._look_by_index()):
                return looked
            if time.monotonic() > deadline:
                break
        return Looked(keys, is_all=False, until=window[-1])

    @property
    def _first_seconds(self) -> float:
        """Who looks further has looked here before: that is for what comes then."""
        return min(self.seconds, SECONDS)

    def _look_by_index(self) -> Looked | None:
        """None where they may be many."""
        ids = self.by_index.ids
        if ids is None:
            return None
        logs = self.criteria.of_kinds().logs().filter(pk__in=ids).order_by()
        keys = sorted((Key(*row) for row in logs.values_list("created_at", "pk")), reverse=True)
        matched = matching(self.criteria, keys, deadline=time.monotonic() + self._first_seconds)
        return Looked(matched.keys, is_all=matched.looked_until is None, until=matched.looked_until)

    def every(self, *, is_older: bool, at_once: int = MOST_AT_ONCE) -> Iterator[list[Key]]:
        """All that match, from the newest on or from the oldest, some at a time, however long it takes."""
        place = None
        while True:
            window = candidates(self.criteria, place, is_older=is_older, limit=at_once)
            yield matching(self.criteria, window).keys
            if len(window) < at_once:
                return
            place = window[-1]

    def _windows(self, place: Key | None, *, is_older: bool) -> Iterator[tuple[list[Key], bool]]:
        """Logs of the kind, more each time; and whether these are the last."""
        size = FIRST_LOOK
        while True:
            window = candidates(self.criteria, place, is_older=is_older, limit=size)
            is_last = len(window) < size
            yield window, is_last
            if is_last:
                return
            place, size = window[-1], min(size * 4, MOST_AT_ONCE)


def _after(keys: list[Key], place: Key | None, *, is_older: bool) -> list[Key]:
    if is_older:
        return [key for key in keys if place is None or key < place]
    return [key for key in reversed(keys) if place is None or key > place]
