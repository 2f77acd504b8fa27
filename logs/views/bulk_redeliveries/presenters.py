"""What the page of a plan shows, for the choices that somebody has made so far.

What the page of a run shows, and how often it asks for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ...db.timeouts import Count
from ...delivery.queue_summary import heads_of, waiting_together
from ...forms.bulk_redelivery import TYPED_ABOVE, RunChoicesForm
from ...models import Canary, Run, StaleChoice, Subscription, Why, Worker
from ...models.worker import MISSED_AFTER
from ...redelivery.history import record_of
from ...redelivery.preview import LanePlan, PlanFigures, expected, figures_of, mean_durations
from ...redelivery.progress import (
    Kind,
    Numbers,
    Progress,
    failed_lately,
    kinds_of,
    pace_of,
    progress_of,
    steps_of,
    worded,
)
from ...redelivery.results import last_settled
from ...redelivery.warnings import cautions_of
from ...stats.receiver_state import Receiver, receivers_of

PATIENCE = timedelta(seconds=10)  # a worker that runs takes a plan in well under a second
OLD = timedelta(hours=1)
# What is left out by a choice of this page, and where that is made; the others are for good, and the ledger lists them.
CHOSEN_HERE: dict[str, str] = {Why.STALE: "stale", Why.RECEIVED: "received", Why.NOT_CHOSEN: "subscriptions"}
TITLES: dict[str, Promise] = {
    Why.RECEIVED: _("Received already"),
    Why.STALE: _("Stale"),
    Why.DUE: _("In their lanes already"),
    Why.OTHER_RUN: _("In another run"),
    Why.INACTIVE: _("Subscription not active"),
    Why.NO_URL: _("Subscription without URL"),
    Why.EXPIRED: _("Payload expired"),
    Why.NOT_CHOSEN: _("Subscription not ticked"),
}


@dataclass(frozen=True)
class Row:
    """A subscription of the plan. `numbers`: what it gets."""

    receiver: Receiver
    numbers: LanePlan
    is_chosen: bool


@dataclass(frozen=True)
class LeftOut:
    """`title` says it of all, `label` of one. `anchor`: where on the page that is chosen, "" where nobody has a choice."""

    why: str
    title: str
    label: str
    number: int
    anchor: str = ""


def planning_context(run: Run) -> dict[str, Any]:
    waited = timezone.now() - run.planned_at
    return {"run": run, "is_left_alone": waited > PATIENCE, **_worker()}


def plan_context(run: Run, form: RunChoicesForm) -> dict[str, Any]:
    """Nine queries at most, however many logs and subscriptions there are."""
    plan = figures_of(run, form.choices)
    choices = plan.choices
    receivers = receivers_of(run.lanes, timezone.now())
    means = mean_durations(plan.sending)
    return {
        "run": run,
        "form": form,
        "plan": plan,
        "choices": choices,
        "rows": [_row(one, plan) for one in receivers.values() if one.lane.pk in plan.lanes],
        "left_out": _left_out(plan),
        "cautions": cautions_of(one for pk, one in receivers.items() if pk in plan.sending),
        "expected": expected({pk: plan.lanes[pk].to_send for pk in plan.sending}, means, choices.rate),
        "is_measured": all(pk in means for pk in plan.sending),
        "stale_choices": _stale_choices(plan),
        "canary_steps": {canary.value: plan.steps(canary) for canary in Canary},
        "is_typed": plan.total > TYPED_ABOVE,
        "is_old": timezone.now() - run.planned_at > OLD,
        **_worker(),
    }


def _row(receiver: Receiver, plan: PlanFigures) -> Row:
    pk = receiver.lane.pk
    return Row(receiver, plan.lanes[pk], pk in plan.choices.lanes)


def _left_out(plan: PlanFigures) -> list[LeftOut]:
    """Most logs first."""
    labels = dict(Why.choices)
    return [
        LeftOut(why, str(TITLES[why]), str(labels[why]), number, CHOSEN_HERE.get(why, ""))
        for why, number in plan.left_out.most_common()
    ]


def _stale_choices(plan: PlanFigures) -> list[tuple[str, int]]:
    """Each, and how many logs more are sent by it than without the stale ones."""
    least = plan.total_with(stale=StaleChoice.LEAVE)
    return [(choice.value, plan.total_with(stale=choice) - least) for choice in StaleChoice]


def _worker() -> Mapping[str, Any]:
    silence = Worker.silence()
    return {"silence": silence, "is_worker_missing": silence is None or silence > MISSED_AFTER}


RECENT = 5
LANES = 8  # shown at first: what is asked for again and again must be short


@dataclass(frozen=True)
class LaneRow:
    lane: Any
    numbers: Numbers


@dataclass(frozen=True)
class KindRow:
    kind: Kind
    lane: Any


def run_context(run: Run, *, shows_all: bool = False) -> dict[str, Any]:
    """Nine queries, however many logs and subscriptions there are, and however much waits.

    `shows_all`: all subscriptions, else the first of them.
    """
    now = timezone.now()
    progress = progress_of(run)
    lanes = heads_of(Subscription.objects.filter(pk__in=run.lanes))
    failed, looked_at = failed_lately(run)
    silence = Worker.silence()
    rows = _rows(progress, lanes)
    shown = rows if shows_all else rows[:LANES]
    return {
        "run": run,
        "numbers": progress.all,
        "pace": pace_of(run, progress.lanes, now),
        "steps": steps_of(run, progress),
        "left_out": worded(progress.left_out),
        "skipped": worded(progress.skipped),
        "rows": shown,
        "lanes_left": len(rows) - len(shown),
        "shows_all": shows_all,
        "kinds": [KindRow(kind, lanes.get(kind.lane)) for kind in kinds_of(run)],
        "failed_lately": failed,
        "looked_at": looked_at,
        "others": _others(run, progress, lanes),
        "recent": last_settled(run, RECENT),
        "record": record_of(run, {pk: lane.name for pk, lane in lanes.items()}),
        "silence": silence,
        "is_worker_missing": run.is_running and (silence is None or silence > MISSED_AFTER),
        "took": (run.ended_at or now) - run.started_at if run.started_at else None,
    }


def _rows(progress: Progress, lanes: dict[str, Subscription]) -> list[LaneRow]:
    """Those with failures first, then those with most logs: an order that changes only where one begins to fail."""
    rows = [LaneRow(lane, progress.lanes[pk]) for pk, lane in lanes.items() if pk in progress.lanes]
    return sorted(rows, key=lambda row: (not row.numbers.failed, -row.numbers.total))


def _others(run: Run, progress: Progress, lanes: dict[str, Subscription]) -> Count:
    """What else waits in the lanes to which something of the run is still to be sent."""
    busy = [lane for pk, lane in lanes.items() if pk in progress.lanes and progress.lanes[pk].to_go]
    waiting = waiting_together(busy)
    queued = sum(progress.lanes[lane.pk].queued for lane in busy)
    return Count(max((waiting.number or 0) - queued, 0), is_more=waiting.is_more)
