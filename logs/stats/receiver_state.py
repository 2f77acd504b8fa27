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

from ..delivery.queue_summary import next_events_of
from ..models import Cause, Subscription
from .boundary_logs import LogLookup, LookupResult, fetch_boundary_logs
from .group_counts import FailureKinds, failure_kinds
from .period import Period


@dataclass(frozen=True)
class LastAttempts:
    """The last attempts at one receiver in a period: its last delivery, its last failure, and its last failure by cause.

    None if there was none.
    """

    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    failed_by: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def has_recovered_since(self) -> bool:
        """Whether something was delivered since its last failure."""
        return self.has_delivered_after(self.failed_at)

    def has_delivered_after(self, moment: datetime | None) -> bool:
        return bool(moment and self.delivered_at and self.delivered_at > moment)

    @property
    def is_failing(self) -> bool:
        return self.failed_at is not None and not self.has_recovered_since


# One index lookup for each cause, however many attempts there are; the cause "" means a success.
_LAST_ATTEMPTS = """
SELECT subscription.id, kind.cause, newest.started_at
FROM unnest(%(subscription_ids)s::text[]) AS subscription (id)
CROSS JOIN unnest(%(causes)s::text[]) AS kind (cause)
CROSS JOIN LATERAL (
    SELECT started_at FROM logs_attempt
    WHERE subscription_id = subscription.id AND cause = kind.cause AND started_at >= %(start)s
    ORDER BY started_at DESC LIMIT 1
) newest
"""
NO_CAUSE = ""  # of a success
BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def attempt_lookups(kinds: FailureKinds, subscription_ids: Collection[str]) -> list[LogLookup]:
    """The log lookups that `last_attempts` needs. Imported logs have no attempts of ours, so their own times count."""
    both = [*map(kinds.newest_failure, subscription_ids), *map(kinds.newest_success, subscription_ids)]
    return [lookup for lookup in both if lookup]


def last_attempts(
    period: Period, kinds: FailureKinds, subscription_ids: Collection[str], results: Mapping[LogLookup, LookupResult]
) -> dict[str, LastAttempts]:
    """The last attempts of each subscription. `results`: the results of `attempt_lookups`. One query."""
    ours = _last_of_ours(subscription_ids, [NO_CAUSE, *Cause.values], period.start)
    attempts: dict[str, LastAttempts] = {}
    for pk in subscription_ids:
        failed_by = {cause: at for cause, at in ours[pk].items() if cause != NO_CAUSE}
        failure, success = (
            _finished_at(lookup, results) for lookup in (kinds.newest_failure(pk), kinds.newest_success(pk))
        )
        attempts[pk] = LastAttempts(
            delivered_at=latest_of(ours[pk].get(NO_CAUSE), success),
            failed_at=latest_of(*failed_by.values(), failure),
            failed_by=failed_by,
        )
    return attempts


def last_failures(subscription_ids: Collection[str]) -> dict[str, datetime]:
    """The datetime of our last failed attempt at each subscription that has one. One query."""
    ours = _last_of_ours(subscription_ids, Cause.values, BEGINNING_OF_TIME)
    return {pk: max(failed_by.values()) for pk, failed_by in ours.items() if failed_by}


def last_attempt_times(subscription_ids: Collection[str]) -> list[tuple[str, list[datetime]]]:
    """The datetimes of our last attempts at each subscription, by outcome. They change with every attempt. One query."""
    ours = _last_of_ours(subscription_ids, [NO_CAUSE, *Cause.values], BEGINNING_OF_TIME)
    return [(pk, sorted(by_cause.values())) for pk, by_cause in sorted(ours.items())]


def latest_of(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)


def _finished_at(lookup: LogLookup | None, results: Mapping[LogLookup, LookupResult]) -> datetime | None:
    log = results.get(lookup) if lookup else None
    return log.finished_at if log else None


def _last_of_ours(
    subscription_ids: Collection[str], causes: Collection[str], start: datetime
) -> dict[str, dict[str, datetime]]:
    """By subscription and cause, if there are any attempts."""
    last: dict[str, dict[str, datetime]] = {pk: {} for pk in subscription_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            _LAST_ATTEMPTS, {"subscription_ids": list(subscription_ids), "causes": list(causes), "start": start}
        )
        for pk, cause, started_at in cursor.fetchall():
            last[pk][cause] = started_at
    return last


RECEIVER_RANGE = "7d"


class ReceiverState(StrEnum):
    INACTIVE = "inactive"
    PAUSED = "paused"
    FAILING = "failing"
    RECOVERED = "recovered"
    RECEIVING = "receiving"
    QUIET = "quiet"  # no attempt in this period


@dataclass(frozen=True)
class ReceiverHealth:
    """`subscription`: a subscription from `next_events_of`."""

    subscription: Any
    attempts: LastAttempts

    @property
    def state(self) -> ReceiverState:
        if not self.subscription.is_active or not self.subscription.url:
            return ReceiverState.INACTIVE
        if self.subscription.paused_at is not None:
            return ReceiverState.PAUSED
        if self.attempts.is_failing:
            return ReceiverState.FAILING
        if self.attempts.failed_at:
            return ReceiverState.RECOVERED
        return ReceiverState.RECEIVING if self.attempts.delivered_at else ReceiverState.QUIET


def receiver_health(subscription_ids: Collection[str], now: datetime) -> dict[str, ReceiverHealth]:
    """In the order of their names. Four queries."""
    subscriptions = next_events_of(Subscription.objects.filter(pk__in=subscription_ids))
    period = Period(RECEIVER_RANGE, now)
    kinds = failure_kinds(period, list(subscriptions))
    attempts = last_attempts(
        period, kinds, list(subscriptions), fetch_boundary_logs(attempt_lookups(kinds, list(subscriptions)))
    )
    return {pk: ReceiverHealth(subscription, attempts[pk]) for pk, subscription in subscriptions.items()}
