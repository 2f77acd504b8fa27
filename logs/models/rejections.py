"""Requests that inbound endpoints rejected: how many, and for a week also their content."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .credentials import InboundEndpoint


class RejectionKind(models.TextChoices):
    NOT_JSON = "not_json", _("Not JSON")
    NOT_EVENT = "not_event", _("JSON, but not a Cotalker event")
    COMPANY = "company", _("Event of another company")
    TOO_LARGE = "too_large", _("Too large")
    INTERRUPTED = "interrupted", _("Connection interrupted")
    KEY_TAKEN = "key_taken", _("The Idempotency-Key belongs to another event")


class RejectionCount(models.Model):
    """How many requests an inbound endpoint rejected on a day, by kind."""

    endpoint = models.ForeignKey(InboundEndpoint, models.CASCADE, related_name="rejection_counts", db_index=False)
    day = models.DateField(_("day"))
    kind = models.CharField(_("reason"), max_length=20, choices=RejectionKind)
    count = models.BigIntegerField(_("count"), default=0)
    last_at = models.DateTimeField(_("last"))

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["endpoint", "day", "kind"], name="rejection_count_unique")]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}: {self.count}"


class RejectedEvent(models.Model):
    """The beginning of a rejected request, as it came; masked wherever it is shown. `size`: of the whole request, in bytes."""

    endpoint = models.ForeignKey(InboundEndpoint, models.CASCADE, related_name="rejected_events", db_index=False)
    at = models.DateTimeField(_("time"), auto_now_add=True)
    kind = models.CharField(_("reason"), max_length=20, choices=RejectionKind)
    reason = models.CharField(max_length=500)
    size = models.BigIntegerField(_("size"))
    data = models.BinaryField()

    class Meta:
        default_permissions = ()
        ordering = ["-id"]
        indexes = [
            models.Index("endpoint", "kind", "id", name="rejected_of_endpoint"),
            models.Index("at", name="rejected_age"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_cut(self) -> bool:
        return self.size > len(self.data)
