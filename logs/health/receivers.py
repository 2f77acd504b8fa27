"""What a receiver does now: whether it takes what is sent to it, for those who are about to send it more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..models import Subscription
from .kinds import kinds_of, moment
from .lanes import lanes_of
from .moments import look_up
from .period import Period

RANGE = "7d"


class Reception(StrEnum):
    INACTIVE = "inactive"
    HELD = "held"
    FAILING = "failing"
    RECOVERED = "recovered"
    RECEIVING = "receiving"
    QUIET = "quiet"  # nothing was settled in this time


@dataclass(frozen=True)
class Receiver:
    """`lane`: a subscription of `with_lanes`. `failed_at` and `received_at`: of its newest log that failed, that was received."""

    lane: Any
    failed_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def reception(self) -> Reception:
        if not self.lane.is_active or not self.lane.url:
            return Reception.INACTIVE
        if self.lane.held_at is not None:
            return Reception.HELD
        if self.failed_at and (self.received_at is None or self.received_at <= self.failed_at):
            return Reception.FAILING
        if self.failed_at:
            return Reception.RECOVERED
        return Reception.RECEIVING if self.received_at else Reception.QUIET


def receivers_of(lanes: Collection[str], now: datetime) -> dict[str, Receiver]:
    """In the order of their names. Three queries."""
    found = lanes_of(Subscription.objects.filter(pk__in=lanes))
    kinds = kinds_of(Period(RANGE, now), list(found))
    failures = {pk: kinds.newest_failure(pk) for pk in found}
    successes = {pk: kinds.newest_success(pk) for pk in found}
    told = look_up([one for one in (*failures.values(), *successes.values()) if one])
    return {
        pk: Receiver(
            lane,
            failed_at=moment(told.get(failure)) if (failure := failures[pk]) else None,
            received_at=moment(told.get(success)) if (success := successes[pk]) else None,
        )
        for pk, lane in found.items()
    }
