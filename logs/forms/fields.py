"""Form fields that Django doesn't have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..delivery.url_check import CheckResult, UrlCheck, check_destination
from ..models import Subscription
from ..signing import SecretDecryptionError
from ..subscriptions import request_headers

URL_PATTERN = re.compile(
    r"https?://\S+", re.IGNORECASE
)  # what documents.read_subscription accepts, so that an export can be imported again


def check_url(url: str, *, shows_inside: bool = True) -> UrlCheck:
    """Run the destination check on a URL that a person enters. Raises ValidationError if it would be blocked.

    `shows_inside`: whether the person may learn which private address a host name resolves to.
    """
    if not URL_PATTERN.fullmatch(url):
        raise ValidationError(gettext("This is not an http or https URL."), code="invalid")
    verdict = check_destination(url)
    if not shows_inside:
        verdict = verdict.redacted()
    if verdict.answer == CheckResult.REFUSED:
        reason = {"reason": verdict.reason}
        raise ValidationError(
            gettext("Deliveries to this URL would be blocked: %(reason)s"), params=reason, code="blocked"
        )
    return verdict


class ObjectIdFormField(forms.CharField):
    """An ObjectId; upper and lower case mean the same."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").lower()


class SecretInput(forms.PasswordInput):
    """A text input, since nobody types a secret blindly. Like a password input, it never sends the value back."""

    input_type = "text"


class HeadersField(forms.CharField):
    """Request headers, one per line; its clean value is a list of names and values.

    `stored`: the headers behind masked values.
    """

    widget = forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})
    stored: Sequence[request_headers.Header] = ()

    def __init__(self, **options: Any) -> None:
        # Stripping would shift the line numbers.
        super().__init__(required=False, strip=False, label=_("Request headers"), **options)
        self.help_text = _("One per line: Name: value. Dots mean a saved value is kept.")

    def show(self, subscription: Subscription) -> None:
        """Show the subscription's headers by name.

        Headers that no key can decrypt stay as they are, unless new ones are entered.
        """
        try:
            self.stored = subscription.headers
        except SecretDecryptionError:
            self.help_text = gettext(
                "The saved headers cannot be read with the keys in FIELD_ENCRYPTION_KEYS. Headers you enter here replace them."
            )
        self.initial = request_headers.masked_lines(self.stored)

    def clean(self, value: Any) -> list[request_headers.Header]:
        try:
            return request_headers.parse_headers(super().clean(value), self.stored)
        except request_headers.InvalidHeaders as error:
            raise ValidationError(error.reasons) from error

    def is_changed_to(self, headers: list[request_headers.Header]) -> bool:
        return headers != list(self.stored)
