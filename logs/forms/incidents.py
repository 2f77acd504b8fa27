"""The forms of incidents: which are listed, and what people do with one."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .base import StrictForm

MORNING = 9  # o'clock, in the user's time zone
MAX_NOTE_LENGTH = 1_000  # characters


class IncidentListForm(StrictForm):
    """`?state=resolved&before=12`: the resolved incidents older than number 12."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("open", _("Open")), ("ignored", _("Ignored")), ("resolved", _("Resolved"))],
    )
    before = forms.IntegerField(label=_("Before"), required=False, min_value=1, max_value=2**31 - 1)

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("before") and self.cleaned_data.get("state") != "resolved":
            self.add_error("before", gettext("Only resolved incidents have more pages."))

    @property
    def state_name(self) -> str:
        return self.cleaned_data["state"] or "open"


class AcknowledgeForm(forms.Form):
    """Call `is_valid()` before `moment`."""

    until = forms.ChoiceField(
        label=_("Acknowledge"),
        choices=[
            ("resolved", _("until it is resolved")),
            ("1h", _("for one hour")),
            ("4h", _("for four hours")),
            ("morning", _("until tomorrow 09:00")),
        ],
        widget=forms.Select(attrs={"class": "input"}),
    )

    @property
    def moment(self) -> datetime | None:
        now = timezone.localtime()
        tomorrow = (now + timedelta(days=1)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
        hours = {"1h": now + timedelta(hours=1), "4h": now + timedelta(hours=4), "morning": tomorrow}
        return hours.get(self.cleaned_data["until"])


class AssignForm(forms.Form):
    """`AssignForm(request.POST, users=…)`; without an assignee, nobody is."""

    assignee: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Assignee"),
        required=False,
        queryset=None,
        empty_label=_("Nobody"),
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, *args, users: QuerySet, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = users  # type: ignore[attr-defined]


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Note"),
        max_length=MAX_NOTE_LENGTH,
        widget=forms.Textarea(attrs={"class": "input", "rows": 2, "autocomplete": "off"}),
    )
