"""What an incident's page shows of its logs: failure groups, objects, the first and the last answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, Min
from django.db.models.functions import Left

from ..models import Cause, Incident, State, WebhookLog

GROUPS_SHOWN = 10
LOGS_LOOKED_AT = 10_000
RESPONSE_SHOWN = 300  # characters


@dataclass(frozen=True)
class IncidentGroup:
    """`number` logs of one subscription with one cause and fingerprint."""

    incident_id: int
    subscription_id: str
    cause: str
    fingerprint: str
    number: int
    first_at: Any
    last_at: Any

    @property
    def search(self) -> str:
        """What finds these logs in the explorer."""
        parts = [f"incident:{self.incident_id}", "state:failed", f"sub:{self.subscription_id}"]
        return " ".join([*parts, f"cause:{self.cause}"] if self.cause else parts)

    @property
    def cause_label(self) -> str:
        return str(Cause(self.cause).label) if self.cause else str(Cause.OTHER.label)


def groups_of(incident: Incident, user) -> list[IncidentGroup]:
    """The largest groups of its logs that are failed now, alike in subscription, cause and fingerprint. One query."""
    failed = WebhookLog.objects.visible_to(user).filter(incident_log__incident=incident, state=State.FAILED).order_by()
    counted = failed.values_list("subscription", "cause", "fingerprint").annotate(
        n=Count("pk"), first=Min("created_at"), last=Max("created_at")
    )
    return [IncidentGroup(incident.pk, *row) for row in counted.order_by("-n", "subscription")[:GROUPS_SHOWN]]


def objects_of(incident: Incident, user) -> list[tuple[str, int]]:
    """How many objects of each event type its logs concern, among the first `LOGS_LOOKED_AT`. One query."""
    logs = WebhookLog.objects.visible_to(user).filter(incident_log__incident=incident).exclude(object_id="").order_by()
    looked_at = logs.values("event_type", "object_id")[:LOGS_LOOKED_AT]
    numbers: dict[str, set[str]] = {}
    for row in looked_at:
        numbers.setdefault(row["event_type"], set()).add(row["object_id"])
    return sorted(((event_type, len(ids)) for event_type, ids in numbers.items()), key=lambda pair: -pair[1])


def boundary_answers(incident: Incident, user) -> list[WebhookLog]:
    """Its first and its last failed log, with the beginning of their responses; one if they are the same. One query."""
    logs = WebhookLog.objects.visible_to(user).filter(pk__in=[incident.first_log, incident.last_log])
    shown = logs.select_related("subscription").defer("response", "extra", "search", "subscription__document")
    return list(shown.annotate(response_start=Left("response", RESPONSE_SHOWN)).order_by(F("created_at"), "pk"))
