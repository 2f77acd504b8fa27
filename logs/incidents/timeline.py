"""The timeline of an incident: what the worker found, what people did, and what happened to its subscriptions meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from ..models import AuditAction, AuditEntry, BulkRedelivery, BulkRedeliveryItem, Incident, ItemOutcome, Subscription

MAX_ENTRIES = 100  # of each kind
AUDITED = [
    AuditAction.SUBSCRIPTION_CHANGED,
    AuditAction.ACTIVATED,
    AuditAction.DEACTIVATED,
    AuditAction.SECRET_CHANGED,
    AuditAction.DELIVERY_HERE,
    AuditAction.DELIVERY_AT_COTALKER,
    AuditAction.QUEUE_PAUSED,
    AuditAction.QUEUE_RESUMED,
    AuditAction.TEST_SENT,
]


@dataclass(frozen=True)
class TimelineEntry:
    """`subscription`, `bulk`: what it is about, if not the incident itself. `until`: how long it was acknowledged."""

    at: datetime
    label: str
    actor: Any = None
    text: str = ""
    until: datetime | None = None
    subscription: Subscription | None = None
    bulk: BulkRedelivery | None = None


@dataclass(frozen=True)
class Timeline:
    entries: list[TimelineEntry]
    is_cut: bool


def timeline_of(incident: Incident, user) -> Timeline:
    """Oldest first; only what the user may see. At most five queries."""
    parts = [_own(incident), _bulk_redeliveries(incident, user)]
    if user.has_perm("logs.view_auditentry"):
        parts.append(_audited(incident, user))
    entries = sorted((entry for part in parts for entry in part), key=lambda entry: entry.at)
    return Timeline(entries[-MAX_ENTRIES:], len(entries) > MAX_ENTRIES or any(len(p) == MAX_ENTRIES for p in parts))


def _own(incident: Incident) -> list[TimelineEntry]:
    rows = incident.entries.select_related("actor").order_by("-at", "-pk")[:MAX_ENTRIES]
    return [
        TimelineEntry(row.at, str(row.get_kind_display()), row.actor, row.text, until=row.until)
        for row in reversed(rows)
    ]


def _audited(incident: Incident, user) -> list[TimelineEntry]:
    names = Subscription.objects.visible_to(user).in_bulk(incident.subscription_ids)
    rows = AuditEntry.objects.filter(
        target__in=list(names),
        action__in=AUDITED,
        at__range=(incident.started_at, incident.resolved_at or timezone.now()),
    )
    newest = rows.select_related("actor").order_by("-at")[:MAX_ENTRIES]
    return [
        TimelineEntry(row.at, str(row.get_action_display()), row.actor, subscription=names[row.target])
        for row in newest
    ]


def _bulk_redeliveries(incident: Incident, user) -> list[TimelineEntry]:
    """Those that held logs of it, and were started."""
    bulks = BulkRedelivery.objects.visible_to(user).started().filter(pk__in=_bulk_ids(incident))
    return [
        TimelineEntry(bulk.started_at, _("bulk redelivery started"), bulk.started_by, bulk.reason, bulk=bulk)
        for bulk in bulks.select_related("started_by").order_by("-pk")[:MAX_ENTRIES]
        if bulk.started_at
    ]


def _bulk_ids(incident: Incident):
    items = BulkRedeliveryItem.objects.filter(log__incident_log__incident=incident)
    return items.exclude(outcome__in=[ItemOutcome.PLANNED, ItemOutcome.EXCLUDED]).values("bulk_redelivery")
