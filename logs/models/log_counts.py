"""How many logs there are of each kind in each stretch of time, so that no page has to count them.

A trigger on the log table writes every difference into RollupDelta, in the transaction that made it, and
`logs.stats.compaction` adds them up. Cell, CellOfAll and DurationCell are what is read: the sums together with what was not
folded yet, exact at any moment.
"""

from __future__ import annotations

from django.db import models

from .subscription import Subscription

BUCKET_WIDTHS = (5, 60, 360, 1440, 10080)  # minutes: up to a week, so that "since ever" is few of them


class _Bucket(models.Model):
    """A stretch of time, from `bucket` by UTC."""

    bucket = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()


class _Kind(_Bucket):
    """The columns by which logs are counted. They have the names that they have in WebhookLog: one Q filters both."""

    state = models.CharField(max_length=10)
    cause = models.CharField(max_length=10)
    status = models.IntegerField(null=True)
    event_type = models.CharField(max_length=60)
    action = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=120)

    class Meta(_Bucket.Meta):
        abstract = True


class _InLane(models.Model):
    """Of one subscription."""

    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True


class RollupDelta(_InLane, _Kind):
    """A difference that a statement made, in 5 minutes. Only inserted and taken away, so that nobody waits for anybody."""

    duration_bin = models.SmallIntegerField(null=True)

    class Meta(_Kind.Meta):
        pass


class Rollup(_InLane, _Kind):
    width = models.SmallIntegerField()  # minutes

    class Meta(_Kind.Meta):
        # Beside these there is a unique index over all columns but the count, made by the migration.
        # None has the count, so that it is updated in place (HOT).
        indexes = [
            models.Index("width", "subscription", "bucket", name="rollup_of_subscription"),
        ]


class RollupOfAll(_Kind):
    """The same of all subscriptions together, which are a fraction of the rows. Who sees all reads these."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        pass


class DurationRollup(_InLane, _Bucket):
    """How many logs took how long; for the bins see logs.stats.queries."""

    width = models.SmallIntegerField()
    bin = models.SmallIntegerField()

    class Meta(_Bucket.Meta):
        indexes = [
            models.Index("width", "subscription", "bucket", name="duration_of_subscription"),
        ]
        constraints = [
            models.UniqueConstraint("width", "bucket", "subscription", "bin", name="duration_once"),
        ]


class Cell(_InLane, _Kind):
    """A view of Rollup and what is not in it yet. A kind may have several rows in a bucket: sum them."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        managed = False
        db_table = "logs_cell"


class CellOfAll(_Kind):
    """A view of RollupOfAll and what is not in it yet."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        managed = False
        db_table = "logs_cellofall"


class DurationCell(_InLane, _Bucket):
    """A view of DurationRollup and what is not in it yet."""

    width = models.SmallIntegerField()
    bin = models.SmallIntegerField()

    class Meta(_Bucket.Meta):
        managed = False
        db_table = "logs_durationcell"
