"""Context of a plan's page, for the choices made so far, and of a bulk redelivery's page, with the regions that poll."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ...db.timeouts import BoundedCount
from ...delivery.queue_summary import next_events_of, total_waiting
from ...forms.bulk_redelivery import CONFIRM_ABOVE, BulkChoicesForm
from ...models import BulkRedelivery, RolloutPolicy, SkipReason, Subscription, SupersededPolicy
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
from ...redelivery.recovery import proposed_reason
from ...redelivery.results import latest_finished
from ...redelivery.warnings import plan_warnings
from ...stats.receiver_state import ReceiverHealth, receiver_health
from ..helpers import worker_context

SLOW_AFTER = timedelta(seconds=10)  # a running worker picks up a plan in well under a second
OLD = timedelta(hours=1)
# What a choice on this page excludes, and the page anchor of that choice. The other exclusions are final; the results list them.
CHOSEN_HERE: dict[str, str] = {
    SkipReason.SUPERSEDED: "superseded",
    SkipReason.DELIVERED: "already-delivered",
    SkipReason.NOT_SELECTED: "subscriptions",
}
TITLES: dict[str, Promise] = {
    SkipReason.DELIVERED: _("Already delivered"),
    SkipReason.SUPERSEDED: _("Superseded"),
    SkipReason.QUEUED: _("Already in their queues"),
    SkipReason.OTHER_BULK_REDELIVERY: _("In another bulk redelivery"),
    SkipReason.INACTIVE: _("Subscription not active"),
    SkipReason.NO_URL: _("Subscription without URL"),
    SkipReason.EXPIRED: _("Payload expired"),
    SkipReason.NOT_SELECTED: _("Subscription not selected"),
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

    reason: str
    title: str
    label: str
    number: int
    anchor: str = ""


def planning_context(bulk: BulkRedelivery) -> dict[str, Any]:
    waited = timezone.now() - bulk.planned_at
    return {"bulk": bulk, "is_left_alone": waited > SLOW_AFTER, **worker_context()}


def plan_context(bulk: BulkRedelivery, form: BulkChoicesForm) -> dict[str, Any]:
    """At most nine queries, however many logs and subscriptions there are."""
    plan = build_preview(bulk, form.choices)
    choices = plan.choices
    receivers = receiver_health(bulk.selected_subscriptions, timezone.now())
    means = mean_durations(plan.sending)
    return {
        "bulk": bulk,
        "form": form,
        "plan": plan,
        "choices": choices,
        "queues": form.queues,
        "chosen_queues": form.chosen_queues.ids,
        "reason": proposed_reason(bulk.incident) if bulk.incident else "",
        "rows": [_row(receiver, plan) for receiver in receivers.values() if receiver.subscription.pk in plan.queues],
        "excluded": _excluded_items(plan),
        "cautions": plan_warnings(receiver for pk, receiver in receivers.items() if pk in plan.sending),
        "expected": estimate_duration({pk: plan.queues[pk].to_send for pk in plan.sending}, means, choices.rate),
        "is_measured": all(pk in means for pk in plan.sending),
        "superseded_choices": _superseded_choices(plan),
        "stages_by_rollout": {rollout.value: plan.stages(rollout) for rollout in RolloutPolicy},
        "is_typed": plan.total > CONFIRM_ABOVE,
        "is_old": timezone.now() - bulk.planned_at > OLD,
        **worker_context(),
    }


def _row(receiver: ReceiverHealth, plan: PlanPreview) -> Row:
    pk = receiver.subscription.pk
    return Row(receiver, plan.queues[pk], pk in plan.choices.selected_subscriptions)


def _excluded_items(plan: PlanPreview) -> list[ExcludedItems]:
    """Most logs first."""
    labels = dict(SkipReason.choices)
    return [
        ExcludedItems(reason, str(TITLES[reason]), str(labels[reason]), number, CHOSEN_HERE.get(reason, ""))
        for reason, number in plan.excluded.most_common()
    ]


def _superseded_choices(plan: PlanPreview) -> list[tuple[str, int]]:
    """Return each choice, with how many more logs it sends than leaving out the superseded ones."""
    least = plan.total_with(superseded_policy=SupersededPolicy.EXCLUDE)
    return [(choice.value, plan.total_with(superseded_policy=choice) - least) for choice in SupersededPolicy]


LIVE, PARTS = "bulk-live", "bulk-parts"  # the ids of the regions that poll
RECENT = 5
QUEUES_SHOWN = 8  # shown at first: a polled page must be short


@dataclass(frozen=True)
class QueueRow:
    subscription: Any
    numbers: ItemCounts


@dataclass(frozen=True)
class CauseRow:
    kind: FailureCause
    subscription: Any


def bulk_context(bulk: BulkRedelivery, region: str = "", *, shows_all: bool = False) -> dict[str, Any]:
    """At most nine queries, however many logs and subscriptions there are, and however much waits.

    `region`: LIVE or PARTS, if only that is shown. `shows_all`: show all subscriptions, not only the first ones.
    """
    progress = progress_of(bulk)
    subscriptions = next_events_of(Subscription.objects.filter(pk__in=bulk.selected_subscriptions))
    context = {"bulk": bulk, "numbers": progress.all, "shows_all": shows_all}
    if region != PARTS:
        context |= _live_context(bulk, progress, subscriptions)
    if region != LIVE:
        context |= _parts_context(bulk, progress, subscriptions, shows_all)
    return context


def _live_context(
    bulk: BulkRedelivery, progress: BulkProgress, subscriptions: dict[str, Subscription]
) -> dict[str, Any]:
    now = timezone.now()
    failed, looked_at = recent_failures(bulk)
    superseded = progress.skipped[SkipReason.SUPERSEDED]
    worker = worker_context()
    return {
        "pace": throughput_of(bulk, progress.subscriptions, now),
        "stages": stages_of(bulk, progress),
        "skipped": reason_counts(progress.skipped),
        "superseded": superseded,
        "skipped_otherwise": progress.all.skipped - superseded,
        "failed_lately": failed,
        "looked_at": looked_at,
        "others": _others(bulk, progress, subscriptions),
        "took": (bulk.ended_at or now) - bulk.started_at if bulk.started_at else None,
        **worker,
        "is_worker_missing": bulk.is_running and worker["is_worker_missing"],
    }


def _parts_context(
    bulk: BulkRedelivery, progress: BulkProgress, subscriptions: dict[str, Subscription], shows_all: bool
) -> dict[str, Any]:
    rows, causes = _rows(progress, subscriptions), failure_causes(bulk)
    shown = rows if shows_all else rows[:QUEUES_SHOWN]
    return {
        "excluded": reason_counts(progress.excluded),
        "rows": shown,
        "subscriptions_left": len(rows) - len(shown),
        "kinds": [CauseRow(kind, subscriptions.get(kind.subscription_id)) for kind in causes],
        "failed_otherwise": progress.all.failed - sum(kind.number for kind in causes),
        "recent": latest_finished(bulk, RECENT),
        "record": history_of_bulk(bulk, {pk: subscription.name for pk, subscription in subscriptions.items()}),
    }


def _rows(progress: BulkProgress, subscriptions: dict[str, Subscription]) -> list[QueueRow]:
    """Subscriptions with failures first, then by number of logs. The order changes only when one starts to fail."""
    rows = [
        QueueRow(subscription, progress.subscriptions[pk])
        for pk, subscription in subscriptions.items()
        if pk in progress.subscriptions
    ]
    return sorted(rows, key=lambda row: (not row.numbers.failed, -row.numbers.total))


def _others(bulk: BulkRedelivery, progress: BulkProgress, subscriptions: dict[str, Subscription]) -> BoundedCount:
    """Count what else waits in the queues that this bulk redelivery still has to send to."""
    counts = progress.subscriptions
    busy = [subscription for pk, subscription in subscriptions.items() if pk in counts and counts[pk].to_go]
    waiting = total_waiting(busy)
    queued = sum(counts[subscription.pk].queued for subscription in busy)
    return BoundedCount(max((waiting.number or 0) - queued, 0), is_more=waiting.is_more)
