"""Makes the plan of a run: an entry for each log that was asked for, and why where it cannot be sent. Nothing is sent by it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..delivery.superseded import NEWEST_RECEIVED
from ..models import Company, Run, RunState, Source, Subscription
from .selection import MOST, Asked, FilterInvalid, TooMany, asked_for

# Of those that could be sent, the stale and the received are told apart: what becomes of them is chosen afterwards.
_ENTRIES = f"""
WITH object AS MATERIALIZED (
    SELECT DISTINCT subscription_id, object_id FROM logs_webhooklog WHERE id = ANY(%(ids)s) AND object_id <> ''
), newest AS MATERIALIZED ({NEWEST_RECEIVED})
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


def new_run(source: Source, *, by, query: str = "", parent: Run | None = None) -> Run:
    """A run that is still to be planned. Stored."""
    return Run.objects.create(source=source, query=query, parent=parent, planned_by=by, planned_at=timezone.now())


def plan(run: Run, ids: Sequence[str] = ()) -> None:
    """Fill the plan with what was asked for, or say in `problem` why that cannot be. At once: 10,000 logs take about a second."""
    try:
        asked = asked_for(run, ids)
    except FilterInvalid as error:
        return give_up(run, str(error))
    except TooMany:
        return give_up(run, _("More than %(most)s logs: choose fewer.") % {"most": f"{MOST:,}"})
    with transaction.atomic():
        _fill(run, asked)


def throw_away(run: Run) -> bool:
    """Delete a plan that was never started; False where it was."""
    with transaction.atomic():
        plan = Run.objects.select_for_update().filter(pk=run.pk, started_at=None).first()
        if plan is None:
            return False
        plan.delete()
    return True


def _fill(run: Run, asked: Asked) -> None:
    if not Run.objects.select_for_update().filter(pk=run.pk, state=RunState.PLANNING).exists():
        return  # the job came twice, or the plan was thrown away
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"run": run.pk, "ids": asked.ids})
    run.lanes = sorted(run.entries.order_by().values_list("subscription", flat=True).distinct())
    run.companies.set(Company.objects.filter(subscriptions__in=Subscription.objects.filter(pk__in=run.lanes)))
    run.unknown, run.state = asked.unknown, RunState.PLANNED
    run.save(update_fields=["lanes", "unknown", "state"])


def give_up(run: Run, problem: str) -> None:
    run.problem, run.state = problem[:500], RunState.PLANNED
    run.save(update_fields=["problem", "state"])
