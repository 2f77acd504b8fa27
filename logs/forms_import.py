"""The form that uploads a file to import."""

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from .models import ImportKind


class ImportForm(forms.Form):
    kind = forms.ChoiceField(label=_("What is in the file"), choices=ImportKind, initial=ImportKind.LOGS)
    file = forms.FileField(
        label=_("File"),
        max_length=255,
        error_messages={"required": _("Choose a file."), "empty": _("This file is empty.")},
    )

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_LIMIT:
            raise forms.ValidationError(
                _(
                    "This file has %(size)s; at most %(limit)s can be uploaded. Compress it with gzip, or use manage.py import_logs."
                ),
                params={"size": filesizeformat(file.size), "limit": filesizeformat(settings.UPLOAD_LIMIT)},
            )
        return file
