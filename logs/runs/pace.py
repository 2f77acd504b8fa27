"""How fast a run goes, and how long it will take: measured in the last minute, and not known where that tells nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from ..models import LAST_STEP, WINDOW, Outcome, Run
from .progress import Numbers

MEASURED = timedelta(minutes=1)
LEAST = timedelta(seconds=3)  # less than that tells nothing


@dataclass(frozen=True)
class Pace:
    """`rate`: logs in a second; None where it is not known. `left`: until the end, as long as nothing changes."""

    rate: float | None = None
    left: timedelta | None = None


def pace_of(run: Run, lanes: Mapping[str, Numbers], now: datetime) -> Pace:
    """Of a run that is running. One query."""
    begun = max(filter(None, (now - MEASURED, run.judged_from)))
    if not run.is_running or now - begun < LEAST:
        return Pace()
    settled = run.entries.filter(settled_at__gte=begun, outcome__in=[Outcome.SUCCEEDED, Outcome.FAILED]).order_by()
    counts = dict(settled.values_list("subscription").annotate(n=Count("pk")))
    seconds = (now - begun).total_seconds()
    rate = sum(counts.values()) / seconds
    return Pace(rate or None, _left(run, lanes, counts, seconds))


def _left(run: Run, lanes: Mapping[str, Numbers], counts: Mapping[str, int], seconds: float) -> timedelta | None:
    """Lanes go side by side, so the slowest tells; while the canary is on its way nothing tells of the rest."""
    to_go = {lane: numbers.to_go for lane, numbers in lanes.items() if numbers.to_go}
    if run.step < LAST_STEP or not to_go or any(not counts.get(lane) for lane in to_go):
        return None
    return timedelta(seconds=max(number * seconds / counts[lane] for lane, number in to_go.items()))


def failed_lately(run: Run) -> tuple[int, int]:
    """Of the last logs since somebody looked at it: how many failed, of how many. As `feeding` judges it. One query."""
    settled = run.entries.filter(settled_at__gte=run.judged_from, outcome__in=[Outcome.SUCCEEDED, Outcome.FAILED])
    last = list(settled.order_by("-settled_at").values_list("outcome", flat=True)[:WINDOW])
    return last.count(Outcome.FAILED), len(last)
