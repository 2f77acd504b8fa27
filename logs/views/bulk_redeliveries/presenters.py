"""Context of a plan's page, for the choices made so far.

Context of a bulk redelivery's page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ...db.timeouts import BoundedCount
from ...delivery.queue_summary import heads_of, total_waiting
from ...forms.bulk_redelivery import CONFIRM_ABOVE, BulkChoicesForm
from ...models import RolloutPolicy, Run, SkipReason, Subscription, SupersededPolicy, Worker
from ...models.worker import OFFLINE_AFTER
from ...redelivery.history import history_of_bulk
from ...redelivery.preview import PlanPreview, QueuePlan, build_preview, estimate_duration, mean_durations
from ...redelivery.progress import (
    BulkProgress,
    FailureCause,
    ItemCounts,
    failure_causes,
    progress_of,
    reason_counts,
    recent_failures,
    stages_of,
    throughput_of,
)
from ...redelivery.results import latest_finished
from ...redelivery.warnings import plan_warnings
from ...stats.receiver_state import ReceiverHealth, receiver_health

SLOW_AFTER = timedelta(seconds=10)  # a running worker picks up a plan in well under a second
OLD = timedelta(hours=1)
# What a choice on this page excludes, and the page anchor of that choice. The other exclusions are final; the results list them.
CHOSEN_HERE: dict[str, str] = {
    SkipReason.STALE: "stale",
    SkipReason.RECEIVED: "received",
    SkipReason.NOT_CHOSEN: "subscriptions",
}
TITLES: dict[str, Promise] = {
    SkipReason.RECEIVED: _("Already delivered"),
    SkipReason.STALE: _("Superseded"),
    SkipReason.DUE: _("Already in their queues"),
    SkipReason.OTHER_RUN: _("In another bulk redelivery"),
    SkipReason.INACTIVE: _("Subscription not active"),
    SkipReason.NO_URL: _("Subscription without URL"),
    SkipReason.EXPIRED: _("Payload expired"),
    SkipReason.NOT_CHOSEN: _("Subscription not selected"),
}


@dataclass(frozen=True)
class Row:
    """A subscription of the plan. `numbers`: what it would be sent."""

    receiver: ReceiverHealth
    numbers: QueuePlan
    is_chosen: bool


@dataclass(frozen=True)
class ExcludedItems:
    """Logs excluded for one reason. `title` describes all of them, `label` one.

    `anchor`: where on the page the reason can be changed; "" if it can't.
    """

    why: str
    title: str
    label: str
    number: int
    anchor: str = ""


def planning_context(run: Run) -> dict[str, Any]:
    waited = timezone.now() - run.planned_at
    return {"run": run, "is_left_alone": waited > SLOW_AFTER, **_worker()}


def plan_context(run: Run, form: BulkChoicesForm) -> dict[str, Any]:
    """At most nine queries, however many logs and subscriptions there are."""
    plan = build_preview(run, form.choices)
    choices = plan.choices
    receivers = receiver_health(run.lanes, timezone.now())
    means = mean_durations(plan.sending)
    return {
        "run": run,
        "form": form,
        "plan": plan,
        "choices": choices,
        "rows": [_row(one, plan) for one in receivers.values() if one.lane.pk in plan.lanes],
        "left_out": _left_out(plan),
        "cautions": plan_warnings(one for pk, one in receivers.items() if pk in plan.sending),
        "expected": estimate_duration({pk: plan.lanes[pk].to_send for pk in plan.sending}, means, choices.rate),
        "is_measured": all(pk in means for pk in plan.sending),
        "stale_choices": _stale_choices(plan),
        "canary_steps": {canary.value: plan.steps(canary) for canary in RolloutPolicy},
        "is_typed": plan.total > CONFIRM_ABOVE,
        "is_old": timezone.now() - run.planned_at > OLD,
        **_worker(),
    }


def _row(receiver: ReceiverHealth, plan: PlanPreview) -> Row:
    pk = receiver.lane.pk
    return Row(receiver, plan.lanes[pk], pk in plan.choices.lanes)


def _left_out(plan: PlanPreview) -> list[ExcludedItems]:
    """Most logs first."""
    labels = dict(SkipReason.choices)
    return [
        ExcludedItems(why, str(TITLES[why]), str(labels[why]), number, CHOSEN_HERE.get(why, ""))
        for why, number in plan.left_out.most_common()
    ]


def _stale_choices(plan: PlanPreview) -> list[tuple[str, int]]:
    """Return each choice, with how many more logs it sends than leaving out the superseded ones."""
    least = plan.total_with(stale=SupersededPolicy.LEAVE)
    return [(choice.value, plan.total_with(stale=choice) - least) for choice in SupersededPolicy]


def _worker() -> Mapping[str, Any]:
    silence = Worker.silence()
    return {"silence": silence, "is_worker_missing": silence is None or silence > OFFLINE_AFTER}


RECENT = 5
QUEUES_SHOWN = 8  # shown at first: a polled page must be short


@dataclass(frozen=True)
class QueueRow:
    lane: Any
    numbers: ItemCounts


@dataclass(frozen=True)
class CauseRow:
    kind: FailureCause
    lane: Any


def bulk_context(run: Run, *, shows_all: bool = False) -> dict[str, Any]:
    """Nine queries, however many logs and subscriptions there are, and however much waits.

    `shows_all`: show all subscriptions, not only the first ones.
    """
    now = timezone.now()
    progress = progress_of(run)
    lanes = heads_of(Subscription.objects.filter(pk__in=run.lanes))
    failed, looked_at = recent_failures(run)
    silence = Worker.silence()
    rows = _rows(progress, lanes)
    shown = rows if shows_all else rows[:QUEUES_SHOWN]
    return {
        "run": run,
        "numbers": progress.all,
        "pace": throughput_of(run, progress.lanes, now),
        "steps": stages_of(run, progress),
        "left_out": reason_counts(progress.left_out),
        "skipped": reason_counts(progress.skipped),
        "rows": shown,
        "lanes_left": len(rows) - len(shown),
        "shows_all": shows_all,
        "kinds": [CauseRow(kind, lanes.get(kind.lane)) for kind in failure_causes(run)],
        "failed_lately": failed,
        "looked_at": looked_at,
        "others": _others(run, progress, lanes),
        "recent": latest_finished(run, RECENT),
        "record": history_of_bulk(run, {pk: lane.name for pk, lane in lanes.items()}),
        "silence": silence,
        "is_worker_missing": run.is_running and (silence is None or silence > OFFLINE_AFTER),
        "took": (run.ended_at or now) - run.started_at if run.started_at else None,
    }


def _rows(progress: BulkProgress, lanes: dict[str, Subscription]) -> list[QueueRow]:
    """Subscriptions with failures first, then by number of logs. The order changes only when one starts to fail."""
    rows = [QueueRow(lane, progress.lanes[pk]) for pk, lane in lanes.items() if pk in progress.lanes]
    return sorted(rows, key=lambda row: (not row.numbers.failed, -row.numbers.total))


def _others(run: Run, progress: BulkProgress, lanes: dict[str, Subscription]) -> BoundedCount:
    """Count what else waits in the queues that this bulk redelivery still has to send to."""
    busy = [lane for pk, lane in lanes.items() if pk in progress.lanes and progress.lanes[pk].to_go]
    waiting = total_waiting(busy)
    queued = sum(progress.lanes[lane.pk].queued for lane in busy)
    return BoundedCount(max((waiting.number or 0) - queued, 0), is_more=waiting.is_more)
