"""A subscription (COTWebhook): what it watches, and the URL to which its events are posted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import signing
from ..cotalker import objectid
from .choices import Trigger
from .company import Company
from .fields import JSONTextField, ObjectIdField, is_objectid
from .querysets import SubscriptionQuerySet
from .queue import QueueMixin

CODE_PATTERN = r"^[a-z0-9_]+$"
PREVIOUS_SECRET_LIFETIME = timedelta(hours=24)
SECRET_COLUMNS = ["encrypted_secret", "encrypted_previous_secret", "previous_secret_until"]
LOCAL_ONLY_FIELDS = {"timeout", "pause_on_exhausted"}  # imported documents don't have these fields


class Subscription(QueueMixin):
    id = ObjectIdField(
        _("id"), primary_key=True, default=objectid.new_objectid, validators=[is_objectid], editable=False
    )
    company = models.ForeignKey(Company, models.PROTECT, related_name="subscriptions", verbose_name=_("company"))
    name = models.CharField(_("name"), max_length=200)
    code = models.CharField(
        _("code"),
        max_length=100,
        validators=[RegexValidator(CODE_PATTERN[:-1] + r"\Z", _("Only a–z, 0–9 and _ are allowed."))],
        help_text=_("Unique in the company. It cannot be changed once saved."),
    )
    description = models.TextField(_("description"), blank=True)
    url = models.CharField(
        _("URL"), max_length=2000, blank=True, help_text=_("The http or https URL that events are posted to.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    # Usually a `Trigger`. An imported subscription may have an unknown trigger, which matches no event.
    trigger = models.CharField(_("trigger"), max_length=40, blank=True)
    context_survey = ObjectIdField(_("survey"), blank=True, validators=[is_objectid])
    context_group = ObjectIdField(_("group"), blank=True, validators=[is_objectid])
    context_task_group = ObjectIdField(_("task group"), blank=True, validators=[is_objectid])

    is_placeholder = models.BooleanField(
        _("placeholder"),
        default=False,
        editable=False,
        help_text=_("Logs refer to this subscription, but it has not been imported yet."),
    )
    # The id that logs use for it, if it is or was a placeholder. A company may have one for another company's subscription.
    named_id = ObjectIdField(blank=True, default="", db_default="", editable=False)
    # Its logs were imported by command or by a superuser, so for all companies.
    is_for_all_companies = models.BooleanField(default=False, db_default=False, editable=False)
    # Fields that were changed here. Importing the Cotalker document doesn't overwrite them.
    edited_fields = models.JSONField(_("edited here"), default=list, editable=False)
    # The document as imported, unknown fields included, so that an export is equal to it. Null if it was created here.
    document = JSONTextField(_("document"), null=True, editable=False)
    encrypted_secret = models.TextField(_("secret"), blank=True, editable=False)
    encrypted_previous_secret = models.TextField(blank=True, editable=False)
    # Until then, the previous secret signs too, so that the receiver has time to switch.
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    encrypted_headers = models.TextField(blank=True, editable=False)
    timeout = models.PositiveSmallIntegerField(
        _("timeout"),
        null=True,
        blank=True,
        help_text=_("Seconds before an attempt times out. Leave empty for the default."),
    )
    # cotadmin matches and sends its events. Off for imported subscriptions: Cotalker sends those itself.
    is_delivered_here = models.BooleanField(_("delivered by cotadmin"), default=True, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(id__regex=r"^[0-9a-f]{24}$"), name="subscription_id_is_objectid"),
            models.CheckConstraint(condition=~models.Q(code="", is_placeholder=False), name="subscription_has_code"),
            models.CheckConstraint(
                condition=~models.Q(trigger="", is_placeholder=False), name="subscription_has_trigger"
            ),
            models.CheckConstraint(
                condition=models.Q(is_placeholder=False) | models.Q(is_active=False, url=""),
                name="subscription_placeholder_is_inactive",
            ),
            models.UniqueConstraint(
                fields=["named_id", "company", "is_for_all_companies"],
                condition=~models.Q(named_id=""),
                name="subscription_placeholder_once",
            ),
            models.UniqueConstraint(
                fields=["company", "code"],
                condition=models.Q(is_placeholder=False),
                name="subscription_code_unique_in_company",
                violation_error_message=_("This company has another subscription with this code."),
            ),
        ]
        indexes = [
            models.Index(
                "company",
                "trigger",
                name="subscription_matching",
                condition=models.Q(is_active=True, is_delivered_here=True),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("logs:subscription_detail", args=[self.pk])

    def get_trigger_display(self) -> str:
        return str(Trigger(self.trigger).label) if self.is_trigger_known else self.trigger

    @property
    def keeps_events(self) -> bool:
        """Whether events have waited since it was deactivated, until a person decides."""
        return not (self.is_active or self.is_draining) and self.waiting().exists()

    @property
    def is_trigger_known(self) -> bool:
        return self.trigger in Trigger.values

    @property
    def secret(self) -> str:
        """The decrypted signing secret, "" if there is none; raises signing.SecretDecryptionError if no key fits."""
        return (
            signing.decrypt_secret(self.encrypted_secret, settings.FIELD_ENCRYPTION_KEYS)
            if self.encrypted_secret
            else ""
        )

    @secret.setter
    def secret(self, plain: str) -> None:
        self.encrypted_secret = signing.encrypt_secret(plain, settings.FIELD_ENCRYPTION_KEYS) if plain else ""

    def replace_secret(self, plain: str) -> None:
        """Sign with `plain` from now on, and for 24 hours also with the current secret. "" removes both. Doesn't save."""
        self.encrypted_previous_secret, self.previous_secret_until = "", None
        if (
            plain and self.encrypted_secret and self.is_secret_readable
        ):  # one that can't be decrypted would stop the queue
            self.encrypted_previous_secret = self.encrypted_secret
            self.previous_secret_until = timezone.now() + PREVIOUS_SECRET_LIFETIME
        self.secret = plain

    @property
    def is_secret_readable(self) -> bool:
        try:
            return bool(self.secret)
        except signing.SecretDecryptionError:
            return False

    @property
    def previous_secret_signs_until(self) -> datetime | None:
        """None if only the current secret signs."""
        until = self.previous_secret_until
        return until if until and self.encrypted_previous_secret and until > timezone.now() else None

    @property
    def secret_rotation(self) -> str:
        """Identifies the last replacement of the secret; "" before the first."""
        return self.previous_secret_until.isoformat() if self.previous_secret_until else ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The decrypted custom request headers, in order; raises signing.SecretDecryptionError if no key fits."""
        if not self.encrypted_headers:
            return []
        plain = signing.decrypt_secret(self.encrypted_headers, settings.FIELD_ENCRYPTION_KEYS)
        return [(name, value) for name, value in json.loads(plain)]

    @headers.setter
    def headers(self, headers: Sequence[tuple[str, str]]) -> None:
        plain = json.dumps(headers)
        self.encrypted_headers = signing.encrypt_secret(plain, settings.FIELD_ENCRYPTION_KEYS) if headers else ""

    @property
    def header_names(self) -> list[str] | None:
        """None if no key can decrypt them."""
        try:
            return [name for name, _value in self.headers]
        except signing.SecretDecryptionError:
            return None

    def track_edit(self, fields: list[str]) -> None:
        """Remember which fields were changed here, so that the next import keeps them."""
        self.edited_fields = sorted({*self.edited_fields, *fields} - LOCAL_ONLY_FIELDS)
