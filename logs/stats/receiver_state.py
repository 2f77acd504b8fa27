"""What a receiver does now: whether deliveries to it succeed. Every sentence, row and warning about that uses this one answer.

It goes by attempts, not by when logs were created: an old log may be sent again now, and a new one may wait.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from ..delivery.queue_summary import heads_of
from ..models import Cause, Subscription
from .boundary_logs import LogLookup, LookupResult, fetch_boundary_logs
from .group_counts import FailureKinds, failure_kinds
from .period import Period


@dataclass(frozen=True)
class LastAttempts:
    """The last attempts at one receiver in a period: its last delivery (`received_at`), its last failure, and its last failure by
    cause. None if there was none.
    """

    received_at: datetime | None = None
    failed_at: datetime | None = None
    failed_by: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def has_recovered_since(self) -> bool:
        """Whether something was delivered since its last failure."""
        return self.has_delivered_after(self.failed_at)

    def has_delivered_after(self, moment: datetime | None) -> bool:
        return bool(moment and self.received_at and self.received_at > moment)

    @property
    def is_failing(self) -> bool:
        return self.failed_at is not None and not self.has_recovered_since


# One index lookup for each cause, however many attempts there are; the cause "" means a success.
_OURS = """
SELECT lane.id, kind.cause, newest.started_at
FROM unnest(%(lanes)s::text[]) AS lane (id) CROSS JOIN unnest(%(causes)s::text[]) AS kind (cause)
CROSS JOIN LATERAL (
    SELECT started_at FROM logs_attempt
    WHERE subscription_id = lane.id AND cause = kind.cause AND started_at >= %(start)s
    ORDER BY started_at DESC LIMIT 1
) newest
"""
DELIVERED_STATES = ""
BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def attempt_lookups(kinds: FailureKinds, lanes: Collection[str]) -> list[LogLookup]:
    """The log lookups that `last_attempts` needs. Imported logs have no attempts of ours, so their own times count."""
    both = [*map(kinds.newest_failure, lanes), *map(kinds.newest_success, lanes)]
    return [question for question in both if question]


def last_attempts(
    period: Period, kinds: FailureKinds, lanes: Collection[str], told: Mapping[LogLookup, LookupResult]
) -> dict[str, LastAttempts]:
    """The last attempts of each subscription. `told`: the results of `attempt_lookups`. One query."""
    ours = _last_of_ours(lanes, [DELIVERED_STATES, *Cause.values], period.start)
    found: dict[str, LastAttempts] = {}
    for lane in lanes:
        failed_by = {cause: at for cause, at in ours[lane].items() if cause != DELIVERED_STATES}
        failure, success = (_settled_at(one, told) for one in (kinds.newest_failure(lane), kinds.newest_success(lane)))
        found[lane] = LastAttempts(
            received_at=latest_of(ours[lane].get(DELIVERED_STATES), success),
            failed_at=latest_of(*failed_by.values(), failure),
            failed_by=failed_by,
        )
    return found


def last_failures(lanes: Collection[str]) -> dict[str, datetime]:
    """The datetime of our last failed attempt at each subscription that has one. One query."""
    ours = _last_of_ours(lanes, Cause.values, BEGINNING_OF_TIME)
    return {lane: max(failed_by.values()) for lane, failed_by in ours.items() if failed_by}


def latest_of(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)


def _settled_at(question: LogLookup | None, told: Mapping[LogLookup, LookupResult]) -> datetime | None:
    log = told.get(question) if question else None
    return log.settled_at if log else None


def _last_of_ours(lanes: Collection[str], causes: Collection[str], start: datetime) -> dict[str, dict[str, datetime]]:
    """By subscription and cause, if there are any attempts."""
    found: dict[str, dict[str, datetime]] = {lane: {} for lane in lanes}
    with connection.cursor() as cursor:
        cursor.execute(_OURS, {"lanes": list(lanes), "causes": list(causes), "start": start})
        for lane, cause, started_at in cursor.fetchall():
            found[lane][cause] = started_at
    return found


RECEIVER_RANGE = "7d"


class ReceiverState(StrEnum):
    INACTIVE = "inactive"
    HELD = "held"
    FAILING = "failing"
    RECOVERED = "recovered"
    RECEIVING = "receiving"
    QUIET = "quiet"  # no attempt in this period


@dataclass(frozen=True)
class ReceiverHealth:
    """`lane`: a subscription from `heads_of`."""

    lane: Any
    attempts: LastAttempts

    @property
    def reception(self) -> ReceiverState:
        if not self.lane.is_active or not self.lane.url:
            return ReceiverState.INACTIVE
        if self.lane.held_at is not None:
            return ReceiverState.HELD
        if self.attempts.is_failing:
            return ReceiverState.FAILING
        if self.attempts.failed_at:
            return ReceiverState.RECOVERED
        return ReceiverState.RECEIVING if self.attempts.received_at else ReceiverState.QUIET


def receiver_health(lanes: Collection[str], now: datetime) -> dict[str, ReceiverHealth]:
    """In the order of their names. Four queries."""
    found = heads_of(Subscription.objects.filter(pk__in=lanes))
    period = Period(RECEIVER_RANGE, now)
    kinds = failure_kinds(period, list(found))
    attempts = last_attempts(period, kinds, list(found), fetch_boundary_logs(attempt_lookups(kinds, list(found))))
    return {pk: ReceiverHealth(lane, attempts[pk]) for pk, lane in found.items()}
