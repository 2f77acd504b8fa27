"""Plans a bulk redelivery from the logs that a person selected. Planning sends nothing.

A plan has an item for each selected log, with the reason if that log can't be sent. A small plan is made at once. A large
one is made by a job, so that nobody has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from cotadmin.database import is_connection_lost

from ..delivery.superseded import NEWEST_DELIVERED
from ..models import BulkRedelivery, BulkRedeliveryState, Company, Incident, SelectionSource, Subscription
from .selection import MAX_SELECTED, FilterInvalid, SelectedLogs, TooManyLogs, select_logs

# Among the logs that could be sent, superseded and delivered ones are marked: a person decides about them afterwards.
_ITEMS = f"""
WITH object AS MATERIALIZED (
    SELECT DISTINCT subscription_id, object_id FROM logs_webhooklog WHERE id = ANY(%(ids)s) AND object_id <> ''
), newest AS MATERIALIZED ({NEWEST_DELIVERED})
INSERT INTO logs_bulkredeliveryitem (bulk_redelivery_id, log_id, subscription_id, number, stage, outcome, skip_reason,
    is_superseded, recheck_superseded, is_latest_resend, before_state, before_status, before_cause, cause, fingerprint)
SELECT %(bulk)s, id, subscription_id, row_number() OVER (ORDER BY created_at, id), 3,
    CASE WHEN skip_reason = '' THEN 'planned' ELSE 'excluded' END, skip_reason, is_superseded, true, false,
    state, status, cause, '', ''
FROM (
    SELECT log.id, log.subscription_id, log.created_at, log.state, log.status, log.cause,
        coalesce((newest.created_at, newest.id) > (log.created_at, log.id), false) AS is_superseded,
        CASE
            WHEN EXISTS (
                SELECT FROM logs_bulkredeliveryitem item
                WHERE item.log_id = log.id AND item.outcome IN ('waiting', 'queued')
            ) THEN 'other_bulk_redelivery'
            WHEN log.next_attempt_at IS NOT NULL THEN 'queued'
            WHEN subscription.url = '' THEN 'no_url'
            WHEN NOT subscription.is_active THEN 'inactive'
            WHEN NOT EXISTS (SELECT FROM logs_payload payload WHERE payload.log_id = log.id) THEN 'expired'
            ELSE ''
        END AS skip_reason
    FROM logs_webhooklog log JOIN logs_subscription subscription ON subscription.id = log.subscription_id
    LEFT JOIN newest ON newest.subscription_id = log.subscription_id AND newest.object_id = log.object_id
    WHERE log.id = ANY(%(ids)s)
) judged
"""


def create_draft(
    source: SelectionSource,
    *,
    by,
    query: str = "",
    parent: BulkRedelivery | None = None,
    incident: Incident | None = None,
) -> BulkRedelivery:
    """Store and return a bulk redelivery that is still to be planned."""
    return BulkRedelivery.objects.create(
        source=source, query=query, parent=parent, incident=incident, planned_by=by, planned_at=timezone.now()
    )


def build_plan(bulk: BulkRedelivery, ids: Sequence[str] = ()) -> None:
    """Add the selected logs to the plan, or say in `problem` why that is impossible. 10,000 logs take about a second."""
    try:
        selected = select_logs(bulk, ids)
    except FilterInvalid as error:
        return mark_invalid(bulk, str(error))
    except TooManyLogs:
        return mark_invalid(bulk, _("More than %(most)s logs: choose fewer.") % {"most": f"{MAX_SELECTED:,}"})
    with transaction.atomic():
        _fill(bulk, selected)


def discard_draft(bulk: BulkRedelivery) -> bool:
    """Delete a plan that was never started. Returns False if it was started."""
    with transaction.atomic():
        plan = BulkRedelivery.objects.select_for_update().filter(pk=bulk.pk, started_at=None).first()
        if plan is None:
            return False
        plan.delete()
    return True


def _fill(bulk: BulkRedelivery, selected: SelectedLogs) -> None:
    if not BulkRedelivery.objects.select_for_update().filter(pk=bulk.pk, state=BulkRedeliveryState.PLANNING).exists():
        return  # the job ran twice, or the plan was discarded
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, {"bulk": bulk.pk, "ids": selected.ids})
    bulk.selected_subscriptions = sorted(bulk.items.order_by().values_list("subscription", flat=True).distinct())
    subscriptions = Subscription.objects.filter(pk__in=bulk.selected_subscriptions)
    of_incident = [bulk.incident.company_id] if bulk.incident else []  # its failed logs may all be mended by now
    companies = Q(subscriptions__in=subscriptions) | Q(pk__in=of_incident)
    bulk.companies.set(Company.objects.filter(companies).distinct())
    bulk.unknown, bulk.state = selected.unknown, BulkRedeliveryState.PLANNED
    bulk.save(update_fields=["selected_subscriptions", "unknown", "state"])


def mark_invalid(bulk: BulkRedelivery, problem: str) -> None:
    bulk.problem, bulk.state = problem[:500], BulkRedeliveryState.PLANNED
    bulk.save(update_fields=["problem", "state"])


QUICK_PLAN_LIMIT = 10_000  # logs
DOUBLE_CLICK_WINDOW = timedelta(seconds=10)  # the same request again within this time is a double click
DRAFT_RETENTION = timedelta(days=7)  # a plan that nobody starts
DRAFT_STATES = (BulkRedeliveryState.PLANNING, BulkRedeliveryState.PLANNED)
# One person's requests run one after another, so each sees the plan that the previous one made.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('cotadmin: plans of ' || %s))"

_DRAFTS_WITHOUT_JOB = """
SELECT id FROM logs_bulkredelivery bulk WHERE state = 'planning' AND NOT EXISTS (
    SELECT FROM procrastinate_jobs job
    WHERE job.task_name = 'logs.tasks.plan_bulk_redelivery' AND job.status IN ('todo', 'doing')
        AND job.args ->> 'pk' = bulk.id::text
)
"""


@dataclass(frozen=True)
class Selection:
    """`query` with SelectionSource.FILTER, `parent` with STILL_FAILING, `incident` with INCIDENT, else `ids`.

    `number`: about how many logs; None if unknown.
    """

    source: SelectionSource
    query: str = ""
    ids: tuple[str, ...] = ()
    parent: BulkRedelivery | None = None
    incident: Incident | None = None
    number: int | None = None

    @property
    def is_quick(self) -> bool:
        return self.number is not None and self.number <= QUICK_PLAN_LIMIT


def request_draft(selection: Selection, *, by) -> BulkRedelivery:
    """Return a plan for the selection; a job may still have to make it. A double click makes one plan."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [by.pk])
        if bulk := _created_just_now(selection, by):
            return bulk
        bulk = create_draft(
            selection.source, by=by, query=selection.query, parent=selection.parent, incident=selection.incident
        )
        if selection.is_quick:
            build_plan(bulk, selection.ids)
        else:
            _plan_later(bulk, selection)
    return bulk


def build_waiting_draft(pk: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """The work of the job. Safe to repeat: if `should_stop` or the database interrupts it, the plan still waits to be made."""
    bulk = BulkRedelivery.objects.select_related("planned_by").filter(pk=pk, state=BulkRedeliveryState.PLANNING).first()
    if bulk is None:
        return
    # A plan needs a user: without one, a filter would find the logs of all companies.
    if bulk.planned_by is None or not bulk.planned_by.is_active:
        mark_invalid(bulk, _("the account that requested it was deleted or is not active"))
        return
    try:
        build_plan(bulk, bulk.unknown)
    except Exception as fault:
        if not (isinstance(fault, Error) and (should_stop() or is_connection_lost(fault))):
            mark_invalid(bulk, _("an unexpected error; see the worker’s log for details"))
        raise


def lost_drafts() -> list[int]:
    """Ids of the bulk redeliveries that still have to be planned, but have no job, for whatever reason."""
    with connection.cursor() as cursor:
        cursor.execute(_DRAFTS_WITHOUT_JOB)
        return [pk for (pk,) in cursor.fetchall()]


def purge_old_drafts() -> int:
    """Delete plans that nobody started within DRAFT_RETENTION. Returns how many."""
    old = BulkRedelivery.objects.filter(
        state__in=DRAFT_STATES, planned_at__lt=timezone.now() - DRAFT_RETENTION
    ).order_by("pk")
    return sum(discard_draft(bulk) for bulk in old.only("pk"))


def _created_just_now(selection: Selection, by) -> BulkRedelivery | None:
    recent = BulkRedelivery.objects.filter(
        planned_by=by, state__in=DRAFT_STATES, planned_at__gt=timezone.now() - DOUBLE_CLICK_WINDOW, problem=""
    )
    same = recent.filter(
        source=selection.source, query=selection.query, parent=selection.parent, incident=selection.incident
    )
    return next((bulk for bulk in same.order_by("-pk") if _ids_of(bulk, selection) == set(selection.ids)), None)


def _ids_of(bulk: BulkRedelivery, selection: Selection) -> set[str]:
    """The ids that were requested. Only some of the unknown ids are kept; if there were more, no plan counts as the same."""
    if not selection.ids:
        return set()
    return {*bulk.unknown, *bulk.items.order_by().values_list("log", flat=True)}


def _plan_later(bulk: BulkRedelivery, selection: Selection) -> None:
    bulk.unknown = list(selection.ids)
    bulk.save(update_fields=["unknown"])
    app.configure_task("logs.tasks.plan_bulk_redelivery", allow_unknown=False).defer(pk=bulk.pk)
