"""An attempt: one HTTP request of a log. Attempts are append-only: a redelivery never overwrites earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..cotalker import outcomes
from .choices import AttemptTrigger, Cause
from .subscription import Subscription
from .webhook_log import WebhookLog

if TYPE_CHECKING:
    from .redelivery_override import RedeliveryOverride


class Attempt(models.Model):
    log = models.ForeignKey(
        WebhookLog, models.CASCADE, related_name="attempts", db_index=False, verbose_name=_("webhook log")
    )
    # The subscription whose receiver got this attempt. Null if it went to a custom URL, and for Cotalker's own attempts.
    subscription = models.ForeignKey(
        Subscription,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        editable=False,
    )
    number = models.IntegerField(_("number"), help_text=_("Attempt number."))
    trigger = models.CharField(_("trigger"), max_length=10, choices=AttemptTrigger)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.IntegerField(_("duration"), null=True)
    url = models.CharField(_("URL"), max_length=2000, blank=True)
    status = models.IntegerField(_("status"), null=True)
    response_headers = models.JSONField(_("response headers"), default=list)
    response = models.TextField(_("response"), blank=True)
    is_truncated = models.BooleanField(_("truncated"), default=False)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)

    # What it sent instead. Set by redelivery.overrides.override_attempts.
    override: RedeliveryOverride | None = None

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["log", "number"]
        indexes = [
            # Finds the last attempt to each receiver, by its cause.
            models.Index(
                *("subscription", "cause", "started_at"),
                name="attempt_to_receiver",
                condition=models.Q(subscription__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["log", "number"], name="attempt_number_unique_in_log"),
            models.CheckConstraint(condition=models.Q(trigger__in=AttemptTrigger.values), name="attempt_trigger_known"),
            models.CheckConstraint(condition=models.Q(cause__in=["", *Cause.values]), name="attempt_cause_known"),
        ]

    def __str__(self) -> str:
        return _("Attempt %(number)s of %(log)s") % {"number": self.number, "log": self.log_id}

    @property
    def is_success(self) -> bool:
        return outcomes.is_success(self.status)

    @property
    def has_custom_url(self) -> bool:
        """Whether it went to a custom URL. It then says nothing about what the subscription's receiver got."""
        return self.override is not None and self.override.has_custom_url

    @classmethod
    def of_cotalker(cls, log: WebhookLog) -> Attempt:
        """An unsaved attempt with the last outcome at Cotalker, as the imported log has it."""
        return cls(
            log=log,
            number=max(log.attempt_count or 1, 1),
            trigger=AttemptTrigger.COTALKER,
            started_at=log.created_at,
            status=log.status,
            response=log.response or "",
            cause=log.cause,
        )
