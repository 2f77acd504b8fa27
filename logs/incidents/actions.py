"""What people do with an incident. Every action is in its timeline, and returns whether it changed anything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from ..models import Incident, IncidentEntry, Subscription
from ..models.querysets import PERMISSIONS

Kind = IncidentEntry.Kind


def assignable_users(incident: Incident) -> QuerySet:
    """The active users who see the incident, by name."""
    users = get_user_model().objects.with_perm("logs.view_webhooklog", backend=PERMISSIONS)
    return users.filter(Q(companies=incident.company_id) | Q(is_superuser=True)).distinct().order_by("username")


def acknowledge(incident: Incident, until: datetime | None, *, by) -> bool:
    """`until`: when it counts as open again; None: not before it is resolved."""
    values = {"acknowledged_by": by, "acknowledged_at": Now(), "acknowledged_until": until}
    return _change(incident, Q(resolved_at=None), Kind.ACKNOWLEDGED, by, **values)


def unacknowledge(incident: Incident, *, by) -> bool:
    values: dict[str, Any] = {"acknowledged_by": None, "acknowledged_at": None, "acknowledged_until": None}
    return _change(incident, Q(acknowledged_at__isnull=False), Kind.UNACKNOWLEDGED, by, "", **values)


def assign(incident: Incident, assignee, *, by) -> bool:
    """`assignee`: one of `assignable_users`; None: nobody."""
    pk = assignee.pk if assignee else None
    is_other = ~Q(assignee=pk) if pk else Q(assignee__isnull=False)
    return _change(incident, is_other, Kind.ASSIGNED, by, str(assignee or ""), assignee=assignee)


def ignore(incident: Incident, *, by) -> bool:
    """Until it has another cause, or fails in another subscription."""
    return _change(incident, Q(resolved_at=None, ignored_at=None), Kind.IGNORED, by, ignored_at=Now())


def stop_ignoring(incident: Incident, *, by) -> bool:
    return _change(incident, Q(ignored_at__isnull=False), Kind.NOT_IGNORED, by, ignored_at=None)


def record_check(subscription: Subscription, is_reachable: bool, *, by) -> None:
    """A person has checked the receiver: write what came of it into the unresolved incidents of the subscription."""
    found = _("%(name)s: reachable") if is_reachable else _("%(name)s: not reachable")
    for incident in Incident.objects.unresolved().filter(subscription_ids__contains=[subscription.pk]):
        _record(incident, Kind.CHECKED, by, found % {"name": subscription})


def add_note(incident: Incident, text: str, *, by) -> None:
    _record(incident, Kind.NOTE, by, text)


def _change(incident: Incident, condition: Q, kind: IncidentEntry.Kind, by, text: str = "", **values: Any) -> bool:
    with transaction.atomic():
        if not Incident.objects.filter(condition, pk=incident.pk).update(**values):
            return False
        _record(incident, kind, by, text, values.get("acknowledged_until"))
    return True


def _record(incident: Incident, kind: IncidentEntry.Kind, by, text: str, until: datetime | None = None) -> None:
    IncidentEntry.objects.create(incident=incident, at=timezone.now(), kind=kind, actor=by, text=text, until=until)
