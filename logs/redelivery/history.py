"""The bulk redeliveries that a log is or was in, and the history of a bulk redelivery: who did what, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Attempt, AttemptTrigger, AuditAction, AuditEntry, PauseReason, Run, RunEntry, WebhookLog

MAX_BULK_REDELIVERIES = 50


def bulk_redeliveries_of(log: WebhookLog, user) -> list[RunEntry]:
    """The log's items in started bulk redeliveries that the user may see, newest first. One query."""
    visible = Run.objects.visible_to(user).started()
    return list(
        log.run_entries.filter(run__in=visible.values("pk"))
        .select_related("run")
        .order_by("-run")[:MAX_BULK_REDELIVERIES]
    )


def attach_bulk_ids(attempts: Iterable[Attempt], entries: Sequence[RunEntry]) -> None:
    """Set `run_id` on each attempt of a bulk redelivery that is among `entries`.

    An item stores only the number of its last attempt.
    """
    tried = sorted((entry.attempt_number, entry.run_id) for entry in entries if entry.attempt_number)
    for attempt in attempts:
        if attempt.trigger == AttemptTrigger.BULK:
            attempt.run_id = next((run for number, run in tried if number >= attempt.number), None)  # type: ignore[attr-defined]


MAX_HISTORY_ENTRIES = 50


@dataclass(frozen=True)
class HistoryEntry:
    """`who`: None if the bulk redelivery did it by itself."""

    at: datetime
    who: Any
    text: str


def history_of_bulk(run: Run, lane_names: dict[str, str]) -> list[HistoryEntry]:
    """Newest first. `lane_names`: the names of its subscriptions, by id. One query."""
    about = Q(about=run.record_key)
    about |= Q(about__in=run.lanes, action=AuditAction.RUN_LANE_LEFT, detail=run.record_key)
    entries = AuditEntry.objects.filter(about).select_related("actor")[:MAX_HISTORY_ENTRIES]
    return [HistoryEntry(entry.at, entry.actor, _told(entry, lane_names)) for entry in entries]


def _told(entry: AuditEntry, lane_names: dict[str, str]) -> str:
    match entry.action:
        case AuditAction.RUN_STARTED:
            number = int(entry.detail.partition(":")[0])
            return ngettext("started it with %(number)s log", "started it with %(number)s logs", number) % {
                "number": number
            }
        case AuditAction.RUN_PAUSED if entry.detail == PauseReason.PERSON:
            return _("paused it")
        case AuditAction.RUN_PAUSED:
            return _("paused it: %(reason)s") % {"reason": dict(PauseReason.choices).get(entry.detail, entry.detail)}
        case AuditAction.RUN_RESUMED:
            return _("resumed it")
        case AuditAction.RUN_STOPPED:
            return _("stopped it")
        case AuditAction.RUN_LANE_LEFT:
            return _("excluded %(name)s") % {"name": lane_names.get(entry.about, entry.about)}
        case other:
            return f"{dict(AuditAction.choices).get(other, other)} {entry.detail}"
