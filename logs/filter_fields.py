"""The fields that only the filter of the logs has: a moment in the person's zone, a status or a class of them."""

from __future__ import annotations

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _

MOMENT_FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


class MomentField(forms.DateTimeField):
    """A date and time in the person's zone."""

    default_error_messages = {"invalid": _("Write a date as 2026-04-13 or 2026-04-13 22:30.")}

    def __init__(self, **kwargs) -> None:
        super().__init__(input_formats=MOMENT_FORMATS, **kwargs)

    def to_python(self, value):
        moment = super().to_python(value)
        if moment is not None and not 1970 <= moment.year <= 2105:
            raise forms.ValidationError(_("Choose a year from 1970 to 2105."), code="invalid")
        return moment


class MomentFilter(django_filters.Filter):
    field_class = MomentField


class StatusField(forms.MultipleChoiceField):
    """One of the classes, or a status itself."""

    def valid_value(self, value: str) -> bool:
        return super().valid_value(value) or (value.isascii() and value.isdigit() and 100 <= int(value) <= 999)


class StatusFilter(django_filters.MultipleChoiceFilter):
    field_class = StatusField
