"""The form of a share link: how long it's valid, a note to its readers, and whether it includes the payload."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from ..models import ShareLink

EXPIRY_DAYS = [(1, _("1 day")), (7, _("7 days")), (30, _("30 days"))]


class ShareLinkForm(forms.ModelForm):
    """`ShareLinkForm(data, user=request.user)`; `ShareLink.create_link` takes its clean data.

    Users who may not see payloads can't share one.
    """

    days = forms.TypedChoiceField(
        label=_("Link expires after"), choices=EXPIRY_DAYS, coerce=int, initial=7, widget=forms.RadioSelect
    )

    class Meta:
        model = ShareLink
        fields = ["note", "includes_payload"]
        labels = {
            "note": _("Note for the receiver’s team"),
            "includes_payload": _("Include the payload (masked values stay masked)"),
        }
        help_texts = {
            "note": _("Shown at the top of their page (optional)."),
            "includes_payload": _("It may contain personal data, and anyone with the link can read it."),
        }
        widgets = {"note": forms.Textarea(attrs={"rows": 3, "class": "input"})}

    def __init__(self, data=None, *, user) -> None:
        super().__init__(data)
        if not user.has_perm("logs.view_payload"):
            del self.fields["includes_payload"]

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors]
