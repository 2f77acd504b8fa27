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

from ..models import BulkRedelivery, RolloutPolicy, SkipReason, SupersededPolicy

SAMPLED_ATTEMPTS = 200  # the newest logs of a queue that are looked at; those that wait have no duration
MIN_TIMED_ATTEMPTS = 50
_MEANS = """
SELECT subscription.id, (
    SELECT avg(timed.duration_ms) FROM (
        SELECT newest.duration_ms FROM (
            SELECT duration_ms, created_at, id FROM logs_webhooklog WHERE subscription_id = subscription.id
            ORDER BY created_at DESC, id DESC LIMIT %(sampled)s
        ) newest
        WHERE newest.duration_ms IS NOT NULL ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(timed)s
    ) timed
)::float8
FROM unnest(%(subscription_ids)s::text[]) AS subscription (id)
"""


def mean_durations(subscription_ids: Collection[str]) -> dict[str, float]:
    """In milliseconds, of the latest attempts of each subscription. Leaves out those without a timed attempt. One query."""
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"sampled": SAMPLED_ATTEMPTS, "timed": MIN_TIMED_ATTEMPTS}
        cursor.execute(_MEANS, params | {"subscription_ids": list(subscription_ids)})
        return {subscription_id: mean for subscription_id, mean in cursor.fetchall() if mean is not None}


def estimate_duration(numbers: Mapping[str, int], means: Mapping[str, float], rate: int | None) -> timedelta | None:
    """How long `numbers` logs take, by subscription: queues in parallel, one log at a time in each.

    `rate`: at most so many logs per second. None if there is no mean duration for one of the subscriptions.
    """
    if not numbers or any(subscription_id not in means for subscription_id in numbers):
        return None
    slowest = max(timedelta(milliseconds=means[pk] * number) for pk, number in numbers.items())
    return max(slowest, timedelta(seconds=sum(numbers.values()) / rate)) if rate else slowest


_IN_ANOTHER = (
    "EXISTS (SELECT FROM logs_bulkredeliveryitem other WHERE other.log_id = {log} "
    "AND other.outcome IN ('waiting', 'queued'))"
)
_ITEM_GROUPS = f"""
SELECT item.subscription_id,
    CASE WHEN item.outcome = 'planned' AND {_IN_ANOTHER.format(log="item.log_id")} THEN 'other_bulk_redelivery'
        ELSE item.skip_reason END,
    item.is_superseded, item.before_state = 'delivered', count(*), min(item.number), max(item.number)
FROM logs_bulkredeliveryitem item WHERE item.bulk_redelivery_id = %(bulk)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
# Like the repairs in `start.py`: the newest delivered event of each object, unless the bulk redelivery has it anyway.
_OBJECT_GROUPS = f"""
SELECT object.subscription_id, object.has_undelivered,
    coalesce(own.before_state = 'delivered', false),
    {_IN_ANOTHER.format(log="newest.id")} OR coalesce(own.before_state <> 'delivered', false), count(*)
FROM (
    SELECT log.subscription_id, log.object_id, bool_or(item.before_state <> 'delivered') AS has_undelivered
    FROM logs_bulkredeliveryitem item JOIN logs_webhooklog log ON log.id = item.log_id
    WHERE item.bulk_redelivery_id = %(bulk)s AND item.outcome = 'planned' AND item.is_superseded
        AND NOT {_IN_ANOTHER.format(log="item.log_id")}
    GROUP BY 1, 2
) object
CROSS JOIN LATERAL (
    SELECT id FROM logs_webhooklog log
    WHERE log.object_id = object.object_id AND log.object_id <> '' AND log.subscription_id = object.subscription_id
        AND log.state = 'delivered'
    ORDER BY log.created_at DESC, log.id DESC LIMIT 1
) newest
LEFT JOIN logs_bulkredeliveryitem own
    ON own.bulk_redelivery_id = %(bulk)s AND own.log_id = newest.id AND own.outcome = 'planned'
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class ItemGroup:
    """`count` items of one subscription that are alike. `first` and `last`: the numbers of the oldest and the newest.

    `skip_reason`: why they can't be sent, whatever is chosen; "" if they can.
    """

    subscription_id: str
    skip_reason: str
    is_superseded: bool
    was_delivered: bool
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class ObjectGroup:
    """`count` objects of one subscription that have superseded logs.

    `has_undelivered`: at least one of these logs had not been delivered. `newest_in_plan`: the newest event of each object is
    in the plan, as an event that had been delivered.
    """

    subscription_id: str
    has_undelivered: bool
    newest_in_plan: bool
    is_sent_anyway: bool
    count: int


def item_groups(bulk: BulkRedelivery) -> list[ItemGroup]:
    return [ItemGroup(*row) for row in _fetch(_ITEM_GROUPS, bulk)]


def superseded_objects(bulk: BulkRedelivery) -> list[ObjectGroup]:
    return [ObjectGroup(*row) for row in _fetch(_OBJECT_GROUPS, bulk)]


def item_times(bulk: BulkRedelivery, numbers: set[int]) -> dict[int, datetime]:
    """When the logs with these numbers were created."""
    return dict(bulk.items.filter(number__in=numbers).values_list("number", "log__created_at"))


def _fetch(statement: str, bulk: BulkRedelivery) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"bulk": bulk.pk})
        return cursor.fetchall()


@dataclass(frozen=True)
class PlanChoices:
    """What a person has chosen for a plan. `selected_subscriptions`: the selected subscriptions."""

    selected_subscriptions: Collection[str]
    superseded_policy: str = SupersededPolicy.EXCLUDE
    includes_delivered: bool = False
    rollout: str = RolloutPolicy.STAGES
    rate: int | None = None

    def exclusion_reason(self, part: ItemGroup) -> str:
        """Why these items are excluded, "" if they are sent. Reasons are checked in the same order as in `start.py`."""
        if part.skip_reason:
            return part.skip_reason
        if part.subscription_id not in self.selected_subscriptions:
            return SkipReason.NOT_SELECTED
        if part.was_delivered and not self.includes_delivered:
            return SkipReason.DELIVERED
        if part.is_superseded and self.superseded_policy == SupersededPolicy.EXCLUDE:
            return SkipReason.SUPERSEDED
        return ""

    def repairs(self, objects: ObjectGroup) -> bool:
        """Whether the newest events of these objects are sent again, after the superseded ones."""
        is_selected = objects.subscription_id in self.selected_subscriptions
        is_resent = is_selected and self.superseded_policy == SupersededPolicy.RESEND_LATEST
        is_sent = objects.is_sent_anyway or (objects.newest_in_plan and self.includes_delivered)
        return is_resent and not is_sent and (objects.has_undelivered or self.includes_delivered)


@dataclass
class QueuePlan:
    """Of one subscription: logs that were selected, could be sent, and are sent. `repairs` come on top of these.

    `oldest`: of the logs that are sent.
    """

    selected: int = 0
    possible: int = 0
    sent: int = 0
    repairs: int = 0
    oldest: datetime | None = None

    @property
    def to_send(self) -> int:
        return self.sent + self.repairs

    @property
    def excluded(self) -> int:
        return self.selected - self.sent


@dataclass(frozen=True)
class PlanPreview:
    parts: Sequence[ItemGroup]
    objects: Sequence[ObjectGroup]
    moments: dict[int, datetime]
    choices: PlanChoices
    queues: dict[str, QueuePlan] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for part in self.parts:
            self._add(part)
        for objects in filter(self.choices.repairs, self.objects):
            self.queues[objects.subscription_id].repairs += objects.count

    def _add(self, part: ItemGroup) -> None:
        queue = self.queues.setdefault(part.subscription_id, QueuePlan())
        reason = self.choices.exclusion_reason(part)
        queue.selected += part.count
        queue.possible += 0 if part.skip_reason else part.count
        queue.sent += 0 if reason else part.count
        if reason:
            self.excluded[reason] += part.count
        else:
            queue.oldest = min(filter(None, (queue.oldest, self.moments.get(part.first))), default=None)

    @property
    def selected(self) -> int:
        return sum(queue.selected for queue in self.queues.values())

    @property
    def excluded_count(self) -> int:
        return self.excluded.total()

    @property
    def total(self) -> int:
        return sum(queue.to_send for queue in self.queues.values())

    @property
    def settled(self) -> int:
        """The logs that starting it settles as superseded."""
        return self.excluded[SkipReason.SUPERSEDED]

    @property
    def repairs(self) -> int:
        return sum(queue.repairs for queue in self.queues.values())

    @property
    def sending(self) -> list[str]:
        """The subscriptions that get something."""
        return [pk for pk, queue in self.queues.items() if queue.to_send]

    @cached_property
    def oldest(self) -> datetime | None:
        return min(self._sent_moments("first"), default=None)

    @cached_property
    def newest(self) -> datetime | None:
        return max(self._sent_moments("last"), default=None)

    def _sent_moments(self, end: str) -> Iterable[datetime]:
        numbers = (getattr(part, end) for part in self.parts if not self.choices.exclusion_reason(part))
        return [self.moments[number] for number in numbers if number in self.moments]

    def stages(self, rollout: str) -> list[int]:
        """How many logs each stage sends, with stages as in `start.py`."""
        sent_by_queue = [queue.sent for queue in self.queues.values() if queue.sent]
        first = 0 if rollout == RolloutPolicy.NONE else len(sent_by_queue)
        second = sum(ceil(sent / 10) - 1 for sent in sent_by_queue) if rollout == RolloutPolicy.STAGES else 0
        return [first, second, self.total - first - second]

    # What a person can choose

    @property
    def superseded(self) -> int:
        """Logs that could be sent, and whose object has a newer event that was delivered."""
        return sum(part.count for part in self.parts if part.is_superseded and not part.skip_reason)

    @property
    def superseded_objects(self) -> int:
        return sum(group.count for group in self.objects)

    @property
    def delivered(self) -> int:
        return sum(part.count for part in self.parts if part.was_delivered and not part.skip_reason)

    def total_with(self, **choices: Any) -> int:
        """How many would be sent if this were chosen instead."""
        return PlanPreview(self.parts, self.objects, self.moments, replace(self.choices, **choices)).total


def default_queues(parts: Iterable[ItemGroup]) -> list[str]:
    """The subscriptions to which something could be sent: these are selected at first."""
    return sorted({part.subscription_id for part in parts if not part.skip_reason})


def build_preview(bulk: BulkRedelivery, choices: PlanChoices | None = None) -> PlanPreview:
    """At most three queries, however many logs the plan has. Without `choices`, uses those that the page starts with."""
    parts = item_groups(bulk)
    objects = superseded_objects(bulk) if any(part.is_superseded and not part.skip_reason for part in parts) else []
    numbers = {number for part in parts for number in (part.first, part.last)}
    return PlanPreview(parts, objects, item_times(bulk, numbers), choices or PlanChoices(default_queues(parts)))
