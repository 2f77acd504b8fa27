"""From what a person selected to a plan: at once where that is quick, else by a job, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from cotadmin.database import is_away

from ..models import Run, RunState, Source
from .planning import give_up, new_run, plan, throw_away

QUICK = 10_000  # logs
AGAIN = timedelta(seconds=10)  # who asks for the same again in this time has clicked twice
KEPT = timedelta(days=7)  # a plan that nobody starts
IS_PLAN = (RunState.PLANNING, RunState.PLANNED)
# The clicks of one person take turns: each sees the plan that the one before has made.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('cotadmin: plans of ' || %s))"

_LOST = """
SELECT id FROM logs_run run WHERE state = 'planning' AND NOT EXISTS (
    SELECT FROM procrastinate_jobs job
    WHERE job.task_name = 'logs.tasks.plan_run' AND job.status IN ('todo', 'doing')
        AND job.args ->> 'run_id' = run.id::text
)
"""


@dataclass(frozen=True)
class Selection:
    """`query` with Source.FILTER, `parent` with STILL_FAILING, else `ids`. `number`: about how many logs, None for who knows."""

    source: Source
    query: str = ""
    ids: tuple[str, ...] = ()
    parent: Run | None = None
    number: int | None = None

    @property
    def is_quick(self) -> bool:
        return self.number is not None and self.number <= QUICK


def plan_of(selection: Selection, *, by) -> Run:
    """A plan of what was selected, planned or to be planned by a job. The same selection twice in a moment is one plan."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [by.pk])
        if run := _made_just_now(selection, by):
            return run
        run = new_run(selection.source, by=by, query=selection.query, parent=selection.parent)
        if selection.is_quick:
            plan(run, selection.ids)
        else:
            _plan_later(run, selection)
    return run


def plan_waiting(run_id: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """What the job does. Safe to do again. What `should_stop` or the database cuts short is left to be planned."""
    run = Run.objects.select_related("planned_by").filter(pk=run_id, state=RunState.PLANNING).first()
    if run is None:
        return
    # Nobody's plan is no plan: without a person, a filter would find the logs of all companies.
    if run.planned_by is None or not run.planned_by.is_active:
        give_up(run, _("the account that asked for it is gone or not active"))
        return
    try:
        plan(run, run.unknown)
    except Exception as fault:
        if not (isinstance(fault, Error) and (should_stop() or is_away(fault))):
            give_up(run, _("an unexpected fault; the worker's log tells more"))
        raise


def lost() -> list[int]:
    """The runs that are to be planned and have no job, whatever became of it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def forget_old_plans() -> int:
    """Throw away what was planned and not started for days; how many plans."""
    old = Run.objects.filter(state__in=IS_PLAN, planned_at__lt=timezone.now() - KEPT).order_by("pk")
    return sum(throw_away(run) for run in old.only("pk"))


def _made_just_now(selection: Selection, by) -> Run | None:
    runs = Run.objects.filter(planned_by=by, state__in=IS_PLAN, planned_at__gt=timezone.now() - AGAIN, problem="")
    same = runs.filter(source=selection.source, query=selection.query, parent=selection.parent)
    return next((run for run in same.order_by("-pk") if _ids_of(run, selection) == set(selection.ids)), None)


def _ids_of(run: Run, selection: Selection) -> set[str]:
    """Those that were asked for; the ones that nobody knows are remembered up to a number, beyond which no plan is the same."""
    if not selection.ids:
        return set()
    return {*run.unknown, *run.entries.order_by().values_list("log", flat=True)}


def _plan_later(run: Run, selection: Selection) -> None:
    run.unknown = list(selection.ids)
    run.save(update_fields=["unknown"])
    app.configure_task("logs.tasks.plan_run", allow_unknown=False).defer(run_id=run.pk)
