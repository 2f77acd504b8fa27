"""Limits how many fingerprints the failures of a subscription may have in a day.

A receiver that answers differently each time must not fill the log counts: they have a row for each fingerprint, in each width
of bucket.

Each process counts by itself. It starts from the log counts when it first meets a subscription and a day. So two processes at
once, such as a worker and an import, may exceed the limit by a few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime

MAX_FINGERPRINTS_PER_DAY = 100
OTHER_FINGERPRINT = "{other}"  # stands for all further ones
_DAYS_KEPT = 5_000  # of subscriptions; each has a set of at most MAX_FINGERPRINTS_PER_DAY numbers

SubscriptionDay = tuple[str, datetime]  # a subscription, and the start of a day in UTC
# Leaves out the differences that aren't added up yet: with them it would be exact, but slow. They lag by seconds, once per day.
KNOWN_FINGERPRINTS_SQL = """
SELECT DISTINCT cell.subscription_id, cell.bucket, cell.fingerprint
FROM logs_compactedlogcount cell JOIN unnest(%(subscriptions)s::text[], %(buckets)s::timestamptz[]) AS day (subscription, bucket)
    ON cell.subscription_id = day.subscription AND cell.bucket = day.bucket
WHERE cell.width = 1440 AND cell.count > 0 AND cell.fingerprint <> ''
"""


def day_of(subscription: str, at: datetime) -> SubscriptionDay:
    return subscription, at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class DailyFingerprints:
    """Look up the `unknown` days with KNOWN_FINGERPRINTS_SQL, and give its rows to `learn`. Then `keep` returns what to write."""

    def __init__(self) -> None:
        self._known: OrderedDict[SubscriptionDay, set[int]] = OrderedDict()

    def unknown(self, days: Iterable[SubscriptionDay]) -> dict[str, list]:
        """Return the parameters of KNOWN_FINGERPRINTS_SQL; empty if all days are known."""
        missing = [day for day in dict.fromkeys(days) if day not in self._known]
        return {"subscriptions": [day[0] for day in missing], "buckets": [day[1] for day in missing]} if missing else {}

    def learn(self, parameters: dict[str, list], rows: Iterable[tuple[str, datetime, str]]) -> None:
        for day in zip(parameters["subscriptions"], parameters["buckets"], strict=True):
            self._known[day] = set()
        for subscription, at, fingerprint in rows:
            if fingerprint != OTHER_FINGERPRINT:
                self._known[day_of(subscription, at)].add(hash(fingerprint))
        while len(self._known) > _DAYS_KEPT:
            self._known.popitem(last=False)

    def keep(self, day: SubscriptionDay, fingerprint: str) -> str:
        """Return the fingerprint, or OTHER_FINGERPRINT if the day has reached its limit."""
        known = self._known.setdefault(day, set())
        self._known.move_to_end(day)
        if not fingerprint or hash(fingerprint) in known:
            return fingerprint
        if len(known) >= MAX_FINGERPRINTS_PER_DAY:
            return OTHER_FINGERPRINT
        known.add(hash(fingerprint))
        return fingerprint
