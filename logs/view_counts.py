"""How many logs a view holds: from the rollups, in a limited time, remembered for a moment, so that no page waits for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.cache import cache
from django.http import QueryDict

from .db.timeouts import Count, TookTooLong, time_limit
from .explorer.figures import Figures
from .explorer.finding import Finder
from .filters import WebhookLogFilter

FRESH = 30  # seconds
REMEMBERED = 300  # seconds; an older number stands on the page until the page has asked for a new one
SECONDS_EACH = 0.5
SECONDS_TOGETHER = 1.5


@dataclass(frozen=True)
class Known:
    """A number, and when it was counted, in seconds since 1970."""

    count: Count
    at: float

    @property
    def is_fresh(self) -> bool:
        return time.time() - self.at < FRESH


def known_counts(queries: Iterable[str], user) -> dict[str, Known]:
    """What is remembered, by query; it costs no question to the database."""
    keys = {_key(query, user): query for query in queries}
    return {keys[key]: known for key, known in cache.get_many(keys).items()}


def fresh_counts(queries: Iterable[str], user) -> dict[str, Count]:
    """By query; one for which no time was left is missing, and gets its turn when asked for again."""
    wanted = list(dict.fromkeys(queries))
    found = {query: known.count for query, known in known_counts(wanted, user).items() if known.is_fresh}
    deadline = time.monotonic() + SECONDS_TOGETHER
    for query in wanted:
        if query not in found and time.monotonic() < deadline:
            found[query] = _count(query, user)
            cache.set(_key(query, user), Known(found[query], time.time()), REMEMBERED)
    return found


def _count(query: str, user) -> Count:
    """Of no number where the filter is wrong by now, or its search takes too long."""
    asked = WebhookLogFilter(QueryDict(query), user=user)
    if not asked.is_valid():
        return Count(None)
    figures = Figures(Finder(asked.criteria, seconds=SECONDS_EACH))
    try:
        with time_limit(SECONDS_EACH):
            return figures.count(figures.grouped("state"))
    except TookTooLong:
        return Count(None)


def _key(query: str, user) -> str:
    return f"view-count:{user.pk}:{hashlib.sha256(query.encode()).hexdigest()}"
