"""All lanes: those that are blocked and by what, those in which something is kept for a decision, and those that flow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from ..counting import Count
from ..lane_state import with_first_logs
from ..models import Subscription
from .lanes import blocked, is_blocked, lanes_of, oldest_waiting, waiting

PANELS = 25  # that are shown of the lanes that are blocked, and of those in which something is kept
ROWS = 50
SHOWN = (
    "pk",
    "name",
    "held_at",
    "held_log",
    "held_error",
    "held_by",
    "next_try",
    "due_count",
    "first_logs",
    "holds_when_exhausted",
    "skipped_so_far",
)
LAGS_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class LaneList:
    """Subscriptions of `lanes_of`, the most pressing first. `others`: how many Cotalker delivers, with nothing to do here."""

    now: datetime
    all_blocked: list[Any]
    all_kept: list[Any]
    flowing: list[Any]
    others: int

    @property
    def blocked(self) -> list[Any]:
        """In an order that keeps from one look to the next: on hold first, and who has waited the longest."""
        return sorted(self.all_blocked[:PANELS], key=self._by_age)

    @property
    def kept(self) -> list[Any]:
        return sorted(self.all_kept[:PANELS], key=self._by_age)

    @property
    def waiting(self) -> Count:
        """How many are due in the lanes that are blocked."""
        return waiting(*self.all_blocked)

    @property
    def oldest(self) -> datetime | None:
        return oldest_waiting(self.all_blocked)

    @property
    def companies(self) -> int:
        return len({lane.company_id for lane in self._all()})

    @property
    def mark(self) -> str:
        """Is another one as soon as the page would show something else; with each minute too, for ages go on."""
        shown = [[getattr(lane, column) for column in SHOWN] for lane in self._all()]
        state = [len(self.all_blocked), len(self.all_kept), self.others, f"{self.now:%H:%M}", shown]
        return sha256(repr(state).encode()).hexdigest()[:16]

    def _all(self) -> list[Any]:
        return [*self.all_blocked, *self.all_kept, *self.flowing]

    def _by_age(self, lane) -> tuple:
        return (lane.held_at is None, lane.held_at or lane.oldest_waiting or self.now, lane.name, lane.pk)


def lanes_visible_to(user, now: datetime) -> LaneList:
    """One query, however many lanes there are."""
    visible = Subscription.objects.visible_to(user).filter(is_placeholder=False).select_related("company")
    lanes: list[Any] = list(lanes_of(with_first_logs(visible)).values())
    kept = [lane for lane in lanes if lane.due_count and not _is_sent(lane)]
    free = [lane for lane in lanes if _is_sent(lane) and not is_blocked(lane)]
    flowing = [lane for lane in free if lane.we_deliver or lane.due_count]
    return LaneList(
        now=now,
        all_blocked=blocked(lanes),
        all_kept=sorted(kept, key=lambda lane: (-lane.due_count, lane.name)),
        flowing=sorted(flowing, key=lambda lane: (not _lags(lane, now), lane.name, lane.pk)),
        others=len(free) - len(flowing),
    )


def _is_sent(lane) -> bool:
    return lane.is_active or lane.is_draining


def _lags(lane, now: datetime) -> bool:
    """Whether something has waited in it for longer than any lane that keeps up."""
    return bool(lane.oldest_waiting and now - lane.oldest_waiting > LAGS_AFTER)
