"""What a person types into the palette."""

from django import forms
from django.utils.translation import gettext_lazy as _

from .base import StrictForm


class PaletteForm(StrictForm):
    """`?q=…`; "" before anything is typed."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200)
