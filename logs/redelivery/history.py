"""The bulk redeliveries that a log is or was in, and the history of a bulk redelivery: who did what, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import (
    Attempt,
    AttemptTrigger,
    AuditAction,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryItem,
    PauseReason,
    WebhookLog,
)

MAX_BULK_REDELIVERIES = 50


def bulk_redeliveries_of(log: WebhookLog, user) -> list[BulkRedeliveryItem]:
    """The log's items in started bulk redeliveries that the user may see, newest first. One query."""
    visible = BulkRedelivery.objects.visible_to(user).started()
    return list(
        log.bulk_redelivery_items.filter(bulk_redelivery__in=visible.values("pk"))
        .select_related("bulk_redelivery")
        .order_by("-bulk_redelivery")[:MAX_BULK_REDELIVERIES]
    )


def attach_bulk_ids(attempts: Iterable[Attempt], items: Sequence[BulkRedeliveryItem]) -> None:
    """Set `bulk_redelivery_id` on each attempt of a bulk redelivery that is among `items`.

    An item stores only the number of its last attempt.
    """
    last_attempts = sorted((item.attempt_number, item.bulk_redelivery_id) for item in items if item.attempt_number)
    for attempt in attempts:
        if attempt.trigger == AttemptTrigger.BULK:
            bulk_ids = (pk for number, pk in last_attempts if number >= attempt.number)
            attempt.bulk_redelivery_id = next(bulk_ids, None)  # type: ignore[attr-defined]


MAX_HISTORY_ENTRIES = 50


@dataclass(frozen=True)
class HistoryEntry:
    """`who`: None if the bulk redelivery did it by itself."""

    at: datetime
    who: Any
    text: str


def history_of_bulk(bulk: BulkRedelivery, subscription_names: dict[str, str]) -> list[HistoryEntry]:
    """Newest first. `subscription_names`: the names of its subscriptions, by id. One query."""
    excluded = Q(action=AuditAction.BULK_SUBSCRIPTION_EXCLUDED, data__bulk=bulk.pk)
    is_of_bulk = Q(target=bulk.audit_target) | excluded & Q(target__in=bulk.selected_subscriptions)
    entries = AuditEntry.objects.filter(is_of_bulk).select_related("actor")[:MAX_HISTORY_ENTRIES]
    return [HistoryEntry(entry.at, entry.actor, _text_of(entry, subscription_names)) for entry in entries]


def _text_of(entry: AuditEntry, subscription_names: dict[str, str]) -> str:
    match entry.action:
        case AuditAction.BULK_STARTED:
            number = entry.data["logs"]
            return ngettext("started it with %(number)s log", "started it with %(number)s logs", number) % {
                "number": number
            }
        case AuditAction.BULK_PAUSED if entry.data["reason"] == PauseReason.PERSON:
            return _("paused it")
        case AuditAction.BULK_PAUSED:
            return _("paused it: %(reason)s") % {"reason": PauseReason(entry.data["reason"]).label}
        case AuditAction.BULK_RESUMED:
            return _("resumed it")
        case AuditAction.BULK_STOPPED:
            return _("stopped it")
        case AuditAction.BULK_SUBSCRIPTION_EXCLUDED:
            return _("excluded %(name)s") % {"name": subscription_names.get(entry.target, entry.target)}
        case other:
            return f"{dict(AuditAction.choices).get(other, other)} {entry.detail}"
