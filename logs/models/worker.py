"""Workers in the database: which are alive, which queue shards they lease, and what they have counted."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .choices import Cause

OFFLINE_AFTER = timedelta(seconds=30)


class Worker(models.Model):
    """A running worker. It writes `seen_at` every few seconds, and deletes its row when it stops."""

    id = models.CharField(_("id"), primary_key=True, max_length=100)
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))
    # Its background loops that are failing now, "compaction: OperationalError, …".
    problems = models.TextField(blank=True, db_default="")
    # Since when it can't store outcomes. It gives up its queues then.
    stuck_since = models.DateTimeField(_("cannot save outcomes since"), null=True)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id

    @classmethod
    def silence(cls) -> timedelta | None:
        """How long ago a worker was last seen, by the database's clock; None if there is no worker."""
        age = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
        return cls.objects.order_by("-seen_at").values_list(age, flat=True).first()


class QueueShard(models.Model):
    """A queue shard, leased to one worker.

    `epoch` is its fencing token: it counts the leases, and a write with an older one is refused.
    """

    number = models.SmallIntegerField(primary_key=True)
    holder = models.CharField(max_length=100, blank=True)
    epoch = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return str(self.number)


class DeliveryCount(models.Model):
    """What the workers have counted since the beginning, by cause ("" for delivered). Used by the metrics."""

    cause = models.CharField(primary_key=True, max_length=10, choices=Cause, blank=True)
    attempts = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    # How many took at most 0.05, 0.1, 0.25 … seconds (attempt_metrics.DURATION_BUCKETS), each counted once.
    buckets = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return self.cause or "delivered"
