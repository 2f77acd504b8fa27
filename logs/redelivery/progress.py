"""Progress of a bulk redelivery: the outcomes of its logs, by subscription, by stage of the canary, and by cause.

Also how fast it sends, and how long it will still take. Both are measured over the last minute, and unknown if that
minute says too little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from ..models import (
    FAILURE_WINDOW,
    FIRST_STAGE,
    LAST_STAGE,
    BulkRedeliveryState,
    ItemOutcome,
    RolloutPolicy,
    Run,
    RunEntry,
    SkipReason,
)

TOP_CAUSES = 20  # failure groups; the results have all of them


@dataclass
class ItemCounts:
    """Of a bulk redelivery, or a part of it. `began`: when the first item was queued. `ended`: when the last one finished."""

    outcomes: Counter[str] = field(default_factory=Counter)
    began: datetime | None = None
    ended: datetime | None = None

    def add(self, outcome: str, number: int, began: datetime | None = None, ended: datetime | None = None) -> None:
        self.outcomes[outcome] += number
        self.began = min(filter(None, (self.began, began)), default=None)
        self.ended = max(filter(None, (self.ended, ended)), default=None)

    @property
    def delivered(self) -> int:
        return self.outcomes[ItemOutcome.SUCCEEDED]

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
    def left_out(self) -> int:
        """Excluded by the plan; `total` doesn't include them."""
        return self.outcomes[ItemOutcome.LEFT_OUT]

    @property
    def sent(self) -> int:
        return self.delivered + self.failed

    @property
    def not_delivered(self) -> int:
        return self.failed + self.skipped

    @property
    def settled(self) -> int:
        return self.sent + self.skipped

    @property
    def total(self) -> int:
        return self.settled + self.to_go

    @property
    def percent(self) -> int:
        """Rounded down: 100 means all."""
        return self.settled * 100 // self.total if self.total else 100


@dataclass(frozen=True)
class StageProgress:
    """A stage of the canary: `number` 1 to 3. `state`: passed, failed, done, running, paused, waiting or stopped."""

    number: int
    numbers: ItemCounts
    state: str


@dataclass(frozen=True)
class FailureCause:
    """`number` failures of a bulk redelivery that are alike."""

    lane: str
    cause: str
    fingerprint: str
    number: int


@dataclass(frozen=True)
class BulkProgress:
    all: ItemCounts
    lanes: dict[str, ItemCounts]
    steps: dict[int, ItemCounts]
    left_out: Counter[str]
    skipped: Counter[str]


def progress_of(run: Run) -> BulkProgress:
    """One query, which reads every item of the bulk redelivery."""
    progress = BulkProgress(ItemCounts(), {}, {}, Counter(), Counter())
    groups = run.entries.order_by().values_list("subscription", "step", "outcome", "why")
    counted = groups.annotate(n=Count("pk"), began=Min("queued_at"), ended=Max("settled_at"))
    for lane, step, outcome, why, number, began, ended in counted:
        progress.all.add(outcome, number, began, ended)
        if outcome == ItemOutcome.LEFT_OUT:
            progress.left_out[why] += number
            continue
        progress.lanes.setdefault(lane, ItemCounts()).add(outcome, number, began, ended)
        progress.steps.setdefault(step, ItemCounts()).add(outcome, number, began, ended)
        if outcome == ItemOutcome.SKIPPED:
            progress.skipped[why] += number
    return progress


def stages_of(run: Run, progress: BulkProgress) -> list[StageProgress]:
    """The stages that have logs; none if the bulk redelivery has no canary."""
    if run.canary == RolloutPolicy.NONE:
        return []
    return [
        StageProgress(number, numbers, _state(run, number, numbers))
        for number, numbers in sorted(progress.steps.items())
    ]


def _state(run: Run, number: int, numbers: ItemCounts) -> str:
    if not numbers.to_go:
        if run.state == BulkRedeliveryState.STOPPED and numbers.skipped:
            return "stopped"
        if number == LAST_STAGE:
            return "done"
        return "failed" if numbers.failed else "passed"
    if number > max(run.step, FIRST_STAGE):
        return "waiting"
    return "paused" if run.is_paused else "running"


def failure_causes(run: Run) -> list[FailureCause]:
    """The failures of the bulk redelivery, most frequent first. One query."""
    failed = run.entries.filter(outcome=ItemOutcome.FAILED).order_by()
    counted = failed.values_list("subscription", "cause", "fingerprint").annotate(n=Count("pk"))
    return [FailureCause(*row) for row in counted.order_by("-n", "subscription", "cause", "fingerprint")[:TOP_CAUSES]]


def count_items(runs: Sequence[Run]) -> dict[int, ItemCounts]:
    """By id of the bulk redelivery, in the given order. One query for all of them; none if `runs` is empty."""
    found = {run.pk: ItemCounts() for run in runs}
    counted = RunEntry.objects.filter(run__in=found).order_by().values_list("run", "outcome").annotate(n=Count("pk"))
    for run, outcome, number in counted:
        found[run].add(outcome, number)
    return found


def reason_counts(reasons: Counter[str]) -> Iterable[tuple[str, str, int]]:
    """Why logs were excluded or skipped: each reason, its label, and how many; most frequent first."""
    labels = dict(SkipReason.choices)
    return [(why, str(labels.get(why, why)), number) for why, number in reasons.most_common()]


THROUGHPUT_WINDOW = timedelta(minutes=1)
MIN_MEASURED = timedelta(seconds=3)  # a shorter time says too little


@dataclass(frozen=True)
class Throughput:
    """`rate`: logs per second; None if unknown. `left`: the time until the end if nothing changes; None if unknown."""

    rate: float | None = None
    left: timedelta | None = None


def throughput_of(run: Run, lanes: Mapping[str, ItemCounts], now: datetime) -> Throughput:
    """Both values are None unless it is running. One query."""
    begun = max(filter(None, (now - THROUGHPUT_WINDOW, run.judged_from)))
    if not run.is_running or now - begun < MIN_MEASURED:
        return Throughput()
    settled = run.entries.filter(
        settled_at__gte=begun, outcome__in=[ItemOutcome.SUCCEEDED, ItemOutcome.FAILED]
    ).order_by()
    counts = dict(settled.values_list("subscription").annotate(n=Count("pk")))
    seconds = (now - begun).total_seconds()
    rate = sum(counts.values()) / seconds
    return Throughput(rate or None, _left(run, lanes, counts, seconds))


def _left(run: Run, lanes: Mapping[str, ItemCounts], counts: Mapping[str, int], seconds: float) -> timedelta | None:
    """Queues run in parallel, so the slowest one decides. During the canary, the time for the rest is unknown."""
    to_go = {lane: numbers.to_go for lane, numbers in lanes.items() if numbers.to_go}
    if run.step < LAST_STAGE or not to_go or any(not counts.get(lane) for lane in to_go):
        return None
    return timedelta(seconds=max(number * seconds / counts[lane] for lane, number in to_go.items()))


def recent_failures(run: Run) -> tuple[int, int]:
    """How many failed, of how many: the last logs since a person started or resumed it, as in `dispatcher.py`. One query."""
    settled = run.entries.filter(
        settled_at__gte=run.judged_from, outcome__in=[ItemOutcome.SUCCEEDED, ItemOutcome.FAILED]
    )
    last = list(settled.order_by("-settled_at").values_list("outcome", flat=True)[:FAILURE_WINDOW])
    return last.count(ItemOutcome.FAILED), len(last)
