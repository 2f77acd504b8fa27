"""Requests that inbound endpoints rejected: how many, and for a week also their content."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .credentials import Door


class RefusalKind(models.TextChoices):
    NOT_JSON = "not_json", _("Not JSON")
    NOT_EVENT = "not_event", _("JSON, but not a Cotalker event")
    COMPANY = "company", _("Event of another company")
    TOO_LARGE = "too_large", _("Too large")
    BROKEN_OFF = "broken_off", _("Connection interrupted")
    KEY_TAKEN = "key_taken", _("The Idempotency-Key belongs to another event")


class RefusalCount(models.Model):
    """How many requests an inbound endpoint rejected on a day, by kind."""

    door = models.ForeignKey(Door, models.CASCADE, related_name="refusal_counts", db_index=False)
    day = models.DateField(_("day"))
    kind = models.CharField(_("reason"), max_length=20, choices=RefusalKind)
    count = models.BigIntegerField(_("count"), default=0)
    last_at = models.DateTimeField(_("last"))

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["door", "day", "kind"], name="refusal_count_unique")]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}: {self.count}"


class RefusedEvent(models.Model):
    """The beginning of a rejected request, as it came; masked wherever it is shown. `size`: of the whole request, in bytes."""

    door = models.ForeignKey(Door, models.CASCADE, related_name="refused_events", db_index=False)
    at = models.DateTimeField(_("time"), auto_now_add=True)
    kind = models.CharField(_("reason"), max_length=20, choices=RefusalKind)
    reason = models.CharField(max_length=500)
    size = models.BigIntegerField(_("size"))
    data = models.BinaryField()

    class Meta:
        default_permissions = ()
        ordering = ["-id"]
        indexes = [models.Index("door", "kind", "id", name="refused_of_door"), models.Index("at", name="refused_age")]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_cut(self) -> bool:
        return self.size > len(self.data)
