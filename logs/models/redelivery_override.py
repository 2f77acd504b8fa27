"""A redelivery override: one attempt to another URL, with an edited payload, or both.

The stored event never changes.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import JSONTextField
from .webhook_log import WebhookLog


class RedeliveryOverride(models.Model):
    """What attempt `number` of the log sends instead. `url` "": the subscription's URL. `event`: the edited payload, as typed.

    The event expires with the payload of its log; `is_edited` stays. If that attempt has another trigger, or was never made, the
    override was taken out of the queue.
    """

    log = models.ForeignKey(
        WebhookLog, models.CASCADE, related_name="overrides", db_index=False, verbose_name=_("webhook log")
    )
    number = models.IntegerField(_("number"))
    url = models.CharField(_("URL"), max_length=2000, blank=True)
    is_edited = models.BooleanField(_("edited payload"), default=False)
    event = JSONTextField(_("event"), null=True)
    reason = models.CharField(_("reason"), max_length=200)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested"), auto_now_add=True)

    class Meta:
        verbose_name = _("redelivery with changes")
        verbose_name_plural = _("redeliveries with changes")
        ordering = ["log", "number"]
        default_permissions = ()
        permissions = [
            ("redeliver_to_custom_url", "Can redeliver a log to another URL"),
            ("redeliver_edited_payload", "Can redeliver a log with an edited payload"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["log", "number"], name="override_number_unique_in_log"),
            models.CheckConstraint(condition=~models.Q(url="") | models.Q(is_edited=True), name="override_differs"),
        ]

    def __str__(self) -> str:
        return f"{self.log_id}/{self.number}"

    @property
    def has_custom_url(self) -> bool:
        """Whether it goes to a custom URL: whatever its outcome, the subscription's receiver gets nothing."""
        return self.url != ""
