"""The lanes: of each subscription the first log that is due, one at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ..models import Payload, WebhookLog
from .signing import SecretUnreadable


@dataclass(frozen=True)
class Delivery:
    """What the sender needs for one attempt. `problem`: why it cannot even be tried, "" where it can."""

    log_id: str
    lane: str
    url: str
    payload: bytes
    secret: str
    requested_by_id: int | None
    problem: str = ""


def due_deliveries(*, busy_lanes: Collection[str], limit: int) -> list[Delivery]:
    """The heads of at most `limit` lanes that have something due and nothing in flight."""
    heads = (
        WebhookLog.objects.heads()
        .exclude(subscription__in=busy_lanes)
        .select_related("subscription")
        .only("next_attempt_at", "position", "requested_by", "subscription__url", "subscription__encrypted_secret")
    )
    found = list(heads[:limit])
    events = dict(Payload.objects.filter(pk__in=[log.pk for log in found]).values_list("pk", "event"))
    return [_delivery(log, events.get(log.pk)) for log in found]


def _delivery(log: WebhookLog, event: str | None) -> Delivery:
    problem = secret = ""
    try:
        secret = log.subscription.secret
    except SecretUnreadable as error:
        problem = str(error)
    if event is None:
        problem = _("The payload has expired.")
    return Delivery(
        log_id=log.pk,
        lane=log.subscription_id,
        url=log.subscription.url,
        payload=(event or "").encode(),
        secret=secret,
        requested_by_id=log.requested_by_id,
        problem=problem,
    )
