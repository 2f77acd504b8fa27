"""What an incident's page shows of its logs: failure groups, objects, the first and the last answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, F, Max, Min
from django.db.models.functions import Left
from django.urls import reverse

from ..models import Cause, Incident, State, WebhookLog
from ..payloads.masking import mask_text, masked_keys

GROUPS_SHOWN = 10
LOGS_LOOKED_AT = 10_000
RESPONSE_SHOWN = 300  # characters


@dataclass(frozen=True)
class IncidentGroup:
    """`number` logs of one subscription with one cause and fingerprint."""

    incident_id: int
    subscription: Any
    cause: str
    fingerprint: str
    number: int
    first_at: datetime
    last_at: datetime

    @property
    def address(self) -> str:
        """The URL of its logs in the explorer; without its fingerprint if that has values that were masked later."""
        is_masked = mask_text(self.fingerprint, masked_keys()) != self.fingerprint
        query = {
            "q": f"incident:{self.incident_id}",
            "state": State.FAILED,
            "subscription": self.subscription.pk,
            "cause": self.cause,
            "fingerprint": "" if is_masked else self.fingerprint,
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"{reverse('logs:webhook_log_list')}?{given}"

    @property
    def cause_label(self) -> str:
        return str(Cause(self.cause).label) if self.cause else str(Cause.OTHER.label)


def groups_of(incident: Incident, user) -> list[IncidentGroup]:
    """The largest groups of its logs that are failed now, alike in subscription, cause and fingerprint. One query.

    `incident`: with its subscriptions, see incidents.listing.
    """
    failed = WebhookLog.objects.visible_to(user).filter(incident_log__incident=incident, state=State.FAILED).order_by()
    counted = failed.values_list("subscription", "cause", "fingerprint").annotate(
        n=Count("pk"), first=Min("created_at"), last=Max("created_at")
    )
    named = {subscription.pk: subscription for subscription in incident.subscriptions}
    return [
        IncidentGroup(incident.pk, named[subscription_id], *row)
        for subscription_id, *row in counted.order_by("-n", "subscription")[:GROUPS_SHOWN]
        if subscription_id in named
    ]


@dataclass(frozen=True)
class ObjectCounts:
    """`numbers`: event types and how many objects each. `is_least`: there are more logs than were looked at."""

    numbers: list[tuple[str, int]]
    is_least: bool


def objects_of(incident: Incident, user) -> ObjectCounts:
    """The objects that its logs concern, by the event type of the first `LOGS_LOOKED_AT`. One query."""
    logs = WebhookLog.objects.visible_to(user).filter(incident_log__incident=incident).exclude(object_id="").order_by()
    looked_at = list(logs.values_list("event_type", "object_id")[:LOGS_LOOKED_AT])
    numbers = Counter(event_type for event_type, _object_id in set(looked_at))
    return ObjectCounts(numbers.most_common(), len(looked_at) == LOGS_LOOKED_AT)


def boundary_answers(incident: Incident, user) -> list[WebhookLog]:
    """Its first and its last failed log, with the beginning of their responses; one if they are the same. One query."""
    logs = WebhookLog.objects.visible_to(user).filter(pk__in=[incident.first_log, incident.last_log])
    shown = logs.select_related("subscription").defer("response", "extra", "search", "subscription__document")
    return list(shown.annotate(response_start=Left("response", RESPONSE_SHOWN)).order_by(F("created_at"), "pk"))
