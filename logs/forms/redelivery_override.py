"""The form of a redelivery with changes: another URL or payload for one attempt."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..cotalker import strict_json
from ..delivery.url_check import CheckResult, UrlCheck
from ..ingest.events import MAX_EVENT_BYTES
from ..models import RedeliveryOverride, WebhookLog
from ..payloads.exact_json import parse_exact, to_json
from ..payloads.masking import mask_url, masked_keys
from ..redelivery.overrides import OverridePermissions, redelivery_error
from .base import ReasonForm
from .fields import check_url


class RedeliveryOverrideForm(ReasonForm):
    """Includes the payload only while the editor is open; it starts from the `stored` event.

    `verdict`: the destination check of another URL. The edited text is sent byte for byte, with LF line ends.
    """

    url = forms.CharField(
        label=_("URL"),
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "class": "input"}),
    )
    event = forms.CharField(
        label=_("Payload"),
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 24, "class": "input mono", "spellcheck": "false", "autocomplete": "off", "wrap": "soft"}
        ),
    )
    # How many attempts the user saw, so that a double click sends once.
    expected_attempts = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    field_order = ["url", "event", "reason", "expected_attempts"]

    def __init__(
        self,
        data=None,
        *,
        log: WebhookLog,
        stored: str,
        allowed: OverridePermissions,
        has_editor: bool,
        shows_inside: bool,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        self.log = log
        self.stored = stored
        self.shows_inside = shows_inside
        self.verdict: UrlCheck | None = None
        self.fields["url"].help_text = gettext(
            "Destination of this attempt only. Leave empty to use the subscription’s URL, %(url)s"
        ) % {"url": mask_url(log.subscription.url, masked_keys())}
        if not allowed.to_send_elsewhere:
            del self.fields["url"]
        if not (allowed.to_edit and has_editor):
            del self.fields["event"]

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors]

    @property
    def warning(self) -> str:
        """What the user should know although the form is valid."""
        if self.verdict is None or self.verdict.answer == CheckResult.ALLOWED:
            return ""
        return gettext(
            "The host name in the URL can’t be resolved now. The attempt will fail unless it can be "
            "resolved when it is sent."
        )

    def clean_url(self) -> str:
        url = self.cleaned_data["url"]
        if url in ("", self.log.subscription.url):
            return ""
        self.verdict = check_url(url, shows_inside=self.shows_inside)
        return url

    def clean_event(self) -> str | None:
        """Return the edited event; None if it equals the stored one, which is then sent unchanged."""
        text = self.cleaned_data["event"].replace("\r\n", "\n")
        if len(text.encode()) > MAX_EVENT_BYTES:
            raise ValidationError(
                gettext("The payload is larger than %(limit)s MiB.") % {"limit": MAX_EVENT_BYTES // 1024**2}
            )
        try:
            event = strict_json.strict_loads(text)
        except strict_json.NotStrictJSON as error:
            raise ValidationError(_describe_error(error, text)) from error
        if not isinstance(event, dict):
            raise ValidationError(gettext("An event is a JSON object: it begins with { and ends with }."))
        is_same = to_json(parse_exact(text)) == to_json(parse_exact(self.stored))
        return None if is_same else text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if reason := redelivery_error(self.log):
            raise ValidationError(reason)
        if not self.errors and not data.get("url") and data.get("event") is None:
            raise ValidationError(gettext("There are no changes yet: enter another URL or edit the payload."))
        return data

    def add_conflict_error(self) -> None:
        """Report that another attempt was made after the page was opened.

        Takes over the new number of attempts, since the user now knows about it.
        """
        self.log.refresh_from_db(fields=["attempt_count"])
        self.data = {**self.data, "expected_attempts": self.log.attempt_count or 0}
        self.add_error(
            None,
            gettext("Nothing was queued: another attempt was made in the meantime. Check it before you send this."),
        )

    def override(self, user) -> RedeliveryOverride:
        """The requested changes, not stored yet."""
        event = self.cleaned_data.get("event")
        return RedeliveryOverride(
            url=self.cleaned_data.get("url", ""),
            is_edited=event is not None,
            event=event,
            reason=self.cleaned_data["reason"],
            requested_by=user,
        )


def _describe_error(error: strict_json.NotStrictJSON, text: str) -> str:
    """Return the position of the error, and what it is."""
    if error.offset is None:
        return gettext("This cannot be sent: %(reason)s.") % {"reason": error.reason}
    before = text[: error.offset]
    where = {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n"), "reason": error.reason}
    return gettext("Line %(line)s, column %(column)s: %(reason)s.") % where
