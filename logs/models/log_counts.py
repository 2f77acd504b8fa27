"""Log counts: how many logs of each kind there are in each bucket of time. So pages don't have to count logs.

A trigger on the log table writes every difference into `RollupDelta`, in the transaction that made it.
`logs.stats.compaction` adds the differences up. Readers use the views `Cell`, `CellOfAll` and `DurationCell`. They combine
the sums with the differences that aren't added up yet, so they are always exact.
"""

from __future__ import annotations

from django.db import models

from .subscription import Subscription

BUCKET_WIDTHS = (5, 60, 360, 1440, 10080)  # minutes; up to a week, so that "all time" needs few buckets


class _Bucket(models.Model):
    """A time slice that starts at `bucket`, in UTC."""

    bucket = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()


class _Kind(_Bucket):
    """The dimensions by which logs are counted. They are named as in `WebhookLog`, so one Q filters both."""

    state = models.CharField(max_length=10)
    cause = models.CharField(max_length=10)
    status = models.IntegerField(null=True)
    event_type = models.CharField(max_length=60)
    action = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=120)

    class Meta(_Bucket.Meta):
        abstract = True


class _InLane(models.Model):
    """Counts of one subscription."""

    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True


class RollupDelta(_InLane, _Kind):
    """What one statement changed in a bucket of 5 minutes. Rows are only inserted and deleted, so no writer waits for another."""

    duration_bin = models.SmallIntegerField(null=True)

    class Meta(_Kind.Meta):
        pass


class Rollup(_InLane, _Kind):
    width = models.SmallIntegerField()  # minutes

    class Meta(_Kind.Meta):
        # The migration also creates a unique index over all columns but the count.
        # No index has the count, so that PostgreSQL updates it in place (HOT).
        indexes = [
            models.Index("width", "subscription", "bucket", name="rollup_of_subscription"),
        ]


class RollupOfAll(_Kind):
    """The same for all subscriptions together, in a fraction of the rows. Used for people who see everything."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        pass


class DurationRollup(_InLane, _Bucket):
    """How many logs took how long. For the bins, see logs.stats.queries."""

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
    """A view of `Rollup` and the differences not yet in it. One bucket may have several rows of the same kind: sum them."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        managed = False
        db_table = "logs_cell"


class CellOfAll(_Kind):
    """A view of `RollupOfAll` and the differences not yet in it."""

    width = models.SmallIntegerField()

    class Meta(_Kind.Meta):
        managed = False
        db_table = "logs_cellofall"


class DurationCell(_InLane, _Bucket):
    """A view of `DurationRollup` and the differences not yet in it."""

    width = models.SmallIntegerField()
    bin = models.SmallIntegerField()

    class Meta(_Bucket.Meta):
        managed = False
        db_table = "logs_durationcell"
