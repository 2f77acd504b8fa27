"""Incidents as lists show them: the most pressing first, with their subscriptions."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q
from django.utils import timezone

from ..models import Incident, Subscription
from ..models.querysets import IncidentQuerySet


def most_pressing_first(incidents: IncidentQuerySet) -> IncidentQuerySet:
    """Failing before recovered ones, and those with the most recent failures first. Acknowledged ones come last."""
    until = Q(acknowledged_until=None) | Q(acknowledged_until__gt=timezone.now())
    ranked = incidents.annotate(
        has_recovered=Q(recovered_at__isnull=False), is_seen=Q(acknowledged_at__isnull=False) & until
    )
    return ranked.order_by("is_seen", "has_recovered", "-last_failed_at", "-pk")


def pressing_incidents(user, most: int) -> list[Incident]:
    """Unresolved and not ignored, at most so many. Two queries."""
    visible = Incident.objects.visible_to(user).pressing().select_related("acknowledged_by", "assignee")
    incidents = list(most_pressing_first(visible)[:most])
    add_subscriptions(incidents, user)
    return incidents


def add_subscriptions(incidents: Iterable[Incident], user) -> None:
    """Set `subscriptions` on each: those that the user may see, by name. One query, none without incidents."""
    ids = {pk for incident in incidents for pk in incident.subscription_ids}
    visible = Subscription.objects.visible_to(user).filter(pk__in=ids).only("name", "code").order_by("name", "pk")
    found = list(visible) if ids else []
    for incident in incidents:
        incident.subscriptions = [row for row in found if row.pk in incident.subscription_ids]
