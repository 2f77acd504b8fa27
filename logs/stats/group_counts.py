"""What became of the logs of a period: by subscription, and failures by cause and fingerprint. One query, then lookups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import DateTimeField, ExpressionWrapper, F, Max, Min, Q, Value

from ..db.timeouts import BoundedCount
from ..models import LogCount, State
from .boundary_logs import LogLookup, LookupKind, LookupResult
from .period import Period
from .queries import TOTAL_WIDTH

MAX_FAILURE_KINDS = 5000  # a receiver whose responses always differ must not fill the memory
# The end of a bucket.
END_OF_TIME = ExpressionWrapper(F("bucket") + F("width") * Value(timedelta(minutes=1)), output_field=DateTimeField())
IS_DELIVERED_OR_FAILED = Q(state__in=[State.FAILED, State.DELIVERED])


@dataclass(frozen=True)
class FailureKind:
    """`number` logs with the same values. They lie between the start of a bucket, `since`, and the end of another, `until`."""

    subscription: str
    state: str
    cause: str
    fingerprint: str
    number: int
    since: datetime
    until: datetime

    @property
    def newest(self) -> LogLookup:
        return self._lookup(LookupKind.NEWEST_FAILED)

    @property
    def oldest(self) -> LogLookup:
        return self._lookup(LookupKind.OLDEST_FAILED)

    def _lookup(self, kind: LookupKind) -> LogLookup:
        return LogLookup(kind, self.subscription, self.since, self.until, self.cause, self.fingerprint)


@dataclass(frozen=True)
class FailureKinds:
    """All delivered and failed logs, most failures first. `is_cut`: there are more failure groups than these."""

    kinds: Sequence[FailureKind]
    is_cut: bool = False

    @cached_property
    def failures(self) -> list[FailureKind]:
        return [kind for kind in self.kinds if kind.state == State.FAILED]

    def counted(self, number: int) -> BoundedCount:
        """A number of failures or failure groups: "at least" if they were cut."""
        return BoundedCount(number, is_least=self.is_cut)

    @cached_property
    def failed_of(self) -> Counter[str]:
        """How many failed, by subscription."""
        numbers: Counter[str] = Counter()
        for kind in self.failures:
            numbers[kind.subscription] += kind.number
        return numbers

    def newest_failure(self, subscription: str) -> LogLookup | None:
        return self._newest(LookupKind.NEWEST_FAILED, State.FAILED, subscription)

    def newest_success(self, subscription: str) -> LogLookup | None:
        return self._newest(LookupKind.NEWEST_DELIVERED, State.DELIVERED, subscription)

    def _newest(self, kind: LookupKind, state: State, subscription: str) -> LogLookup | None:
        reach = self._reaches.get((subscription, state))
        return LogLookup(kind, subscription, *reach) if reach else None

    @cached_property
    def _reaches(self) -> dict[tuple[str, str], tuple[datetime, datetime]]:
        reaches: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        for kind in self.kinds:
            key = kind.subscription, kind.state
            since, until = reaches.get(key, (kind.since, kind.until))
            reaches[key] = min(since, kind.since), max(until, kind.until)
        return reaches


def failure_kinds(period: Period, subscriptions: Sequence[str] | None) -> FailureKinds:
    """For these subscriptions; None means all."""
    counts = LogCount.objects.filter(period.wide_buckets, IS_DELIVERED_OR_FAILED).order_by()
    if subscriptions is not None:
        counts = counts.filter(subscription__in=subscriptions)
    rows = (
        counts.values_list("subscription", "state", "cause", "fingerprint")
        .annotate(n=TOTAL_WIDTH, since=Min("bucket"), until=Max(END_OF_TIME))
        .filter(n__gt=0)
        .order_by("state", "-n", "subscription", "fingerprint")  # delivered logs first, so that none is cut off
    )
    kinds = [FailureKind(*row) for row in rows[: MAX_FAILURE_KINDS + 1]]
    return FailureKinds(kinds[:MAX_FAILURE_KINDS], is_cut=len(kinds) > MAX_FAILURE_KINDS)


def created_at_of(log: LookupResult | None) -> datetime | None:
    return log.created_at if log else None
