"""Loads the demo into the database, and removes it. All of it belongs to one company, whose name says it's a demo."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from ..imports.importer import Importer, ImportSummary
from ..models import Company, Payload, Subscription, WebhookLog
from ..payloads.masking import masked_keys
from . import documents


def is_loaded() -> bool:
    return Company.objects.filter(pk=documents.COMPANY_ID).exists()


def is_visible_to(user) -> bool:
    return Company.objects.visible_to(user).filter(pk=documents.COMPANY_ID).exists()


def is_database_empty() -> bool:
    return not Company.objects.exists()


def load(receiver_url: str) -> ImportSummary:
    """Import the demo's documents; return the summary of the logs.

    Call it only without a demo: its datetimes count back from now, so a second call would create different logs.
    """
    Company.objects.update_or_create(pk=documents.COMPANY_ID, defaults={"name": documents.COMPANY_NAME})
    Importer(masked_keys()).import_subscriptions(_lines(documents.subscriptions(receiver_url)))
    # The demo has no Cotalker behind it: events that a user sends should be delivered.
    Subscription.objects.filter(company=documents.COMPANY_ID).update(is_delivered_here=True)
    return Importer(masked_keys()).import_logs(_lines(documents.logs(timezone.now())))


def point_at(receiver_url: str) -> None:
    """Update the subscriptions' URLs, since the demo's receiver may have a different port than last time."""
    for plan in documents.PLANS:
        Subscription.objects.filter(pk=documents.subscription_id(plan)).update(url=f"{receiver_url}/{plan.code}")


def remove() -> int:
    """Delete the demo's logs, subscriptions and company; return the number of logs."""
    with transaction.atomic():
        logs = WebhookLog.objects.filter(subscription__company=documents.COMPANY_ID)
        ids = list(logs.values_list("pk", flat=True))
        Payload.objects.filter(pk__in=ids).delete()
        logs.delete()
        Subscription.objects.filter(company=documents.COMPANY_ID).delete()
        Company.objects.filter(pk=documents.COMPANY_ID).delete()
    return len(ids)


def _lines(items: Iterator[dict]) -> Iterator[bytes]:
    for document in items:
        yield json.dumps(document, ensure_ascii=False).encode() + b"\n"
