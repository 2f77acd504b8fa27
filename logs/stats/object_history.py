"""What became of all the events of one object, in a few figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ..models import State
from ..models.querysets import WebhookLogQuerySet

MAX_HISTORY = 10_000  # logs of one object that are read


@dataclass(frozen=True)
class ObjectHistory:
    """`first` and `last`: datetimes of events. A failed log is superseded once its subscription has delivered a newer one.

    `is_more`: there are older logs, which aren't in these figures.
    """

    total: int
    failed: int
    superseded: frozenset[str]
    first: datetime
    last: datetime
    is_more: bool = False

    @property
    def still_missing(self) -> int:
        """Failed logs whose subscription has delivered nothing newer."""
        return self.failed - len(self.superseded)


Row = tuple[str, str, str, datetime]  # id, subscription's id, state, created


def object_history(logs: WebhookLogQuerySet) -> ObjectHistory | None:
    """The figures of the logs of one object, None if there are none. One query."""
    newest = logs.newest_first().values_list("pk", "subscription_id", "state", "created_at")[: MAX_HISTORY + 1]
    rows = list(newest)
    return summarize_history(rows[:MAX_HISTORY], is_more=len(rows) > MAX_HISTORY) if rows else None


def summarize_history(newest_first: Iterable[Row], *, is_more: bool = False) -> ObjectHistory:
    """The figures of at least one row."""
    rows = list(newest_first)
    delivered: set[str] = set()
    superseded: set[str] = set()
    for pk, subscription, state, _created_at in rows:
        if state == State.DELIVERED:
            delivered.add(subscription)
        elif state == State.FAILED and subscription in delivered:
            superseded.add(pk)
    failed = sum(state == State.FAILED for _pk, _subscription, state, _created_at in rows)
    return ObjectHistory(len(rows), failed, frozenset(superseded), rows[-1][3], rows[0][3], is_more)
