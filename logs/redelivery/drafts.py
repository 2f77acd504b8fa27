"""Plans a bulk redelivery from the logs that a person selected. Planning sends nothing.

A plan has an item for each selected log, with the reason if that log can't be sent. A small plan is made at once. A large
one is made by a job, so that nobody has to wait for it.
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

# Among the logs that could be sent, superseded and delivered ones are marked: a person decides about them afterwards.
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
    """Store and return a bulk redelivery that is still to be planned."""
    return Run.objects.create(source=source, query=query, parent=parent, planned_by=by, planned_at=timezone.now())


def build_plan(run: Run, ids: Sequence[str] = ()) -> None:
    """Add the selected logs to the plan, or say in `problem` why that is impossible. 10,000 logs take about a second."""
    try:
        asked = select_logs(run, ids)
    except FilterInvalid as error:
        return mark_invalid(run, str(error))
    except TooManyLogs:
        return mark_invalid(run, _("More than %(most)s logs: choose fewer.") % {"most": f"{MAX_SELECTED:,}"})
    with transaction.atomic():
        _fill(run, asked)


def discard_draft(run: Run) -> bool:
    """Delete a plan that was never started. Returns False if it was started."""
    with transaction.atomic():
        plan = Run.objects.select_for_update().filter(pk=run.pk, started_at=None).first()
        if plan is None:
            return False
        plan.delete()
    return True


def _fill(run: Run, asked: SelectedLogs) -> None:
    if not Run.objects.select_for_update().filter(pk=run.pk, state=BulkRedeliveryState.PLANNING).exists():
        return  # the job ran twice, or the plan was discarded
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
DOUBLE_CLICK_WINDOW = timedelta(seconds=10)  # the same request again within this time is a double click
DRAFT_RETENTION = timedelta(days=7)  # a plan that nobody starts
DRAFT_STATES = (BulkRedeliveryState.PLANNING, BulkRedeliveryState.PLANNED)
# One person's requests run one after another, so each sees the plan that the previous one made.
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
    """`query` with SelectionSource.FILTER, `parent` with STILL_FAILING, else `ids`.

    `number`: about how many logs; None if unknown.
    """

    source: SelectionSource
    query: str = ""
    ids: tuple[str, ...] = ()
    parent: Run | None = None
    number: int | None = None

    @property
    def is_quick(self) -> bool:
        return self.number is not None and self.number <= QUICK_PLAN_LIMIT


def request_draft(selection: Selection, *, by) -> Run:
    """Return a plan for the selection; a job may still have to make it. A double click makes one plan."""
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
    """The work of the job. Safe to repeat: if `should_stop` or the database interrupts it, the plan still waits to be made."""
    run = Run.objects.select_related("planned_by").filter(pk=run_id, state=BulkRedeliveryState.PLANNING).first()
    if run is None:
        return
    # A plan needs a user: without one, a filter would find the logs of all companies.
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
    """Ids of the bulk redeliveries that still have to be planned, but have no job, for whatever reason."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def purge_old_drafts() -> int:
    """Delete plans that nobody started within DRAFT_RETENTION. Returns how many."""
    old = Run.objects.filter(state__in=DRAFT_STATES, planned_at__lt=timezone.now() - DRAFT_RETENTION).order_by("pk")
    return sum(discard_draft(run) for run in old.only("pk"))


def _made_just_now(selection: Selection, by) -> Run | None:
    runs = Run.objects.filter(
        planned_by=by, state__in=DRAFT_STATES, planned_at__gt=timezone.now() - DOUBLE_CLICK_WINDOW, problem=""
    )
    same = runs.filter(source=selection.source, query=selection.query, parent=selection.parent)
    return next((run for run in same.order_by("-pk") if _ids_of(run, selection) == set(selection.ids)), None)


def _ids_of(run: Run, selection: Selection) -> set[str]:
    """The ids that were requested. Only some of the unknown ids are kept; if there were more, no plan counts as the same."""
    if not selection.ids:
        return set()
    return {*run.unknown, *run.entries.order_by().values_list("log", flat=True)}


def _plan_later(run: Run, selection: Selection) -> None:
    run.unknown = list(selection.ids)
    run.save(update_fields=["unknown"])
    app.configure_task("logs.tasks.plan_run", allow_unknown=False).defer(run_id=run.pk)
