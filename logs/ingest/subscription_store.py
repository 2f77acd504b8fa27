"""Stores one COTWebhook: new, filling in a placeholder, or changed at Cotalker; what was edited here stays."""

from __future__ import annotations

import json

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from ..documents import BadDocument, SubscriptionDocument
from ..models import Company, Subscription
from .reach import Reach

_COLUMNS = (
    "company_id",
    "name",
    "code",
    "description",
    "url",
    "is_active",
    "trigger",
    "context_survey",
    "context_group",
    "context_task_group",
)
_WORKERS_NOTICE = {"url", "is_active"}


def store_subscription(document: SubscriptionDocument, reach: Reach) -> str:
    """Whether it was "new", "updated" or "unchanged"; raises BadDocument where it may not be stored."""
    reach.check(document.company_id)
    try:
        with transaction.atomic():
            subscription = Subscription.objects.select_for_update().filter(pk=document.id).first()
            Company.objects.get_or_create(pk=document.company_id)
            if subscription is None:
                values = {column: getattr(document, column) for column in _COLUMNS}
                Subscription.objects.create(id=document.id, document=document.text, we_deliver=False, **values)
                return "new"
            reach.check(subscription.company_id, "/_id")
            return "updated" if _update(subscription, document) else "unchanged"
    except IntegrityError as error:
        if "subscription_code_unique_in_company" not in str(error):
            raise
        raise BadDocument(_("the company has another subscription with this code"), "/code") from error


def _update(subscription: Subscription, document: SubscriptionDocument) -> bool:
    changed = ["is_placeholder"] if subscription.is_placeholder else []
    subscription.is_placeholder = False
    for column in _COLUMNS:
        if column not in subscription.edited_fields and getattr(subscription, column) != getattr(document, column):
            setattr(subscription, column, getattr(document, column))
            changed.append(column)
    if subscription.document is None or json.loads(subscription.document) != json.loads(document.text):
        subscription.document = document.text
        changed.append("document")
    if "is_active" in changed:
        subscription.is_draining = False
        changed.append("is_draining")
    if changed:
        subscription.save(update_fields=changed)
    if not _WORKERS_NOTICE.isdisjoint(changed):
        subscription.tell_workers()
    return bool(changed)


def make_placeholder(subscription: str, company: str) -> None:
    """Keep the place of a subscription that logs name and nobody has imported: inactive, without a URL."""
    Company.objects.get_or_create(pk=company)
    Subscription.objects.get_or_create(
        pk=subscription,
        defaults={
            "company_id": company,
            "name": subscription,
            "is_placeholder": True,
            "is_active": False,
            "we_deliver": False,
        },
    )
