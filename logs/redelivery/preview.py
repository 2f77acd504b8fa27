"""Previews a plan: what it would send with a person's choices, and how long that would take.

The items of the plan are counted once, in groups of items that are treated alike whatever the choices are. From these
groups follows how many logs each subscription gets, what is excluded, and what goes first. The duration is estimated
from the receivers' latest response times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from math import ceil
from typing import Any

from django.db import connection

from ..models import RolloutPolicy, Run, SkipReason, SupersededPolicy

SAMPLED_ATTEMPTS = 200  # the newest logs of a queue that are looked at; those that wait have no duration
MIN_TIMED_ATTEMPTS = 50
_MEANS = """
SELECT lane.id, (
    SELECT avg(timed.duration_ms) FROM (
        SELECT newest.duration_ms FROM (
            SELECT duration_ms, created_at, id FROM logs_webhooklog WHERE subscription_id = lane.id
            ORDER BY created_at DESC, id DESC LIMIT %(looked_at)s
        ) newest
        WHERE newest.duration_ms IS NOT NULL ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(timed)s
    ) timed
)::float8
FROM unnest(%(lanes)s::text[]) AS lane (id)
"""


def mean_durations(lanes: Collection[str]) -> dict[str, float]:
    """In milliseconds, of the latest attempts of each subscription. Leaves out those without a timed attempt. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MEANS, {"lanes": list(lanes), "looked_at": SAMPLED_ATTEMPTS, "timed": MIN_TIMED_ATTEMPTS})
        return {lane: mean for lane, mean in cursor.fetchall() if mean is not None}


def estimate_duration(numbers: Mapping[str, int], means: Mapping[str, float], rate: int | None) -> timedelta | None:
    """How long `numbers` logs take, by subscription: queues in parallel, one log at a time in each.

    `rate`: at most so many logs per second. None if there is no mean duration for one of the subscriptions.
    """
    if not numbers or any(lane not in means for lane in numbers):
        return None
    slowest = max(timedelta(milliseconds=means[lane] * number) for lane, number in numbers.items())
    return max(slowest, timedelta(seconds=sum(numbers.values()) / rate)) if rate else slowest


_IN_ANOTHER = (
    "EXISTS (SELECT FROM logs_runentry other WHERE other.log_id = {log} AND other.outcome IN ('waiting', 'queued'))"
)
_PARTS = f"""
SELECT entry.subscription_id,
    CASE WHEN entry.outcome = 'planned' AND {_IN_ANOTHER.format(log="entry.log_id")} THEN 'other_run' ELSE entry.why END,
    entry.is_stale, entry.before_state = 'succeeded', count(*), min(entry.number), max(entry.number)
FROM logs_runentry entry WHERE entry.run_id = %(run)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
# Like the repairs in `start.py`: the newest delivered event of each object, unless the bulk redelivery has it anyway.
_OBJECTS = f"""
SELECT object.subscription_id, object.is_wanted,
    coalesce(own.before_state = 'succeeded', false),
    {_IN_ANOTHER.format(log="newest.id")} OR coalesce(own.before_state <> 'succeeded', false), count(*)
FROM (
    SELECT log.subscription_id, log.object_id, bool_or(entry.before_state <> 'succeeded') AS is_wanted
    FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'planned' AND entry.is_stale
        AND NOT {_IN_ANOTHER.format(log="entry.log_id")}
    GROUP BY 1, 2
) object
CROSS JOIN LATERAL (
    SELECT id FROM logs_webhooklog log
    WHERE log.object_id = object.object_id AND log.object_id <> '' AND log.subscription_id = object.subscription_id
        AND log.state = 'succeeded'
    ORDER BY log.created_at DESC, log.id DESC LIMIT 1
) newest
LEFT JOIN logs_runentry own ON own.run_id = %(run)s AND own.log_id = newest.id AND own.outcome = 'planned'
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class ItemGroup:
    """`count` items of one subscription that are alike. `first` and `last`: the numbers of the oldest and the newest.

    `why`: why they can't be sent, whatever is chosen; "" if they can.
    """

    lane: str
    why: str
    is_stale: bool
    was_received: bool
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class ObjectGroup:
    """`count` objects of one subscription that have superseded logs.

    `is_wanted`: at least one of these logs had not been delivered. `newest_in_plan`: the newest event of each object is in
    the plan, as an event that had been delivered.
    """

    lane: str
    is_wanted: bool
    newest_in_plan: bool
    is_sent_anyway: bool
    count: int


def item_groups(run: Run) -> list[ItemGroup]:
    return [ItemGroup(*row) for row in _ask(_PARTS, run)]


def superseded_objects(run: Run) -> list[ObjectGroup]:
    return [ObjectGroup(*row) for row in _ask(_OBJECTS, run)]


def item_times(run: Run, numbers: set[int]) -> dict[int, datetime]:
    """When the logs with these numbers were created."""
    return dict(run.entries.filter(number__in=numbers).values_list("number", "log__created_at"))


def _ask(statement: str, run: Run) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"run": run.pk})
        return cursor.fetchall()


@dataclass(frozen=True)
class PlanChoices:
    """What a person has chosen for a plan. `lanes`: the selected subscriptions."""

    lanes: Collection[str]
    stale: str = SupersededPolicy.LEAVE
    sends_received: bool = False
    canary: str = RolloutPolicy.STEPS
    rate: int | None = None

    def why_not(self, part: ItemGroup) -> str:
        """Why these items are excluded, "" if they are sent. Reasons are checked in the same order as in `start.py`."""
        if part.why:
            return part.why
        if part.lane not in self.lanes:
            return SkipReason.NOT_CHOSEN
        if part.was_received and not self.sends_received:
            return SkipReason.RECEIVED
        if part.is_stale and self.stale == SupersededPolicy.LEAVE:
            return SkipReason.STALE
        return ""

    def repairs(self, objects: ObjectGroup) -> bool:
        """Whether the newest events of these objects are sent again, after the superseded ones."""
        is_asked = self.stale == SupersededPolicy.REPAIR and objects.lane in self.lanes
        is_sent = objects.is_sent_anyway or (objects.newest_in_plan and self.sends_received)
        return is_asked and not is_sent and (objects.is_wanted or self.sends_received)


@dataclass
class QueuePlan:
    """Of one subscription: logs that were selected, could be sent, and are sent. `repairs` come on top of these."""

    asked: int = 0
    possible: int = 0
    sent: int = 0
    repairs: int = 0
    oldest: datetime | None = None

    @property
    def to_send(self) -> int:
        return self.sent + self.repairs

    @property
    def left_out(self) -> int:
        return self.asked - self.sent


@dataclass(frozen=True)
class PlanPreview:
    parts: Sequence[ItemGroup]
    objects: Sequence[ObjectGroup]
    moments: dict[int, datetime]
    choices: PlanChoices
    lanes: dict[str, QueuePlan] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for part in self.parts:
            self._add(part)
        for objects in filter(self.choices.repairs, self.objects):
            self.lanes[objects.lane].repairs += objects.count

    def _add(self, part: ItemGroup) -> None:
        lane, why = self.lanes.setdefault(part.lane, QueuePlan()), self.choices.why_not(part)
        lane.asked += part.count
        lane.possible += 0 if part.why else part.count
        lane.sent += 0 if why else part.count
        lane.oldest = min(filter(None, (lane.oldest, self.moments.get(part.first))), default=None)
        if why:
            self.left_out[why] += part.count

    @property
    def asked(self) -> int:
        return sum(lane.asked for lane in self.lanes.values())

    @property
    def excluded_count(self) -> int:
        return self.left_out.total()

    @property
    def total(self) -> int:
        return sum(lane.to_send for lane in self.lanes.values())

    @property
    def sending(self) -> list[str]:
        """The subscriptions that get something."""
        return [pk for pk, lane in self.lanes.items() if lane.to_send]

    @cached_property
    def oldest(self) -> datetime | None:
        return min(self._sent_moments("first"), default=None)

    @cached_property
    def newest(self) -> datetime | None:
        return max(self._sent_moments("last"), default=None)

    def _sent_moments(self, end: str) -> Iterable[datetime]:
        numbers = (getattr(part, end) for part in self.parts if not self.choices.why_not(part))
        return [self.moments[number] for number in numbers if number in self.moments]

    def steps(self, canary: str) -> list[int]:
        """How many logs each stage sends, with stages as in `start.py`."""
        lanes = [lane.sent for lane in self.lanes.values() if lane.sent]
        first = 0 if canary == RolloutPolicy.NONE else len(lanes)
        second = sum(ceil(sent / 10) - 1 for sent in lanes) if canary == RolloutPolicy.STEPS else 0
        return [first, second, self.total - first - second]

    # What a person can choose

    @property
    def stale(self) -> int:
        """Logs that could be sent, and whose object has a newer event that was delivered."""
        return sum(part.count for part in self.parts if part.is_stale and not part.why)

    @property
    def stale_objects(self) -> int:
        return sum(one.count for one in self.objects)

    @property
    def received(self) -> int:
        return sum(part.count for part in self.parts if part.was_received and not part.why)

    def total_with(self, **choices: Any) -> int:
        """How many would be sent if this were chosen instead."""
        return PlanPreview(self.parts, self.objects, self.moments, replace(self.choices, **choices)).total


def default_queues(parts: Iterable[ItemGroup]) -> list[str]:
    """The subscriptions to which something could be sent: these are selected at first."""
    return sorted({part.lane for part in parts if not part.why})


def build_preview(run: Run, choices: PlanChoices | None = None) -> PlanPreview:
    """At most three queries, however many logs the plan has. Without `choices`, uses those that the page starts with."""
    parts = item_groups(run)
    objects = superseded_objects(run) if any(part.is_stale and not part.why for part in parts) else []
    numbers = {number for part in parts for number in (part.first, part.last)}
    return PlanPreview(parts, objects, item_times(run, numbers), choices or PlanChoices(default_queues(parts)))
