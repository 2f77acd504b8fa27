"""What the pages of subscriptions show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ..delivery.guard import Blocked, Guard
from ..documents import read_subscription
from ..health import Health, health_of
from ..ingest.event_tests import why_not_testable
from ..lane_state import lane_state
from ..models import AuditEntry, Subscription, WebhookLog
from ..subscription_changes import why_not_activatable
from ..time_limit import TookTooLong, time_limit

MOST_ROWS = 100
HEALTH_SECONDS = 5.0
RECENT = 10
RECORD_ENTRIES = 20
SECRET_ONCE = "subscription_secret_once"  # noqa: S105  the session's key for the id whose new secret is to be shown


@dataclass(frozen=True)
class Difference:
    """A field that was edited here and now differs from Cotalker's document."""

    column: str
    label: str
    here: Any
    at_cotalker: Any


def list_context(found: QuerySet[Subscription]) -> dict[str, Any]:
    """The subscriptions with their health, lowest success first, then those without traffic."""
    subscriptions = list(found.select_related("company").defer("document", "description", "encrypted_secret"))
    health = _health(subscriptions)
    rows = [(subscription, health.get(subscription.pk)) for subscription in subscriptions]
    rows.sort(key=_worst_first)
    return {
        "rows": rows[:MOST_ROWS],
        "count": len(rows),
        "is_cut": len(rows) > MOST_ROWS,
        "is_health_known": bool(health) or not rows,
        "has_companies": len({subscription.company_id for subscription in subscriptions}) > 1,
    }


def detail_context(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    logs = WebhookLog.objects.on(subscription).for_list().newest_first()
    is_secret_new = request.session.get(SECRET_ONCE) == subscription.pk
    if is_secret_new:
        del request.session[SECRET_ONCE]
    return {
        "subscription": subscription,
        "health": _health([subscription]).get(subscription.pk),
        "lane": lane_state(subscription),
        "refusal": _refusal(subscription.url),
        "why_not": why_not_activatable(subscription),
        "is_testable": not why_not_testable(subscription),
        "differences": differences(subscription),
        "failures": list(logs.failed()[:RECENT]),
        "logs": list(logs[:RECENT]),
        "record": list(AuditEntry.objects.filter(about=subscription.pk).select_related("actor")[:RECORD_ENTRIES]),
        "new_secret": subscription.secret if is_secret_new else "",
    }


def differences(subscription: Subscription) -> list[Difference]:
    if not subscription.document:
        return []
    document = read_subscription(subscription.document.encode())
    found = []
    for column in subscription.edited_fields:
        here, at_cotalker = getattr(subscription, column), getattr(document, column)
        if here != at_cotalker:
            label = Subscription._meta.get_field(column).verbose_name  # type: ignore[union-attr]
            found.append(Difference(column, str(label), here, at_cotalker))
    return found


def _health(subscriptions: list[Subscription]) -> dict[str, Health]:
    """Empty where the database takes too long: the page is of use without the figures."""
    try:
        with time_limit(HEALTH_SECONDS):
            return health_of([subscription.pk for subscription in subscriptions], timezone.now())
    except TookTooLong:
        return {}


def _worst_first(row: tuple[Subscription, Health | None]) -> tuple:
    subscription, health = row
    success = health.success_percent if health else None
    return (success is None, success or 0, subscription.name, subscription.pk)


def _refusal(url: str) -> str:
    """Why the guard would refuse the URL, as far as that is known without resolving its name; "" where it would not."""
    try:
        if url:
            Guard.from_settings().check_url(url)
    except Blocked as blocked:
        return str(blocked.message)
    return ""
