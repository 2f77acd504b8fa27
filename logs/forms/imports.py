"""The upload form, and strict parsing of the import pages' URLs."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import ImportKind
from ..templatetags.ui import humanbytes
from .base import MAX_ID, StrictForm


class ImportForm(forms.Form):
    """`ImportForm(request.POST, request.FILES, user=request.user)`: the file, and what it contains."""

    kind = forms.ChoiceField(
        label=_("File contents"),
        choices=ImportKind.choices,
        initial=ImportKind.LOGS,
        error_messages=dict.fromkeys(
            ["required", "invalid_choice"], _("Choose what the file contains: logs or subscriptions.")
        ),
    )
    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The file is empty.")}
    )

    def __init__(self, *args, user, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.may_import_subscriptions = user.has_perm("logs.add_subscription")

    @property
    def limit(self) -> str:
        return humanbytes(settings.MAX_UPLOAD_BYTES)

    def clean_kind(self) -> str:
        kind = self.cleaned_data["kind"]
        if kind == ImportKind.SUBSCRIPTIONS and not self.may_import_subscriptions:
            raise ValidationError(
                gettext("Your role can’t import subscriptions. Only administrators can."), code="forbidden"
            )
        return kind

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > settings.MAX_UPLOAD_BYTES:
            raise ValidationError(
                gettext(
                    "The file is larger than the upload limit of %(limit)s. Compress it with gzip, or split it in two."
                ),
                params={"limit": self.limit},
                code="too_large",
            )
        return file


class ImportListForm(StrictForm):
    """`?before=7`: the imports that were uploaded before number 7."""

    before = forms.IntegerField(label=_("Page"), required=False, min_value=1, max_value=MAX_ID)


class RejectedListForm(StrictForm):
    """`?after=50`: the rejected documents that come after the file's 50th document."""

    after = forms.IntegerField(label=_("Page"), required=False, min_value=1, max_value=MAX_ID)
