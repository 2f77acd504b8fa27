"""An address of the explorer as it is meant, so that it means the same to whoever gets it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from ..filter_fields import MomentField

TIMES = ("since", "until")
_moment = MomentField(required=False)


def settled(query: QueryDict) -> QueryDict:
    """Its times by UTC, for another reader's clock may show others; and no value both chosen and excluded: the box that somebody
    ticked last is not hidden. What cannot be read stays as it is.
    """
    found = QueryDict(mutable=True)
    for name, values in query.lists():
        if name in TIMES:
            values = [_settled_time(value) for value in values]
        elif name.startswith("not_"):
            values = [value for value in values if value not in query.getlist(name.removeprefix("not_"))]
        if values:
            found.setlist(name, values)
    return found


def _settled_time(value: str) -> str:
    try:
        moment = _moment.clean(value)
    except ValidationError:
        return value
    return by_utc(moment) if moment else value


def by_utc(moment: datetime) -> str:
    """2026-04-13T22:30Z"""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    has_seconds = utc.second or utc.microsecond
    return (utc.isoformat() if has_seconds else utc.isoformat(timespec="minutes")) + "Z"


def is_shown_once(local: datetime) -> bool:
    """Not in the hour that comes twice when a clock is put back."""
    return local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()


def by_clock(moment: datetime) -> str:
    """As the reader would write it: 2026-04-13 22:30. With its offset where their clock shows the same time twice."""
    local = timezone.localtime(moment)
    told = local.replace(tzinfo=None) if is_shown_once(local) else local
    return told.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")
