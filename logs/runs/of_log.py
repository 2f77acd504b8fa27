"""The runs that one log is or was in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..models import Attempt, AttemptTrigger, Run, RunEntry, WebhookLog

MOST = 50


def runs_of(log: WebhookLog, user) -> list[RunEntry]:
    """Its entries in runs that were started and that the user may see, newest first. One query."""
    visible = Run.objects.visible_to(user).started()
    return list(log.run_entries.filter(run__in=visible.values("pk")).select_related("run").order_by("-run")[:MOST])


def name_runs(attempts: Iterable[Attempt], entries: Sequence[RunEntry]) -> None:
    """Give each attempt of a run its `run_id`, as far as the run is among the entries: one knows the last of its tries."""
    tried = sorted((entry.attempt_number, entry.run_id) for entry in entries if entry.attempt_number)
    for attempt in attempts:
        if attempt.trigger == AttemptTrigger.BULK:
            attempt.run_id = next((run for number, run in tried if number >= attempt.number), None)  # type: ignore[attr-defined]
