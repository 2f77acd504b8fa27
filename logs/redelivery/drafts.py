"""Makes the plan of a run: an entry for each log that was asked for, and why where it cannot be sent. Nothing is sent by it.

From what a person selected to a plan: at once where that is quick, else by a job, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from cotadmin.database import is_connection_lost

from ..delivery.superseded import NEWEST_DELIVERED
from ..models import BulkRedeliveryState, Company, Run, SelectionSource, Subscription
from .selection import MAX_SELECTED, FilterInvalid, SelectedLogs, TooManyLogs, select_logs

# Of those that could be sent, the stale and the received are told apart: what becomes of them is chosen afterwards.
_ENTRIES = f"""
WITH object AS MATERIALIZED (
    SELECT DISTINCT subscription_id, object_id FROM logs_webhooklog WHERE id = ANY(%(ids)s) AND object_id <> ''
), newest AS MATERIALIZED ({NEWEST_DELIVERED})
INSERT INTO logs_runentry (run_id, log_id, subscription_id, number, step, outcome, why, is_stale, is_guarded, is_repair,
    before_state, before_status, before_cause, cause, fingerprint)
SELECT %(run)s, id, subscription_id, row_number() OVER (ORDER BY created_at, id), 3,
    CASE WHEN why = '' THEN 'planned' ELSE 'left_out' END, why, is_stale, true, false, state, status, cause, '', ''
FROM (
    SELECT log.id, log.subscription_id, log.created_at, log.state, log.status, log.cause,
        coalesce((newest.created_at, newest.id) > (log.created_at, log.id), false) AS is_stale,
        CASE
            WHEN EXISTS (
                SELECT FROM logs_runentry entry WHERE entry.log_id = log.id AND entry.outcome IN ('waiting', 'queued')
            ) THEN 'other_run'
            WHEN log.next_attempt_at IS NOT NULL THEN 'due'
            WHEN lane.url = '' THEN 'no_url'
            WHEN NOT lane.is_active THEN 'inactive'
            WHEN NOT EXISTS (SELECT FROM logs_payload payload WHERE payload.log_id = log.id) THEN 'expired'
            ELSE ''
        END AS why
    FROM logs_webhooklog log JOIN logs_subscription lane ON lane.id = log.subscription_id
    LEFT JOIN newest ON newest.subscription_id = log.subscription_id AND newest.object_id = log.object_id
    WHERE log.id = ANY(%(ids)s)
) judged
"""


def create_draft(source: SelectionSource, *, by, query: str = "", parent: Run | None = None) -> Run:
    """A run that is still to be planned. Stored."""
    return Run.objects.create(source=source, query=query, parent=parent, planned_by=by, planned_at=timezone.now())


def build_plan(run: Run, ids: Sequence[str] = ()) -> None:
    """Fill the plan with what was asked for, or say in `problem` why that cannot be. At once: 10,000 logs take about a second."""
    try:
        asked = select_logs(run, ids)
    except FilterInvalid as error:
        return mark_invalid(run, str(error))
    except TooManyLogs:
        return mark_invalid(run, _("More than %(most)s logs: choose fewer.") % {"most": f"{MAX_SELECTED:,}"})
    with transaction.atomic():
        _fill(run, asked)


def discard_draft(run: Run) -> bool:
    """Delete a plan that was never started; False where it was."""
    with transaction.atomic():
        plan = Run.objects.select_for_update().filter(pk=run.pk, started_at=None).first()
        if plan is None:
            return False
        plan.delete()
    return True


def _fill(run: Run, asked: SelectedLogs) -> None:
    if not Run.objects.select_for_update().filter(pk=run.pk, state=BulkRedeliveryState.PLANNING).exists():
        return  # the job came twice, or the plan was thrown away
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"run": run.pk, "ids": asked.ids})
    run.lanes = sorted(run.entries.order_by().values_list("subscription", flat=True).distinct())
    run.companies.set(Company.objects.filter(subscriptions__in=Subscription.objects.filter(pk__in=run.lanes)))
    run.unknown, run.state = asked.unknown, BulkRedeliveryState.PLANNED
    run.save(update_fields=["lanes", "unknown", "state"])


def mark_invalid(run: Run, problem: str) -> None:
    run.problem, run.state = problem[:500], BulkRedeliveryState.PLANNED
    run.save(update_fields=["problem", "state"])


QUICK_PLAN_LIMIT = 10_000  # logs
DOUBLE_CLICK_WINDOW = timedelta(seconds=10)  # who asks for the same again in this time has clicked twice
DRAFT_RETENTION = timedelta(days=7)  # a plan that nobody starts
DRAFT_STATES = (BulkRedeliveryState.PLANNING, BulkRedeliveryState.PLANNED)
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

    source: SelectionSource
    query: str = ""
    ids: tuple[str, ...] = ()
    parent: Run | None = None
    number: int | None = None

    @property
    def is_quick(self) -> bool:
        return self.number is not None and self.number <= QUICK_PLAN_LIMIT


def request_draft(selection: Selection, *, by) -> Run:
    """A plan of what was selected, planned or to be planned by a job. The same selection twice in a moment is one plan."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [by.pk])
        if run := _made_just_now(selection, by):
            return run
        run = create_draft(selection.source, by=by, query=selection.query, parent=selection.parent)
        if selection.is_quick:
            build_plan(run, selection.ids)
        else:
            _plan_later(run, selection)
    return run


def build_waiting_draft(run_id: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """What the job does. Safe to do again. What `should_stop` or the database cuts short is left to be planned."""
    run = Run.objects.select_related("planned_by").filter(pk=run_id, state=BulkRedeliveryState.PLANNING).first()
    if run is None:
        return
    # Nobody's plan is no plan: without a person, a filter would find the logs of all companies.
    if run.planned_by is None or not run.planned_by.is_active:
        mark_invalid(run, _("the account that requested it was deleted or is not active"))
        return
    try:
        build_plan(run, run.unknown)
    except Exception as fault:
        if not (isinstance(fault, Error) and (should_stop() or is_connection_lost(fault))):
            mark_invalid(run, _("an unexpected error; see the worker’s log for details"))
        raise


def lost_drafts() -> list[int]:
    """The runs that are to be planned and have no job, whatever became of it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def purge_old_drafts() -> int:
    """Throw away what was planned and not started for days; how many plans."""
    old = Run.objects.filter(state__in=DRAFT_STATES, planned_at__lt=timezone.now() - DRAFT_RETENTION).order_by("pk")
    return sum(discard_draft(run) for run in old.only("pk"))


def _made_just_now(selection: Selection, by) -> Run | None:
    runs = Run.objects.filter(
        planned_by=by, state__in=DRAFT_STATES, planned_at__gt=timezone.now() - DOUBLE_CLICK_WINDOW, problem=""
    )
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
