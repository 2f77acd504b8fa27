"""What a receiver does now: whether it takes what is sent to it, for those who are about to send it more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..delivery.queue_summary import heads_of
from ..models import Subscription
from .kinds import kinds_of
from .moments import look_up
from .period import Period
from .reception import LastAttempts, last_attempts, questions_about

RANGE = "7d"


class Reception(StrEnum):
    INACTIVE = "inactive"
    HELD = "held"
    FAILING = "failing"
    RECOVERED = "recovered"
    RECEIVING = "receiving"
    QUIET = "quiet"  # nothing was tried in this time


@dataclass(frozen=True)
class Receiver:
    """`lane`: a subscription of `with_heads`."""

    lane: Any
    attempts: LastAttempts

    @property
    def reception(self) -> Reception:
        if not self.lane.is_active or not self.lane.url:
            return Reception.INACTIVE
        if self.lane.held_at is not None:
            return Reception.HELD
        if self.attempts.is_failing:
            return Reception.FAILING
        if self.attempts.failed_at:
            return Reception.RECOVERED
        return Reception.RECEIVING if self.attempts.received_at else Reception.QUIET


def receivers_of(lanes: Collection[str], now: datetime) -> dict[str, Receiver]:
    """In the order of their names. Four queries."""
    found = heads_of(Subscription.objects.filter(pk__in=lanes))
    period = Period(RANGE, now)
    kinds = kinds_of(period, list(found))
    attempts = last_attempts(period, kinds, list(found), look_up(questions_about(kinds, list(found))))
    return {pk: Receiver(lane, attempts[pk]) for pk, lane in found.items()}
