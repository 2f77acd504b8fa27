"""Form fields that only the log filter has: a datetime in the person's time zone, and a status or status class."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import django_filters
from django import forms
from django.utils.timezone import get_current_timezone, now, override
from django.utils.translation import gettext_lazy as _

from .typed_times import parse_typed_time

DATETIME_FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


_STATUS = re.compile(r"0|[1-9][0-9]{0,2}")  # an imported log may have any status
_NO_OFFSET = timezone(timedelta(0), "no offset")


class LocalDateTimeField(forms.DateTimeField):
    """A datetime in the person's time zone, unless it has an offset: 2026-04-04 23:00-03:00. Also what `parse_typed_time` reads.

    When a clock goes back, a time that occurs twice means the first of the two. When a clock goes forward, a time that it skips
    is read with the offset before the change. `is_end`: "yesterday" means the end of that day.
    """

    default_error_messages = {
        "invalid": _("Write a time such as 08:00, yesterday 22:30, 30/11 08:15, 2026-04-13 22:30 or -2h.")
    }

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        self.is_end = is_end
        super().__init__(input_formats=DATETIME_FORMATS, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        moment = self._typed(value) if isinstance(value, str) else None
        if moment is None:
            with override(_NO_OFFSET):  # Django would refuse times around a clock change
                moment = super().to_python(value)
        if moment is not None and moment.tzinfo is _NO_OFFSET:
            moment = moment.replace(tzinfo=get_current_timezone())
        if moment is not None and not 1970 <= moment.year <= 2105:
            raise forms.ValidationError(_("Choose a year from 1970 to 2105."), code="invalid")
        # In UTC: Python calculates with the wall clock for two datetimes of one zone, even across a clock change.
        return moment and moment.astimezone(UTC)

    def _typed(self, value: str) -> datetime | None:
        try:
            return parse_typed_time(value, now(), is_end=self.is_end)
        except ValueError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class LocalDateTimeFilter(django_filters.Filter):
    field_class = LocalDateTimeField


class StatusField(forms.MultipleChoiceField):
    """A status class, or a status itself."""

    def valid_value(self, value: str) -> bool:
        return super().valid_value(value) or bool(_STATUS.fullmatch(value))


class StatusFilter(django_filters.MultipleChoiceFilter):
    field_class = StatusField
