"""The form that asks for the reason of a skip, which goes into the audit log.

The cursor of the list of bulk redeliveries, from its URL.
"""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("Logged in the activity with your name."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )


class BulkListForm(forms.Form):
    before = forms.IntegerField(label=_("Before"), required=False, min_value=1, max_value=2**63 - 1)
