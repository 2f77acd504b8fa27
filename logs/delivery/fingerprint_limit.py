"""No more than so many fingerprints of a subscription's failures in a day: a receiver that answers something else each time must
not fill the rollups, which have a row for each, in each width.

Each process counts by itself, from what the rollups have when it first meets a subscription and a day. Two at once, such as a
worker and an import, may so make a few more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime

MAX_FINGERPRINTS_PER_DAY = 100
OTHER_FINGERPRINT = "{other}"  # what all further ones fall into
_DAYS_KEPT = 5_000  # of subscriptions; a set has at most MOST numbers

SubscriptionDay = tuple[str, datetime]  # a subscription, and the beginning of a day by UTC
# Also what isn't folded yet would be right, and slow: it lags by seconds, once for each day.
KNOWN_FINGERPRINTS_SQL = """
SELECT DISTINCT cell.subscription_id, cell.bucket, cell.fingerprint
FROM logs_rollup cell JOIN unnest(%(subscriptions)s::text[], %(buckets)s::timestamptz[]) AS day (subscription, bucket)
    ON cell.subscription_id = day.subscription AND cell.bucket = day.bucket
WHERE cell.width = 1440 AND cell.count > 0 AND cell.fingerprint <> ''
"""


def day_of(subscription: str, at: datetime) -> SubscriptionDay:
    return subscription, at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class DailyFingerprints:
    """`unknown` days are to be looked up by KNOWN, and its rows given to `learn`; then `keep` says what is written."""

    def __init__(self) -> None:
        self._known: OrderedDict[SubscriptionDay, set[int]] = OrderedDict()

    def unknown(self, days: Iterable[SubscriptionDay]) -> dict[str, list]:
        """Parameters of KNOWN, empty where all are known."""
        missing = [day for day in dict.fromkeys(days) if day not in self._known]
        return {"subscriptions": [day[0] for day in missing], "buckets": [day[1] for day in missing]} if missing else {}

    def learn(self, asked: dict[str, list], rows: Iterable[tuple[str, datetime, str]]) -> None:
        for day in zip(asked["subscriptions"], asked["buckets"], strict=True):
            self._known[day] = set()
        for subscription, at, fingerprint in rows:
            if fingerprint != OTHER_FINGERPRINT:
                self._known[day_of(subscription, at)].add(hash(fingerprint))
        while len(self._known) > _DAYS_KEPT:
            self._known.popitem(last=False)

    def keep(self, day: SubscriptionDay, fingerprint: str) -> str:
        """The fingerprint, or OTHER where the day has as many as it may."""
        known = self._known.setdefault(day, set())
        self._known.move_to_end(day)
        if not fingerprint or hash(fingerprint) in known:
            return fingerprint
        if len(known) >= MAX_FINGERPRINTS_PER_DAY:
            return OTHER_FINGERPRINT
        known.add(hash(fingerprint))
        return fingerprint
