"""What the page of a run shows, and how often it asks for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from ..db.timeouts import Count
from ..delivery.queue_summary import heads_of, waiting_together
from ..models import Run, Subscription, Worker
from ..models.worker import MISSED_AFTER
from ..redelivery.history import record_of
from ..redelivery.progress import (
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
from ..redelivery.results import last_settled

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
