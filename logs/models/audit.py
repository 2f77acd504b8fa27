"""The audit log: who revealed a masked value, redelivered a log, changed a subscription."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import ObjectIdField


class AuditAction(models.TextChoices):
    REVEALED = "revealed", _("revealed a masked value")
    REDELIVERED = "redelivered", _("requested a redelivery")
    VARIANT_SENT = "variant_sent", _("requested a redelivery with changes")
    RUN_STARTED = "run_started", _("started a bulk redelivery")
    RUN_PAUSED = "run_paused", _("paused a bulk redelivery")
    RUN_RESUMED = "run_resumed", _("resumed a bulk redelivery")
    RUN_STOPPED = "run_stopped", _("stopped a bulk redelivery")
    RUN_LANE_LEFT = "run_lane_left", _("excluded the subscription from a bulk redelivery")
    SUBSCRIPTION_CREATED = "created", _("created the subscription")
    SUBSCRIPTION_CHANGED = "changed", _("changed the subscription")
    ACTIVATED = "activated", _("activated the subscription")
    DEACTIVATED = "deactivated", _("deactivated the subscription")
    SECRET_CHANGED = "secret", _("changed the signing secret")
    SECRET_REVEALED = "secret_revealed", _("revealed the signing secret")
    WE_DELIVER = "we_deliver", _("switched delivery to cotadmin")
    COTALKER_DELIVERS = "cotalker_delivers", _("switched delivery to Cotalker")
    HELD = "held", _("paused the queue")
    RELEASED = "released", _("resumed the queue")
    RETRIED_NOW = "retried_now", _("requested an immediate attempt")
    SKIPPED = "skipped", _("skipped the event")
    SENT_WAITING = "sent_waiting", _("sent the waiting events")
    SKIPPED_WAITING = "skipped_waiting", _("skipped the waiting events")
    TEST_SENT = "test_sent", _("sent a test event")
    DOOR_MADE = "door_made", _("created an inbound endpoint")
    DOOR_REVOKED = "door_revoked", _("revoked an inbound endpoint")
    TOKEN_MADE = "token_made", _("created an API token")
    TOKEN_REVOKED = "token_revoked", _("revoked an API token")
    HANDED_OFF = "handed_off", _("created a share link")
    HAND_OFF_REVOKED = "hand_off_revoked", _("revoked a share link")
    EXPORTED_UNMASKED = "exported", _("exported without masking")
    RETENTION_CHANGED = "retention", _("changed how long logs are kept")
    SIGN_IN_FAILED = "sign_in_failed", _("could not sign in")
    SIGN_IN_BLOCKED = "sign_in_blocked", _("was blocked after too many sign-in attempts")
    PASSWORD_CHANGED = "password_changed", _("changed their password")
    RETENTION_STOPPED = "retention_stopped", _("stopped a retention run")
    DEMO_REMOVED = "demo_removed", _("removed the demo data")


class AuditEntry(models.Model):
    """`about`: the id of the log or subscription, or `Run.record_key`. It is text, so that the entry outlives that object."""

    at = models.DateTimeField(_("time"), auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    action = models.CharField(_("action"), max_length=20, choices=AuditAction)
    about = ObjectIdField(_("about"), blank=True)
    detail = models.CharField(_("detail"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-at", "-id"]
        indexes = [models.Index("about", models.F("at").desc(), name="audit_about")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.get_action_display()}"

    @classmethod
    def record(cls, actor, action: AuditAction, about: str = "", detail: str = "") -> None:
        """Write one entry. `detail` never has values of payloads, only their pointers."""
        cls.objects.create(actor=actor, action=action, about=about, detail=detail[:1000])
