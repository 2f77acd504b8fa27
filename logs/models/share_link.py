"""A share link: a read-only link to one log for the receiver's team, who have no account."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..signing import generate_token, hash_token
from .audit import AuditAction, AuditEntry
from .choices import ShareLinkState
from .querysets import ShareLinkQuerySet
from .webhook_log import WebhookLog

MAX_NOTE_LENGTH = 500


class ShareLink(models.Model):
    """Only the hash of its token is stored. `views`: counts views by people who aren't signed in."""

    log = models.ForeignKey(WebhookLog, models.CASCADE, related_name="share_links", verbose_name=_("webhook log"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    note = models.CharField(_("note"), max_length=MAX_NOTE_LENGTH, blank=True)
    includes_payload = models.BooleanField(_("with the payload"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("revoked by")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True)
    views = models.IntegerField(_("views"), default=0)
    last_seen_at = models.DateTimeField(_("last seen"), null=True)

    objects = ShareLinkQuerySet.as_manager()

    # Set by `with_state()`
    state: str
    has_payload: bool

    class Meta:
        verbose_name = _("share link")
        verbose_name_plural = _("share links")
        default_permissions = ("view",)
        permissions = [("share_webhooklog", "Can share webhook logs")]
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @classmethod
    def create_link(cls, log: WebhookLog, *, by, days: int, note: str = "", includes_payload: bool = False) -> str:
        """Store a link to the log and return its token, which can't be recovered later."""
        token = generate_token()
        with transaction.atomic():
            made = cls.objects.create(
                log=log,
                token_hash=hash_token(token),
                note=note,
                includes_payload=includes_payload,
                created_by=by,
                expires_at=timezone.now() + timedelta(days=days),
            )
            until = f"{made} – {made.expires_at:%Y-%m-%d %H:%M} UTC"
            AuditEntry.record(
                by, AuditAction.SHARE_LINK_CREATED, log.pk, f"{until}, payload" if includes_payload else until
            )
        return token

    @classmethod
    def get_open(cls, token: str) -> ShareLink | None:
        """The open link of this token, with its log and the columns that its page needs."""
        links = cls.objects.with_state().select_related("log__subscription")
        heavy = ("log__search", "log__extra", "log__subscription__document", "log__subscription__description")
        return links.defer(*heavy).filter(token_hash=hash_token(token), state=ShareLinkState.OPEN).first()

    def revoke(self, *, by) -> bool:
        """Revoke the link: it shows nothing from now on. False if it's already revoked."""
        with transaction.atomic():
            stored = ShareLink.objects.filter(pk=self.pk, revoked_at=None)
            if not stored.update(revoked_at=Now(), revoked_by=by):
                return False
            AuditEntry.record(by, AuditAction.SHARE_LINK_REVOKED, self.log_id, str(self))
        return True

    def record_view(self) -> None:
        ShareLink.objects.filter(pk=self.pk).update(views=F("views") + 1, last_seen_at=Now())

    @property
    def state_name(self) -> str:
        return str(ShareLinkState(self.state).label)
