"""The place in the list of runs, as the address has it."""

from django import forms
from django.utils.translation import gettext_lazy as _


class RunPlace(forms.Form):
    before = forms.IntegerField(label=_("Before"), required=False, min_value=1, max_value=2**63 - 1)
