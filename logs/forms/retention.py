"""The form of the Retention page: how many days payloads and logs are kept."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from ..models import Retention
from ..models.retention import SUGGESTED_LOG_DAYS, SUGGESTED_PAYLOAD_DAYS

SUGGESTED_DAYS = {"payload_days": SUGGESTED_PAYLOAD_DAYS, "log_days": SUGGESTED_LOG_DAYS}


class RetentionForm(forms.ModelForm):
    class Meta:
        model = Retention
        fields = ["payload_days", "log_days"]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for name, days in SUGGESTED_DAYS.items():
            field = self.fields[name]
            field.help_text = _("Leave empty to keep forever. Suggested: %(days)s.") % {"days": days}
            field.widget.attrs |= {"class": "input", "placeholder": days, "inputmode": "numeric"}

    def clean(self) -> dict[str, Any]:
        payload_days, log_days = self.cleaned_data.get("payload_days"), self.cleaned_data.get("log_days")
        if payload_days and log_days and payload_days > log_days:
            self.add_error("payload_days", _("A payload cannot be kept longer than its log."))
        return self.cleaned_data

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.errors if name in self.fields]
