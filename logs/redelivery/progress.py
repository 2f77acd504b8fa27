"""Progress of a bulk redelivery: the outcomes of its logs, by subscription, by stage of the canary, and by cause.

Also how fast it sends, and how long it will still take. Both are measured over the last minute, and unknown if that
minute says too little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q

from ..models import (
    FAILURE_WINDOW,
    FIRST_STAGE,
    LAST_STAGE,
    BulkRedelivery,
    BulkRedeliveryItem,
    BulkRedeliveryState,
    ItemOutcome,
    RolloutPolicy,
    SkipReason,
)

TOP_CAUSES = 20  # failure groups; the results have all of them
_RETRYING = Count("pk", filter=Q(outcome=ItemOutcome.QUEUED, attempt_number__isnull=False))


@dataclass
class ItemCounts:
    """Of a bulk redelivery, or a part of it. `began`: when the first item was queued. `ended`: when the last one finished.

    `retrying`: of the queued items, those that were sent and have another attempt.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    retrying: int = 0
    began: datetime | None = None
    ended: datetime | None = None

    def add(
        self,
        outcome: str,
        number: int,
        retrying: int,
        began: datetime | None = None,
        ended: datetime | None = None,
    ) -> None:
        self.outcomes[outcome] += number
        self.retrying += retrying
        self.began = min(filter(None, (self.began, began)), default=None)
        self.ended = max(filter(None, (self.ended, ended)), default=None)

    @property
    def delivered(self) -> int:
        return self.outcomes[ItemOutcome.DELIVERED]

    @property
    def failed(self) -> int:
        return self.outcomes[ItemOutcome.FAILED]

    @property
    def skipped(self) -> int:
        return self.outcomes[ItemOutcome.SKIPPED]

    @property
    def queued(self) -> int:
        return self.outcomes[ItemOutcome.QUEUED]

    @property
    def to_go(self) -> int:
        return self.outcomes[ItemOutcome.WAITING] + self.queued

    @property
    def planned(self) -> int:
        """In a plan: the logs that could be sent."""
        return self.outcomes[ItemOutcome.PLANNED]

    @property
    def excluded(self) -> int:
        """Excluded by the plan; `total` doesn't include them."""
        return self.outcomes[ItemOutcome.EXCLUDED]

    @property
    def selected(self) -> int:
        """All logs that the plan has."""
        return self.planned + self.excluded + self.total

    @property
    def sent(self) -> int:
        """At least one attempt was made; skipped logs aren't included."""
        return self.delivered + self.failed + self.retrying

    @property
    def not_delivered(self) -> int:
        return self.failed + self.skipped

    @property
    def finished(self) -> int:
        return self.delivered + self.failed + self.skipped

    @property
    def total(self) -> int:
        return self.finished + self.to_go

    @property
    def percent(self) -> int:
        """Of the logs, how many were sent. Rounded down: 100 means all."""
        return self.sent * 100 // self.total if self.total else 100


@dataclass(frozen=True)
class StageProgress:
    """A stage of the canary: `number` 1 to 3. `state`: passed, failed, done, running, paused, waiting or stopped."""

    number: int
    numbers: ItemCounts
    state: str


@dataclass(frozen=True)
class FailureCause:
    """`number` failures of a bulk redelivery that are alike."""

    subscription_id: str
    cause: str
    fingerprint: str
    number: int


@dataclass(frozen=True)
class BulkProgress:
    all: ItemCounts
    subscriptions: dict[str, ItemCounts]
    stages: dict[int, ItemCounts]
    excluded: Counter[str]
    skipped: Counter[str]


def progress_of(bulk: BulkRedelivery) -> BulkProgress:
    """One query, which reads every item of the bulk redelivery."""
    progress = BulkProgress(ItemCounts(), {}, {}, Counter(), Counter())
    groups = bulk.items.order_by().values_list("subscription", "stage", "outcome", "skip_reason")
    counted = groups.annotate(n=Count("pk"), again=_RETRYING, began=Min("queued_at"), ended=Max("finished_at"))
    for subscription_id, stage, outcome, skip_reason, number, retrying, began, ended in counted:
        progress.all.add(outcome, number, retrying, began, ended)
        if outcome == ItemOutcome.EXCLUDED:
            progress.excluded[skip_reason] += number
            continue
        progress.subscriptions.setdefault(subscription_id, ItemCounts()).add(outcome, number, retrying, began, ended)
        progress.stages.setdefault(stage, ItemCounts()).add(outcome, number, retrying, began, ended)
        if outcome == ItemOutcome.SKIPPED:
            progress.skipped[skip_reason] += number
    return progress


def stages_of(bulk: BulkRedelivery, progress: BulkProgress) -> list[StageProgress]:
    """The stages that have logs; none if the bulk redelivery has no canary."""
    if bulk.rollout == RolloutPolicy.NONE:
        return []
    return [
        StageProgress(number, numbers, _state(bulk, number, numbers))
        for number, numbers in sorted(progress.stages.items())
    ]


def _state(bulk: BulkRedelivery, number: int, numbers: ItemCounts) -> str:
    if not numbers.to_go:
        if bulk.state == BulkRedeliveryState.STOPPED and numbers.skipped:
            return "stopped"
        if number == LAST_STAGE:
            return "done"
        return "failed" if numbers.failed else "passed"
    if number > max(bulk.stage, FIRST_STAGE):
        return "waiting"
    return "paused" if bulk.is_paused else "running"


def failure_causes(bulk: BulkRedelivery) -> list[FailureCause]:
    """The failures of the bulk redelivery, most frequent first. One query."""
    failed = bulk.items.filter(outcome=ItemOutcome.FAILED).order_by()
    counted = failed.values_list("subscription", "cause", "fingerprint").annotate(n=Count("pk"))
    return [FailureCause(*row) for row in counted.order_by("-n", "subscription", "cause", "fingerprint")[:TOP_CAUSES]]


def count_items(bulk_redeliveries: Sequence[BulkRedelivery]) -> dict[int, ItemCounts]:
    """By id of the bulk redelivery, in the given order. One query for all of them; none if `bulk_redeliveries` is empty."""
    counts = {bulk.pk: ItemCounts() for bulk in bulk_redeliveries}
    items = BulkRedeliveryItem.objects.filter(bulk_redelivery__in=counts).order_by()
    counted = items.values_list("bulk_redelivery", "outcome").annotate(n=Count("pk"), again=_RETRYING)
    for pk, outcome, number, retrying in counted:
        counts[pk].add(outcome, number, retrying)
    return counts


def reason_counts(reasons: Counter[str]) -> Iterable[tuple[str, str, int]]:
    """Why logs were excluded or skipped: each reason, its label, and how many; most frequent first."""
    labels = dict(SkipReason.choices)
    return [(reason, str(labels.get(reason, reason)), number) for reason, number in reasons.most_common()]


THROUGHPUT_WINDOW = timedelta(minutes=1)
MIN_MEASURED = timedelta(seconds=3)  # a shorter time says too little


@dataclass(frozen=True)
class Throughput:
    """`rate`: logs per second; None if unknown. `left`: the time until the end if nothing changes; None if unknown."""

    rate: float | None = None
    left: timedelta | None = None


def throughput_of(bulk: BulkRedelivery, subscriptions: Mapping[str, ItemCounts], now: datetime) -> Throughput:
    """Both values are None unless it is running. One query."""
    begun = max(filter(None, (now - THROUGHPUT_WINDOW, bulk.failures_counted_from)))
    if not bulk.is_running or now - begun < MIN_MEASURED:
        return Throughput()
    finished = bulk.items.filter(
        finished_at__gte=begun, outcome__in=[ItemOutcome.DELIVERED, ItemOutcome.FAILED]
    ).order_by()
    counts = dict(finished.values_list("subscription").annotate(n=Count("pk")))
    seconds = (now - begun).total_seconds()
    rate = sum(counts.values()) / seconds
    return Throughput(rate or None, _left(bulk, subscriptions, counts, seconds))


def _left(
    bulk: BulkRedelivery, subscriptions: Mapping[str, ItemCounts], counts: Mapping[str, int], seconds: float
) -> timedelta | None:
    """Queues run in parallel, so the slowest one decides. During the canary, the time for the rest is unknown."""
    to_go = {pk: numbers.to_go for pk, numbers in subscriptions.items() if numbers.to_go}
    if bulk.stage < LAST_STAGE or not to_go or any(not counts.get(pk) for pk in to_go):
        return None
    return timedelta(seconds=max(number * seconds / counts[pk] for pk, number in to_go.items()))


def recent_failures(bulk: BulkRedelivery) -> tuple[int, int]:
    """How many failed, of how many: the last logs since a person started or resumed it, as in `dispatcher.py`. One query."""
    finished = bulk.items.filter(
        finished_at__gte=bulk.failures_counted_from, outcome__in=[ItemOutcome.DELIVERED, ItemOutcome.FAILED]
    )
    last = list(finished.order_by("-finished_at").values_list("outcome", flat=True)[:FAILURE_WINDOW])
    return last.count(ItemOutcome.FAILED), len(last)
