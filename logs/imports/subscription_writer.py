"""Stores one COTWebhook: a new one, one that replaces a placeholder, or one changed in Cotalker. Fields edited here stay."""

from __future__ import annotations

import json

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ..cotalker.documents import InvalidDocument, SubscriptionDocument
from ..models import AuditAction, AuditEntry, Company, Subscription
from .company_scope import ImportScope
from .placeholders import claim_placeholder

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


def store_subscription(document: SubscriptionDocument, reach: ImportScope) -> str:
    """Returns "new", "updated" or "unchanged". Raises InvalidDocument if it may not be stored."""
    reach.check(document.company_id)
    try:
        with transaction.atomic():
            return _store(document, reach)
    except IntegrityError as error:
        if "logs_subscription_pkey" in str(error):  # another import has just stored it
            return store_subscription(document, reach)
        if "subscription_code_unique_in_company" not in str(error):
            raise
        raise InvalidDocument(_("the company has another subscription with this code"), "/code") from error


def _store(document: SubscriptionDocument, reach: ImportScope) -> str:
    Company.objects.get_or_create(pk=document.company_id)
    is_its = Q(pk=document.id) | Q(named_id=document.id, is_placeholder=True)
    rows = list(Subscription.objects.select_for_update().filter(is_its).order_by("pk"))
    subscription = next((row for row in rows if row.pk == document.id), None)
    if subscription is None:
        values = {column: getattr(document, column) for column in _COLUMNS}
        Subscription.objects.create(id=document.id, document=document.text, is_delivered_here=False, **values)
        claim_placeholder(document.id, document.company_id, reach, rows)
        return "new"
    if not subscription.is_placeholder:  # a placeholder belongs to nobody
        reach.check(subscription.company_id, "/_id")
    claim_placeholder(document.id, document.company_id, reach, rows)
    return "updated" if _update(subscription, document, reach) else "unchanged"


def _update(subscription: Subscription, document: SubscriptionDocument, reach: ImportScope) -> bool:
    keeps_events = document.is_active and subscription.keeps_events
    changed = ["is_placeholder", "named_id", "is_for_all_companies"] if subscription.is_placeholder else []
    subscription.is_placeholder = False
    if changed:
        subscription.named_id, subscription.is_for_all_companies = "", False
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
    if keeps_events and subscription.is_active:
        changed += _pause(subscription, reach)
    if changed:
        subscription.save(update_fields=changed)
    if not _WORKERS_NOTICE.isdisjoint(changed):
        subscription.notify_workers()
    return bool(changed)


def _pause(subscription: Subscription, reach: ImportScope) -> list[str]:
    """Pause the queue of a subscription that becomes active while events are kept for it. Returns the changed columns.

    An import can't ask about each subscription, and must not send anything by itself. A paused queue stays as it is.
    """
    if subscription.paused_at is not None:
        return []
    subscription.paused_at, subscription.blocking_log, subscription.blocking_error = timezone.now(), "", ""
    reason = _("an import activated the subscription while it had kept events")
    AuditEntry.record(reach.user, AuditAction.QUEUE_PAUSED, subscription.pk, reason)
    return ["paused_at", "blocking_log", "blocking_error"]
