"""Skipping the waiting events of an inactive subscription, if there are too many for one request.

Stores who requested it, and how far it is.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from .subscription import Subscription


class BulkSkip(models.Model):
    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="+", db_index=False)
    reason = models.CharField(max_length=200)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    skipped = models.IntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["subscription"], name="bulk_skip_once", condition=Q(ended_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.skipped}"
