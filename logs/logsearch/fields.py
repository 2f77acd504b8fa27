"""The fields of the search box: their names, the values they accept, and how values are parsed.

Also the condition of each filter, on columns that logs and log counts share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from django.db.models import Q
from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..cotalker.outcomes import Cause
from ..models import EventAction, EventType, State

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


def _among(column: str) -> Condition:
    return lambda values: Q(**{f"{column}__in": values})


def _known_or_other(column: str, known: Collection[str]) -> Condition:
    """Cotalker may add types and actions. "other" finds those that we don't know."""

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
    return Q(state__in=[State.DELIVERED if value == "SUCCESS" else State.FAILED for value in values])


CONDITIONS: dict[str, Condition] = {
    "state": _among("state"),
    "cause": _among("cause"),
    "status": _of_status,
    "type": _known_or_other("event_type", EventType.values),
    "action": _known_or_other("action", EventAction.values),
    "subscription": _among("subscription"),
    "result": _of_result,
    "fingerprint": _among("fingerprint"),
}


# By field: each accepted spelling, and the value as the filters spell it.
CHOICE_FIELDS: dict[str, dict[str, str]] = {
    "state": {state: state for state in State.values},
    "cause": {cause.value: cause.value for cause in Cause},
    "status": {name: name for name in STATUS_CLASSES},
    "type": {
        spelling: name
        for name in (*EventType.values, "other")
        for spelling in (name.lower(), name.removeprefix("COT").lower())
    }
    | {"element": EventType.PROPERTY.value, "login": EventType.SESSION.value},
    "action": {action: action for action in (*EventAction.values, "other")},
    "result": {"success": "SUCCESS", "failed": "FAILED"},
    "test": {"yes": "yes", "no": "no"},
    "was": {"failed": "failed"},
}
RANGE_FIELDS = ("status", "duration", "attempts")
TIME_FIELDS = ("failed",)
ID_FIELDS = ("id", "object", "incident")
TEXT_FIELDS = ("sub", "company", "response", "fingerprint")
SEARCH_FIELDS = tuple(dict.fromkeys([*CHOICE_FIELDS, *RANGE_FIELDS, *TIME_FIELDS, *TEXT_FIELDS, *ID_FIELDS]))
ALIASES = {"subscription": "sub"}
PATH_ROOTS = ("data", "extraData", "diff")

_RANGE = re.compile(r"(?P<sign>[<>]=?)(?P<edge>.+)|(?P<low>.*?)\.\.(?P<high>.*)", re.DOTALL)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min)")
_UNITS = {"ms": 1, "s": 1000, "min": 60_000}


class InvalidTerm(Exception):
    """Says what is wrong with a term."""


class RangeValue(NamedTuple):
    """The ends of a range, as in `query_language.RangeTerm`."""

    low: float | None
    high: float | None
    is_low_out: bool = False
    is_high_out: bool = False


def resolve_field(name: str) -> str:
    """The field with this name or alias, "" if there is none."""
    known = ALIASES.get(name.lower(), name.lower())
    return known if known in SEARCH_FIELDS else ""


def parse_choice(name: str, value: str) -> str:
    """The value as the filters spell it; raises InvalidTerm."""
    allowed = CHOICE_FIELDS[name]
    if name == "status" and re.fullmatch(r"0|[1-9][0-9]{0,2}", value):
        return value
    if canonical := allowed.get(value.lower()):
        return canonical
    names = ", ".join(dict.fromkeys(allowed if name == "state" else allowed.values()))
    if name == "status":
        message = _(
            "“%(value)s” isn’t an HTTP status. Write a number such as 409, a range such as 400..499, "
            "or one of: %(names)s."
        )
        raise InvalidTerm(message % {"value": value, "names": names})
    raise InvalidTerm(_("“%(value)s” isn’t a valid value. Use one of: %(names)s.") % {"value": value, "names": names})


def parse_id(name: str, value: str) -> str:
    """The id in lower case, or the number of an incident; raises InvalidTerm."""
    if name == "incident":
        return str(_number(value))
    try:
        return objectid.parse_objectid(value)
    except ValueError as error:
        raise InvalidTerm(_("An id has 24 digits, 0 to 9 and a to f.")) from error


def parse_span(name: str, value: str) -> RangeValue | None:
    """The range of a value, which may be a single one; None for one of the words of `status`. Raises InvalidTerm."""
    read = _READ[name]
    match = _RANGE.fullmatch(value)
    if match is None:
        return None if name in CHOICE_FIELDS else RangeValue(read(value), read(value))
    if sign := match["sign"]:
        edge, is_out = read(match["edge"]), not sign.endswith("=")
        return (
            RangeValue(edge, None, is_low_out=is_out) if sign[0] == ">" else RangeValue(None, edge, is_high_out=is_out)
        )
    low, high = (read(edge) if edge else None for edge in (match["low"], match["high"]))
    if low is None and high is None:
        raise InvalidTerm(_("A range needs a start or an end, such as 100..200."))
    if low is not None and high is not None and low > high:
        raise InvalidTerm(_("The range ends before it begins."))
    return RangeValue(low, high)


def parse_path(name: str) -> tuple[str, ...]:
    """The keys of a path, written with dots or as a JSON Pointer; empty if it isn't a path."""
    if name.startswith("/"):
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in name[1:].split("/"))
    else:
        steps = tuple(name.split("."))
    root = {root.lower(): root for root in PATH_ROOTS}.get(steps[0].lower())
    return (root, *steps[1:]) if root and all(steps) else ()


def _milliseconds(text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise InvalidTerm(_("Write the duration with its unit and no space: 800ms, 2s or 1min."))
    return float(match[1]) * _UNITS[match[2]]


def _number(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidTerm(_("“%(value)s” is not a whole number.") % {"value": text})
    return int(text)


_READ: dict[str, Callable[[str], float]] = {"duration": _milliseconds, "attempts": _number, "status": _number}
