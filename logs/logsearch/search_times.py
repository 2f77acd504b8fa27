"""The times of a search term: failed:08:00..09:15, failed:yesterday."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from .fields import InvalidTerm
from .filter_fields import LocalDateTimeField

_START, _END = LocalDateTimeField(required=False), LocalDateTimeField(required=False, is_end=True)


class TimeSpan(NamedTuple):
    """From `since` to before `until`, in UTC; None: no end. At least one of them is set."""

    since: datetime | None
    until: datetime | None


def parse_time_span(text: str) -> TimeSpan:
    """The time between two others, or that of a day. Raises InvalidTerm."""
    start, dots, end = text.partition("..")
    try:
        span = TimeSpan(_START.clean(start), _END.clean(end if dots else start))
    except ValidationError as error:
        raise InvalidTerm(" ".join(error.messages)) from error
    if span == (None, None) or (not dots and span.since == span.until):
        raise InvalidTerm(_("Write a start and an end, such as 08:00..09:15, or a day, such as yesterday."))
    if span.since and span.until and span.since >= span.until:
        raise InvalidTerm(_("The range ends before it begins."))
    return span
