"""By the filter, what its values mean in the columns that logs and the rollups have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from django.db.models import Q

from ..models import State

Condition = Callable[[Sequence[str]], Q]

STATUS_CLASSES = {
    "success": Q(status__range=(200, 209)),
    "2xx": Q(status__range=(210, 299)),
    "3xx": Q(status__range=(300, 399)),
    "4xx": Q(status__range=(400, 499)),
    "5xx": Q(status__range=(500, 599)),
    "none": Q(status=None),
    "other": Q(status__lt=200) | Q(status__gt=599),
}
EVENT_TYPES = ("COTUser", "COTTask", "COTSurvey", "COTProperty", "COTNote", "Auth")
ACTIONS = ("create", "edit", "delete", "logout")


def _among(column: str) -> Condition:
    return lambda values: Q(**{f"{column}__in": values})


def _known_or_other(column: str, known: Collection[str]) -> Condition:
    """Cotalker may add types and actions; those that we do not know are found as "other"."""

    def condition(values: Sequence[str]) -> Q:
        chosen = Q(**{f"{column}__in": values})
        return chosen | ~Q(**{f"{column}__in": list(known)}) if "other" in values else chosen

    return condition


def _of_status(values: Sequence[str]) -> Q:
    chosen = Q(status__in=[int(value) for value in values if value not in STATUS_CLASSES])
    for value in values:
        chosen |= STATUS_CLASSES.get(value, Q())
    return chosen


def _of_result(values: Sequence[str]) -> Q:
    return Q(state__in=[State.SUCCEEDED if value == "SUCCESS" else State.FAILED for value in values])


CONDITIONS: dict[str, Condition] = {
    "state": _among("state"),
    "cause": _among("cause"),
    "status": _of_status,
    "type": _known_or_other("event_type", EVENT_TYPES),
    "action": _known_or_other("action", ACTIONS),
    "subscription": _among("subscription"),
    "result": _of_result,
    "fingerprint": _among("fingerprint"),
}
