"""The base of the forms that read a page's query string, and the form that asks for the reason of a skip."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

MAX_ID = 2**63 - 1


class StrictForm(forms.Form):
    """`StrictForm(request.GET)`: the filter, the order and the cursor of a list.

    Strict: an unknown parameter, a second value or an invalid one is an error, never "everything".
    """

    data: QueryDict
    cursor_fields: ClassVar[tuple[str, ...]] = ()  # which part of the list is shown

    def clean(self) -> None:
        for name in self.data:
            if name not in self.fields:
                self.add_error(None, gettext("There is no parameter “%(name)s”.") % {"name": name[:60]})
            elif len(self.data.getlist(name)) > 1 and not isinstance(self.fields[name].widget, forms.SelectMultiple):
                self.add_error(name, gettext("Only one value can be given."))

    def address(self, **changes: str) -> str:
        """The query string of the beginning of the list with these values changed; "" removes a parameter."""
        query = self.data.copy()
        for name in self.cursor_fields:
            query.pop(name, None)
        for name, value in changes.items():
            query.setlist(name, [value] if value else [])
        return "?" + query.urlencode()


class ReasonForm(forms.Form):
    """The reason of a skip, which goes into the audit log."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("Logged in the activity with your name."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
