"""The requests of the explorer benchmark: twelve filters, the requests of each, and the client that sends them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import urlencode, urlsplit

from .explorer_logs import COMMON_WORD, DAYS, asset_id, subscription_id

MOMENT = "%Y-%m-%dT%H:%MZ"
RANGES = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
Query = dict[str, str]


def filters(now: datetime) -> dict[str, Query]:
    """Twelve filters by name."""
    day = now.replace(hour=10, minute=7, second=0, microsecond=0) - timedelta(days=9)
    return {
        "all": {},
        "a day": {"range": "24h"},
        "failed": {"state": "failed"},
        "failed in a week": {"state": "failed", "range": "7d"},
        "timeouts": {"cause": "timeout"},
        "5xx": {"status": "5xx"},
        "one subscription": {"subscription": subscription_id(0)},
        "deleted tasks": {"type": "COTTask", "action": "delete"},
        "not delivered": {"not_state": "delivered"},
        "a month, not created": {"range": "30d", "not_action": "create"},
        "a day of the past": {"since": f"{day:{MOMENT}}", "until": f"{day + timedelta(days=1):{MOMENT}}"},
        "nothing": {"status": "404", "subscription": subscription_id(1)},
    }


def admin_queries(now: datetime) -> dict[str, Query]:
    """The filters that the admin can express."""
    since = {"created_at__gte": f"{now - timedelta(days=1):%Y-%m-%d}"}
    return {
        "all": {},
        "a day": since,
        "failed": {"state__exact": "failed"},
        "failed in a week": {"state__exact": "failed", "created_at__gte": f"{now - timedelta(days=7):%Y-%m-%d}"},
        "timeouts": {"cause__exact": "timeout"},
        "one subscription": {"subscription__id__exact": subscription_id(0)},
        "deleted tasks": {"event_type": "COTTask", "action": "delete"},
        "nothing": {"status": "404", "subscription__id__exact": subscription_id(1)},
    }


class Requests:
    """The URLs of each kind, for one filter."""

    def __init__(self, total: int, now: datetime) -> None:
        self._random, self._total, self._now = Random(3), total, now

    def of(self, query: Query) -> Iterator[tuple[str, str]]:
        """(kind, URL)"""
        rare = asset_id(self._random.randrange(self._total))
        deep = self._middle(query) - timedelta(seconds=self._random.randrange(3600))
        yield "first_page", "/logs/"
        yield "overview", "/"
        yield "live", "/live/?seen=other&shown=other"  # everything has changed
        yield "filtered", address("/logs/", query)
        yield "deep_page", address("/logs/", query | {"after": f"{int(deep.timestamp() * 1e6)}~{'0' * 24}"})
        yield "facets", address("/logs/facets/", query)
        yield (
            "histogram",
            address("/logs/histogram/", query if {"range", "since"} & query.keys() else query | {"range": "30d"}),
        )
        yield "search_rare", address("/logs/", query | {"q": rare})
        yield "search_common", address("/logs/", query | {"q": COMMON_WORD})

    def _middle(self, query: Query) -> datetime:
        """The middle of the filter's time range; without one, half of all logs are newer."""
        if "until" in query:
            return datetime.strptime(query["until"], MOMENT).replace(tzinfo=UTC) - timedelta(hours=12)
        return self._now - RANGES.get(query.get("range", ""), timedelta(days=DAYS)) / 2


def address(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query)}" if query else path


class Browser:
    """A signed-in person's browser; each request opens a connection of its own."""

    def __init__(self, server: str, session: str, patience: float = 60) -> None:
        self._netloc, self._patience = urlsplit(server).netloc, patience
        self._headers = {"Cookie": f"sessionid={session}"}

    def ms_to_first_byte(self, address: str) -> float:
        start = time.perf_counter()
        connection = http.client.HTTPConnection(self._netloc, timeout=self._patience)
        connection.request("GET", address, headers=self._headers)
        answer = connection.getresponse()
        ms = (time.perf_counter() - start) * 1000
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} for {address}: {body[:300]!r}")
        return ms
