"""Incidents in words."""

from __future__ import annotations

from collections.abc import Mapping

from django import template
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy, pgettext

from ..incidents.contents import ObjectCounts
from ..models import EventType, Incident, IncidentState, ItemOutcome
from ..redelivery.recovery import Recovery
from .components import badge

register = template.Library()

_OBJECTS = {
    EventType.TASK: ngettext_lazy("%(number)s task", "%(number)s tasks", "count"),
    EventType.USER: ngettext_lazy("%(number)s user", "%(number)s users", "count"),
    EventType.SURVEY: ngettext_lazy("%(number)s survey", "%(number)s surveys", "count"),
    EventType.PROPERTY: ngettext_lazy("%(number)s element", "%(number)s elements", "count"),
    EventType.NOTE: ngettext_lazy("%(number)s note", "%(number)s notes", "count"),
}
_OTHER_OBJECTS = ngettext_lazy("%(number)s other object", "%(number)s other objects", "count")


@register.simple_tag
def objects_in_words(objects: ObjectCounts) -> str:
    """37 tasks, 4 users"""
    known = {str(name): text for name, text in _OBJECTS.items()}
    words = ", ".join(
        known.get(event_type, _OTHER_OBJECTS) % {"count": number, "number": number_format(number, force_grouping=True)}
        for event_type, number in objects.numbers
    )
    return _("at least %(objects)s") % {"objects": words} if objects.is_least else words


_OUTCOMES = {
    ItemOutcome.DELIVERED: gettext_lazy("%(number)s delivered"),
    ItemOutcome.FAILED: gettext_lazy("%(number)s failed"),
    ItemOutcome.SKIPPED: gettext_lazy("%(number)s skipped"),
    "open": gettext_lazy("%(number)s not finished"),
}


@register.simple_tag
def outcomes_in_words(outcomes: Mapping[str, int]) -> str:
    """14 delivered, 2 failed"""
    shown = {outcome: number_format(number, force_grouping=True) for outcome, number in outcomes.items()}
    return ", ".join(text % {"number": shown[outcome]} for outcome, text in _OUTCOMES.items() if outcome in shown)


@register.simple_tag
def recovery_in_words(recovery: Recovery) -> str:
    """Retry 3 queues, resume ERP, redeliver 14 logs, settle 110 as superseded."""
    retried, resumed = recovery.queues.retried, recovery.queues.resumed
    parts = []
    if len(retried) == 1:
        parts.append(_("retry %(name)s") % {"name": retried[0]})
    elif retried:
        parts.append(_("retry %(number)s queues") % {"number": len(retried)})
    if len(resumed) == 1:
        parts.append(_("resume %(name)s") % {"name": resumed[0]})
    elif resumed:
        parts.append(_("resume %(number)s queues") % {"number": len(resumed)})
    if number := recovery.redelivered:
        text = ngettext("redeliver %(number)s log", "redeliver %(number)s logs", number)
        parts.append(text % {"number": number_format(number, force_grouping=True)})
    if number := recovery.settled:
        parts.append(_("settle %(number)s as superseded") % {"number": number_format(number, force_grouping=True)})
    if recovery.is_cut:
        parts.append(_("and more"))
    words = ", ".join(parts)
    return words[:1].upper() + words[1:]


@register.simple_tag
def incident_badges(incident: Incident) -> SafeString:
    """Whether its receiver works, and what people have said about it."""
    if incident.resolved_at is not None:
        is_left = incident.failed_count > 0  # for a week: see incidents/update.py
        return badge("skipped", _("Closed")) if is_left else badge("delivered", _("Resolved"), "check")
    recovered = pgettext("receiver", "Recovered")
    now = badge("failed", _("Failing"), "x") if incident.is_failing else badge("delivered", recovered, "check")
    state = {
        IncidentState.ACKNOWLEDGED: badge("pending", _("Acknowledged")),
        IncidentState.IGNORED: badge("skipped", _("Ignored")),
    }
    return SafeString(now + (state.get(incident.state) or SafeString()))
