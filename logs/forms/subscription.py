"""The form of a subscription: what its fields accept, and the error message of each mistake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import signing
from ..delivery.url_check import CheckResult
from ..models import Company, Subscription, Trigger
from ..subscriptions import request_headers
from ..subscriptions.services import suggest_code
from ..subscriptions.versions import decode_version, display_value, draft_for, draft_id, version_digest, version_of
from .fields import HeadersField, ObjectIdFormField, SecretInput, check_url

CONTEXT_FIELDS_BY_TRIGGER: dict[str, list[str]] = {
    Trigger.TASK: ["context_task_group"],
    Trigger.SURVEY: ["context_survey", "context_group"],
}
CONTEXT_FIELDS = ["context_task_group", "context_survey", "context_group"]
MAX_TIMEOUT_SECONDS = 120
KEEP, NONE, GENERATE, OWN = "keep", "none", "generate", "own"


def trigger_choices(subscription: Subscription) -> list[tuple[str, Any]]:
    """The triggers that cotadmin knows, plus the one that an import brought."""
    trigger = subscription.trigger
    return [*Trigger.choices, *([(trigger, trigger)] if trigger and not subscription.is_trigger_known else [])]


@dataclass(frozen=True)
class ConflictingChange:
    """A field that someone else changed, and its value now."""

    name: str
    label: str
    now: str


class SubscriptionForm(forms.ModelForm):
    """`SubscriptionForm(data, instance=subscription or None, user=request.user)`; subscription_saving stores it.

    `warnings`: what the user should know although the form is valid. `meanwhile`: what someone else has changed.
    A new subscription carries its `draft`: sent repeatedly, the form creates it only once.
    """

    secret_choice = forms.ChoiceField(label=_("Signing secret"), widget=forms.RadioSelect)
    own_secret = forms.CharField(
        label=_("Your secret"),
        required=False,
        help_text=_("whsec_ followed by 24 to 64 bytes in base64."),
        widget=SecretInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    headers = HeadersField()
    draft = forms.CharField(required=False, widget=forms.HiddenInput)
    opened = forms.CharField(required=False, widget=forms.HiddenInput)
    trigger = forms.ChoiceField(label=_("Trigger"), widget=forms.RadioSelect)
    timeout = forms.IntegerField(label=_("Timeout"), required=False, min_value=1, max_value=MAX_TIMEOUT_SECONDS)

    class Meta:
        model = Subscription
        fields = ["company", "name", "code", "description", "url", "trigger", *CONTEXT_FIELDS, "is_active"]
        fields += ["timeout", "pause_on_exhausted"]
        field_classes = dict.fromkeys(CONTEXT_FIELDS, ObjectIdFormField)
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "pause_on_exhausted": forms.RadioSelect,
            "url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
        }
        help_texts = {
            "context_task_group": _("The id of a task group. Leave empty for tasks of all groups."),
            "context_survey": _("The id of a survey. Leave empty for all surveys."),
            "context_group": _("The id of a group. Leave empty for all groups."),
        }

    def __init__(self, data=None, *, user, instance: Subscription | None = None) -> None:
        super().__init__(data, instance=instance)
        self.user = user
        self.warnings: list[str] = []
        self.meanwhile: list[ConflictingChange] = []
        self.is_new = instance is None
        self.is_repeated = False
        self.needs_kept_decision = False  # it is saved, but not active yet
        self.is_code_open = instance is None or instance.is_placeholder
        self._limit_company(user)
        self._remember(user)
        if self.is_code_open:
            self.fields["code"].required = False
            self.fields["code"].help_text = _(
                "Leave empty to derive it from the name. It cannot be changed once saved."
            )
        else:
            del self.fields["code"]
        self.fields["url"].required = True
        self.fields["trigger"].choices = trigger_choices(self.instance)  # type: ignore[attr-defined]
        self.fields["timeout"].help_text = gettext(
            "Seconds before an attempt times out, 1 to %(most)s. Leave empty for the default, %(default)g."
        ) % {"most": MAX_TIMEOUT_SECONDS, "default": settings.DELIVERY_TIMEOUT}
        self._offer_secrets()
        self.fields["headers"].show(self.instance)  # type: ignore[attr-defined]
        for field in self.fields.values():
            if not isinstance(field.widget, (forms.RadioSelect, forms.CheckboxInput)):
                field.widget.attrs["class"] = "input"

    def _remember(self, user) -> None:
        """Put into hidden fields which subscription to create, or the version with which the form was opened."""
        if self.is_new:
            del self.fields["opened"]
            self.fields["draft"].initial = draft_for(user)
            if pk := draft_id(self.data.get("draft", ""), user):
                self.instance.pk = pk
        else:
            del self.fields["draft"]
            self.fields["opened"].initial = version_of(self.instance, self.columns)

    @property
    def columns(self) -> list[str]:
        return [name for name in self.fields if name in self.Meta.fields and name not in ("company", "code")]

    def has_conflict(self, stored: Subscription) -> bool:
        """Whether someone changed `stored` since the form was opened, and not to the same values as this form.

        If so, the form reports the changes, keeps the user's input, and takes over the rest.
        """
        opened, now = (decode_version(text) for text in (self.cleaned_data["opened"], version_of(stored, self.columns)))
        typed = {name: version_digest(name, getattr(self.instance, name)) for name in self.columns}
        changed = [name for name in now if name in opened and opened[name] != now[name] != typed.get(name)]
        if not changed:
            return False
        self.meanwhile = [
            ConflictingChange(name, str(self.fields[name].label), display_value(stored, name)) for name in changed
        ]
        self.add_error(
            None, gettext("Someone changed this subscription while you were editing it. Nothing has been saved yet.")
        )
        untouched = {name for name in changed if typed.get(name) == opened[name]}
        if not request_headers.has_values(self.data.get("headers", "")):
            untouched.add("headers")
        self._take_over(stored, untouched)
        return True

    def _take_over(self, stored: Subscription, names: Iterable[str]) -> None:
        """Copy the stored values into these fields, and continue as if the form had been opened with them."""
        fresh = type(self)(user=self.user, instance=Subscription.objects.get(pk=stored.pk))
        data = QueryDict(mutable=True)
        data.update(self.data)
        for name in [*names, "opened"]:
            value = fresh[name].value()
            if name == "is_active" and not value:
                data.pop(name, None)  # an unticked box is not submitted
            else:
                data[name] = "" if value is None else "on" if name == "is_active" else str(value)
        self.data = data

    def _limit_company(self, user) -> None:
        """Offer the user's companies. There is no choice with only one company, or once the subscription is saved."""
        companies = Company.objects.visible_to(user)
        self.fields["company"].queryset = companies  # type: ignore[attr-defined]
        only = list(companies[:2]) if self.is_new else [self.instance.company]
        if len(only) == 1:
            del self.fields["company"]
            self.instance.company = only[0]

    def _offer_secrets(self) -> None:
        if self.instance.encrypted_secret:
            offered = [
                (KEEP, _("Keep the current one")),
                (GENERATE, _("Replace it with a generated one")),
                (OWN, _("Replace it with your own")),
                (NONE, _("Remove it: requests are not signed")),
            ]
        else:
            offered = [(GENERATE, _("Generate one")), (OWN, _("Enter your own"))]
            offered.insert(len(offered) if self.is_new else 0, (NONE, _("None: requests are not signed")))
        self.fields["secret_choice"].choices = offered  # type: ignore[attr-defined]
        self.fields["secret_choice"].initial = offered[0][0]

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors]

    def clean_description(self) -> str:
        """Browsers send different line breaks than Cotalker; that alone is no change."""
        return self.cleaned_data["description"].replace("\r\n", "\n")

    def clean_url(self) -> str:
        """Reject URLs that the destination filter would block. A host name that doesn't resolve yet only gives a warning."""
        url = self.cleaned_data["url"]
        if url == self.initial.get("url"):
            return url  # its page shows if it is blocked; other fields stay editable
        if check_url(url).answer != CheckResult.ALLOWED:
            self.warnings.append(
                gettext("The host name in the URL does not resolve right now. Deliveries will fail until it does.")
            )
        return url

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        for name in CONTEXT_FIELDS:
            if name not in CONTEXT_FIELDS_BY_TRIGGER.get(data.get("trigger", ""), []) and not self._keeps_odd_trigger(
                data
            ):
                self.errors.pop(name, None)  # the field is not on the screen
                data[name] = ""
        if data.get("secret_choice") == OWN:
            self._check_own_secret(data.get("own_secret", ""))
        if self.is_code_open:
            self._set_code(data)
        return data

    def _keeps_odd_trigger(self, data: dict[str, Any]) -> bool:
        return not self.instance.is_trigger_known and data.get("trigger") == self.initial.get("trigger")

    def _check_own_secret(self, secret: str) -> None:
        try:
            signing.validate_secret(secret)
        except ValueError:
            self.add_error("own_secret", gettext("A signing secret is whsec_ followed by 24 to 64 bytes in base64."))

    def _set_code(self, data: dict[str, Any]) -> None:
        company = data.get("company") or (None if "company" in self.fields else self.instance.company)
        if company is None or "code" in self.errors or "name" in self.errors:
            return
        if not data["code"]:
            data["code"] = suggest_code(data["name"], company)
        others = Subscription.objects.filter(company=company, code=data["code"], is_placeholder=False)
        if others.exclude(pk=self.instance.pk).exists():
            self.add_code_taken_error()

    def add_code_taken_error(self) -> None:
        self.add_error("code", gettext("This company has another subscription with this code."))
