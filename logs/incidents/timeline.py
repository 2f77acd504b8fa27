"""The timeline of an incident: what the worker found, what people did, and what happened to its subscriptions meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from ..models import AuditAction, AuditEntry, BulkRedelivery, BulkRedeliveryItem, Incident, ItemOutcome, Subscription
from ..models.choices import OPEN_OUTCOMES

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
    """`subscription`, `bulk`: what it is about, if not the incident itself. `until`: how long it was acknowledged.

    `outcomes`: of a bulk redelivery, how many of the incident's logs were delivered, failed, skipped, or are not finished.
    """

    at: datetime
    label: str
    actor: Any = None
    text: str = ""
    until: datetime | None = None
    subscription: Subscription | None = None
    bulk: BulkRedelivery | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Timeline:
    entries: list[TimelineEntry]
    is_cut: bool

    @property
    def bulk_redeliveries(self) -> list[BulkRedelivery]:
        """Those that delivered logs of the incident."""
        return [entry.bulk for entry in self.entries if entry.bulk and entry.outcomes.get(ItemOutcome.DELIVERED)]


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
    outcomes = _outcomes(incident)
    bulks = BulkRedelivery.objects.visible_to(user).started().filter(pk__in=outcomes)
    return [
        TimelineEntry(
            bulk.started_at,
            _("bulk redelivery started"),
            bulk.started_by,
            bulk.reason,
            bulk=bulk,
            outcomes=outcomes[bulk.pk],
        )
        for bulk in bulks.select_related("started_by").order_by("-pk")[:MAX_ENTRIES]
        if bulk.started_at
    ]


def _outcomes(incident: Incident) -> dict[int, Counter[str]]:
    """What became of its logs in each bulk redelivery."""
    items = BulkRedeliveryItem.objects.filter(log__incident_log__incident=incident).order_by()
    sent = items.exclude(outcome__in=[ItemOutcome.PLANNED, ItemOutcome.EXCLUDED])
    outcomes: dict[int, Counter[str]] = defaultdict(Counter)
    for bulk, outcome, number in sent.values_list("bulk_redelivery", "outcome").annotate(n=Count("pk")):
        outcomes[bulk]["open" if outcome in OPEN_OUTCOMES else outcome] += number
    return outcomes
