"""What became of the logs of a time: by subscription, and failures by cause and fingerprint. One query, then look-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import DateTimeField, ExpressionWrapper, F, Max, Min, Q, Value

from ..db.timeouts import Count
from ..models import Cell, State
from .boundary_logs import Found, Look, Question
from .period import Period
from .queries import TOTAL

MOST_KINDS = 5000  # a receiver that says something else each time must not fill the memory
# Of a bucket.
END = ExpressionWrapper(F("bucket") + F("width") * Value(timedelta(minutes=1)), output_field=DateTimeField())
IS_SETTLED = Q(state__in=[State.FAILED, State.SUCCEEDED])


@dataclass(frozen=True)
class Kind:
    """`number` logs that are alike. They lie between the beginning of a bucket, `since`, and the end of another, `until`."""

    subscription: str
    state: str
    cause: str
    fingerprint: str
    number: int
    since: datetime
    until: datetime

    @property
    def newest(self) -> Question:
        return self._question(Look.NEWEST_FAILED)

    @property
    def oldest(self) -> Question:
        return self._question(Look.OLDEST_FAILED)

    def _question(self, look: Look) -> Question:
        return Question(look, self.subscription, self.since, self.until, self.cause, self.fingerprint)


@dataclass(frozen=True)
class Kinds:
    """All that is settled, most failures first. `is_cut`: there are more kinds of failures than are told of."""

    found: Sequence[Kind]
    is_cut: bool = False

    @cached_property
    def failures(self) -> list[Kind]:
        return [kind for kind in self.found if kind.state == State.FAILED]

    def counted(self, number: int) -> Count:
        """A number of failures or of their kinds: where they are cut, it is at least so many."""
        return Count(number, is_least=self.is_cut)

    @cached_property
    def failed_of(self) -> Counter[str]:
        """How many failed, by subscription."""
        numbers: Counter[str] = Counter()
        for kind in self.failures:
            numbers[kind.subscription] += kind.number
        return numbers

    def newest_failure(self, subscription: str) -> Question | None:
        return self._newest(Look.NEWEST_FAILED, State.FAILED, subscription)

    def newest_success(self, subscription: str) -> Question | None:
        return self._newest(Look.NEWEST_SUCCEEDED, State.SUCCEEDED, subscription)

    def _newest(self, look: Look, state: State, subscription: str) -> Question | None:
        reach = self._reaches.get((subscription, state))
        return Question(look, subscription, *reach) if reach else None

    @cached_property
    def _reaches(self) -> dict[tuple[str, str], tuple[datetime, datetime]]:
        reaches: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        for kind in self.found:
            key = kind.subscription, kind.state
            since, until = reaches.get(key, (kind.since, kind.until))
            reaches[key] = min(since, kind.since), max(until, kind.until)
        return reaches


def kinds_of(period: Period, subscriptions: Sequence[str] | None) -> Kinds:
    """Of the subscriptions, None: of every one."""
    cells = Cell.objects.filter(period.wide_buckets, IS_SETTLED).order_by()
    if subscriptions is not None:
        cells = cells.filter(subscription__in=subscriptions)
    rows = (
        cells.values_list("subscription", "state", "cause", "fingerprint")
        .annotate(n=TOTAL, since=Min("bucket"), until=Max(END))
        .filter(n__gt=0)
        .order_by("-state", "-n", "subscription", "fingerprint")  # first what succeeded, so that no success is cut off
    )
    found = [Kind(*row) for row in rows[: MOST_KINDS + 1]]
    return Kinds(found[:MOST_KINDS], is_cut=len(found) > MOST_KINDS)


def moment(found: Found | None) -> datetime | None:
    return found.created_at if found else None
