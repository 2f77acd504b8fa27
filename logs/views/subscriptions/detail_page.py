"""Context of the subscription pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ...cotalker.documents import read_subscription
from ...delivery.queue_status import next_logs, queue_status
from ...delivery.queue_summary import waiting_count
from ...delivery.ssrf import DestinationBlocked, DestinationFilter
from ...ingest.sample_events import test_event_error
from ...models import AuditEntry, Subscription, WebhookLog
from ...stats.subscription_health import subscription_health
from ...stats.subscription_list import subscription_rows
from ...subscriptions.services import activation_error

MOST_ROWS = 100
RECENT = 10
AUDIT_ENTRIES = 20
SECRET_ONCE = "subscription_secret_once"  # noqa: S105  session key for the id whose new secret is to be shown


@dataclass(frozen=True)
class Difference:
    """A field that was edited in cotadmin and now differs from Cotalker's document."""

    column: str
    label: str
    here: Any
    at_cotalker: Any


def list_context(subscriptions: QuerySet[Subscription], sort: str) -> dict[str, Any]:
    """The subscriptions with their health."""
    now = timezone.now()
    return {"now": now, "subscriptions": subscription_rows(subscriptions, now, MOST_ROWS, sort)}


def detail_context(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    newest = WebhookLog.objects.on(subscription).for_list().newest_first()[:RECENT]
    logs = {log.pk: log for log in newest.union(next_logs(subscription), all=True)}.values()
    is_secret_new = request.session.get(SECRET_ONCE) == subscription.pk
    if is_secret_new:
        del request.session[SECRET_ONCE]
    return {
        "subscription": subscription,
        "health": subscription_health(subscription, timezone.now()),
        "waiting": waiting_count(subscription),
        "queue": queue_status(subscription, logs),
        "refusal": _refusal(subscription.url),
        "activation_error": activation_error(subscription),
        "is_testable": not test_event_error(subscription),
        "differences": differences(subscription),
        "logs": sorted(logs, key=lambda log: (log.created_at, log.pk), reverse=True)[:RECENT],
        "record": list(AuditEntry.objects.filter(target=subscription.pk).select_related("actor")[:AUDIT_ENTRIES]),
        "new_secret": subscription.secret if is_secret_new else "",
    }


def differences(subscription: Subscription) -> list[Difference]:
    if not subscription.document:
        return []
    document = read_subscription(subscription.document.encode())
    result = []
    for column in subscription.edited_fields:
        here, at_cotalker = getattr(subscription, column), getattr(document, column)
        if here != at_cotalker:
            label = Subscription._meta.get_field(column).verbose_name  # type: ignore[union-attr]
            result.append(Difference(column, str(label), here, at_cotalker))
    return result


def _refusal(url: str) -> str:
    """Return why the destination filter would block the URL, without resolving its host name; "" if it wouldn't."""
    try:
        if url:
            DestinationFilter.from_settings().check_url(url)
    except DestinationBlocked as blocked:
        return str(blocked.message)
    return ""
