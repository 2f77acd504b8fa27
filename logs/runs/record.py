"""Who did what with a run, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import AuditAction, AuditEntry, PauseReason, Run

ENTRIES = 50


@dataclass(frozen=True)
class Deed:
    """`who`: None where the run did it by itself."""

    at: datetime
    who: Any
    text: str


def record_of(run: Run, lane_names: dict[str, str]) -> list[Deed]:
    """Newest first. `lane_names`: of its subscriptions, by id. One query."""
    about = Q(about=run.record_key)
    about |= Q(about__in=run.lanes, action=AuditAction.RUN_LANE_LEFT, detail=run.record_key)
    entries = AuditEntry.objects.filter(about).select_related("actor")[:ENTRIES]
    return [Deed(entry.at, entry.actor, _told(entry, lane_names)) for entry in entries]


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
            return _("let it go on")
        case AuditAction.RUN_STOPPED:
            return _("stopped it")
        case AuditAction.RUN_LANE_LEFT:
            return _("left out %(name)s") % {"name": lane_names.get(entry.about, entry.about)}
        case other:
            return f"{dict(AuditAction.choices).get(other, other)} {entry.detail}"
