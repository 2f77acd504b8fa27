"""Log counts: how many logs of each kind there are in each bucket of time. So pages don't have to count logs.

A trigger on the log table writes every difference into `LogCountDelta`, in the transaction that made it.
`logs.stats.compaction` adds the differences up. Readers use the views `LogCount`, `LogCountTotal` and `DurationCount`. They
combine the sums with the differences that aren't added up yet, so they are always exact.
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


class _Dimensions(_Bucket):
    """The dimensions by which logs are counted. They are named as in `WebhookLog`, so one Q filters both."""

    state = models.CharField(max_length=10)
    cause = models.CharField(max_length=10)
    status = models.IntegerField(null=True)
    event_type = models.CharField(max_length=60)
    action = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=120)

    class Meta(_Bucket.Meta):
        abstract = True


class _OfSubscription(models.Model):
    """Counts of one subscription."""

    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True


class LogCountDelta(_OfSubscription, _Dimensions):
    """What one statement changed in a bucket of 5 minutes. Rows are only inserted and deleted, so no writer waits for another."""

    duration_bin = models.SmallIntegerField(null=True)

    class Meta(_Dimensions.Meta):
        pass


class CompactedLogCount(_OfSubscription, _Dimensions):
    width = models.SmallIntegerField()  # minutes

    class Meta(_Dimensions.Meta):
        # The migration also creates a unique index over all columns but the count.
        # No index has the count, so that PostgreSQL updates it in place (HOT).
        indexes = [
            models.Index("width", "subscription", "bucket", name="log_count_of_subscription"),
        ]


class CompactedLogCountTotal(_Dimensions):
    """The same for all subscriptions together, in a fraction of the rows. Used for people who see everything."""

    width = models.SmallIntegerField()

    class Meta(_Dimensions.Meta):
        pass


class CompactedDurationCount(_OfSubscription, _Bucket):
    """How many logs took how long. For the bins, see logs.stats.queries."""

    width = models.SmallIntegerField()
    bin = models.SmallIntegerField()

    class Meta(_Bucket.Meta):
        indexes = [
            models.Index("width", "subscription", "bucket", name="duration_count_of_subscription"),
        ]
        constraints = [
            models.UniqueConstraint("width", "bucket", "subscription", "bin", name="duration_count_once"),
        ]


class LogCount(_OfSubscription, _Dimensions):
    """A view of `CompactedLogCount` and the differences not yet in it.

    One bucket may have several rows of the same kind: sum them.
    """

    width = models.SmallIntegerField()

    class Meta(_Dimensions.Meta):
        managed = False
        db_table = "logs_logcount"


class LogCountTotal(_Dimensions):
    """A view of `CompactedLogCountTotal` and the differences not yet in it."""

    width = models.SmallIntegerField()

    class Meta(_Dimensions.Meta):
        managed = False
        db_table = "logs_logcounttotal"


class DurationCount(_OfSubscription, _Bucket):
    """A view of `CompactedDurationCount` and the differences not yet in it."""

    width = models.SmallIntegerField()
    bin = models.SmallIntegerField()

    class Meta(_Bucket.Meta):
        managed = False
        db_table = "logs_durationcount"
