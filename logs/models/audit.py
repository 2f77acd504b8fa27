"""The audit log: who revealed a masked value, redelivered a log, changed a subscription."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import ObjectIdField


class AuditAction(models.TextChoices):
    REVEALED = "revealed", _("revealed a masked value")
    REDELIVERED = "redelivered", _("requested a redelivery")
    REDELIVERED_WITH_CHANGES = "redelivered_with_changes", _("requested a redelivery with changes")
    BULK_STARTED = "bulk_started", _("started a bulk redelivery")
    BULK_PAUSED = "bulk_paused", _("paused a bulk redelivery")
    BULK_RESUMED = "bulk_resumed", _("resumed a bulk redelivery")
    BULK_STOPPED = "bulk_stopped", _("stopped a bulk redelivery")
    BULK_SUBSCRIPTION_EXCLUDED = "bulk_subscription_excluded", _("excluded the subscription from a bulk redelivery")
    SUBSCRIPTION_CREATED = "subscription_created", _("created the subscription")
    SUBSCRIPTION_CHANGED = "subscription_changed", _("changed the subscription")
    ACTIVATED = "activated", _("activated the subscription")
    DEACTIVATED = "deactivated", _("deactivated the subscription")
    SECRET_CHANGED = "secret_changed", _("changed the signing secret")
    SECRET_REVEALED = "secret_revealed", _("revealed the signing secret")
    DELIVERY_HERE = "delivery_here", _("switched delivery to cotadmin")
    DELIVERY_AT_COTALKER = "delivery_at_cotalker", _("switched delivery to Cotalker")
    QUEUE_PAUSED = "queue_paused", _("paused the queue")
    QUEUE_RESUMED = "queue_resumed", _("resumed the queue")
    RETRIED_NOW = "retried_now", _("requested an immediate attempt")
    SKIPPED = "skipped", _("skipped the event")
    SETTLED = "settled", _("settled the log as superseded")
    UNSETTLED = "unsettled", _("undid that the log is superseded")
    SENT_WAITING = "sent_waiting", _("sent the waiting events")
    SKIPPED_WAITING = "skipped_waiting", _("skipped the waiting events")
    TEST_SENT = "test_sent", _("sent a test event")
    ENDPOINT_CREATED = "endpoint_created", _("created an inbound endpoint")
    ENDPOINT_REVOKED = "endpoint_revoked", _("revoked an inbound endpoint")
    TOKEN_CREATED = "token_created", _("created an API token")
    TOKEN_REVOKED = "token_revoked", _("revoked an API token")
    SHARE_LINK_CREATED = "share_link_created", _("created a share link")
    SHARE_LINK_REVOKED = "share_link_revoked", _("revoked a share link")
    EXPORTED_UNMASKED = "exported_unmasked", _("exported without masking")
    RETENTION_CHANGED = "retention_changed", _("changed how long logs are kept")
    SIGN_IN_FAILED = "sign_in_failed", _("could not sign in")
    SIGN_IN_BLOCKED = "sign_in_blocked", _("was blocked after too many sign-in attempts")
    PASSWORD_CHANGED = "password_changed", _("changed their password")
    RETENTION_STOPPED = "retention_stopped", _("stopped a retention run")
    DEMO_REMOVED = "demo_removed", _("removed the demo data")


class AuditEntry(models.Model):
    """`target`: the id of the log or subscription, or `BulkRedelivery.audit_target`. Text, as the entry outlives the object."""

    at = models.DateTimeField(_("time"), auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    action = models.CharField(_("action"), max_length=40, choices=AuditAction)
    target = ObjectIdField(_("target"), blank=True)
    detail = models.CharField(_("detail"), max_length=1000, blank=True)  # for people
    data = models.JSONField(default=dict, editable=False)  # for the code: numbers, ids, reasons

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-at", "-id"]
        indexes = [models.Index("target", models.F("at").desc(), name="audit_target")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.get_action_display()}"

    @classmethod
    def record(cls, actor, action: AuditAction, target: str = "", detail: str = "", **data: Any) -> None:
        """Write one entry. Neither `detail` nor `data` has values of payloads, only their pointers."""
        cls.objects.create(actor=actor, action=action, target=target, detail=detail[:1000], data=data)
