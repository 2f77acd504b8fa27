"""Which subscriptions an event matches, by trigger, context and company. Only active ones that cotadmin delivers count.

Source of the rule: the table of triggers in Cotalker's documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from ..cotalker import objectid
from ..models import TYPE_OF_TRIGGER, EventAction, EventType, Trigger

_TRIGGER_OF_TYPE: dict[str, str] = {event_type: trigger for trigger, event_type in TYPE_OF_TRIGGER.items()}

# Uses the index subscription_matching. Sorted, so that all code returns and locks them in the same order.
_WATCHING = """
SELECT subscription.id, subscription.company_id, subscription.trigger,
    subscription.context_task_group, subscription.context_survey, subscription.context_group
FROM unnest(%s::text[], %s::text[]) AS requested (company, trigger)
JOIN logs_subscription subscription
    ON subscription.company_id = requested.company AND subscription.trigger = requested.trigger
WHERE subscription.is_active AND subscription.is_delivered_here AND subscription.url <> ''
ORDER BY subscription.id
"""


@dataclass(frozen=True, slots=True)
class EventScope:
    """What an event is about, as far as matching needs it. The ids of the context are "" if the event has none."""

    company: str
    type: str
    action: str
    task_group: str = ""
    survey: str = ""
    group: str = ""

    @property
    def trigger(self) -> str:
        """The trigger that it fires; "" if it fires none."""
        if self.type == EventType.SESSION and self.action != EventAction.LOGOUT:
            return ""
        return _TRIGGER_OF_TYPE.get(self.type, "")


@dataclass(frozen=True, slots=True)
class SubscriptionScope:
    """What a subscription watches. An empty context id matches any id."""

    subscription: str
    company: str
    trigger: str
    task_group: str = ""
    survey: str = ""
    group: str = ""


def event_scope(company: str, event: dict[str, Any]) -> EventScope:
    """Of a COTEvent that documents.read_event has accepted."""
    data = event.get("data")
    ids = [
        _id_or_empty(data.get(key) if isinstance(data, dict) else None) for key in ("taskGroup", "surveyId", "group")
    ]
    return EventScope(company, event["type"], event["event"], *ids)


def scopes_match(watch: SubscriptionScope, event: EventScope) -> bool:
    """Whether the event matches the subscription, which must be active and delivered by cotadmin."""
    if (watch.company, watch.trigger) != (event.company, event.trigger) or not event.trigger:
        return False
    if watch.trigger == Trigger.TASK:
        return watch.task_group in ("", event.task_group)
    if watch.trigger == Trigger.SURVEY:
        return watch.survey in ("", event.survey) and watch.group in ("", event.group)
    return True


def matching_subscriptions(events: Iterable[EventScope]) -> list[list[str]]:
    """For each event, the ids of the subscriptions that it matches, in the order of ids. One query for all events."""
    events = list(events)
    watches = _watching({(event.company, event.trigger) for event in events if event.trigger})
    return [
        [watch.subscription for watch in watches.get((event.company, event.trigger), ()) if scopes_match(watch, event)]
        for event in events
    ]


def _watching(requested: set[tuple[str, str]]) -> dict[tuple[str, str], list[SubscriptionScope]]:
    scopes: dict[tuple[str, str], list[SubscriptionScope]] = {}
    if not requested:
        return scopes
    with connection.cursor() as cursor:
        cursor.execute(_WATCHING, [list(column) for column in zip(*requested, strict=True)])
        for row in cursor.fetchall():
            watch = SubscriptionScope(*row)
            scopes.setdefault((watch.company, watch.trigger), []).append(watch)
    return scopes


def _id_or_empty(value: Any) -> str:
    return value.lower() if objectid.is_objectid(value) else ""
