"""Cutoffs: the datetimes before which payloads have expired and finished logs are deleted.

Also a preview of what a retention would remove now. It is quick at any size; `prune_logs --dry-run` is slow and exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from ..cotalker import objectid
from ..db.payload_partitions import existing_months, month_start, next_month
from ..db.timeouts import BoundedCount, bounded_count
from ..models import Payload, Retention, WebhookLog
from ..stats.buckets import bucket_floor
from .log_deletion import count_deletable_before

FIRST_MONTH = datetime(1970, 1, 1, tzinfo=UTC)  # ids can't hold an earlier time


def payload_cutoff(retention: Retention, now: datetime | None = None) -> datetime | None:
    """The beginning of the first month that has not wholly expired; None if payloads are kept forever."""
    if retention.payload_age is None:
        return None
    return month_start(max((now or timezone.now()) - retention.payload_age, FIRST_MONTH))


def log_cutoff(retention: Retention, now: datetime | None = None) -> datetime | None:
    """Rounded down to 5 minutes, so that the log counts can say how many logs are older; None if logs are kept forever."""
    return None if retention.log_age is None else bucket_floor((now or timezone.now()) - retention.log_age)


@dataclass(frozen=True)
class PayloadExpiry:
    """Why a payload is gone.

    `at`: when it expired, which is `days` after the end of its month; None if the days that are set now don't explain it.
    `before`: all payloads older than this have expired; None if this payload is not one of them.
    """

    at: datetime | None
    before: datetime | None
    days: int | None


def expiry_for(log: WebhookLog, retention: Retention) -> PayloadExpiry:
    created = objectid.objectid_time(log.pk)
    before = retention.payloads_expired_before
    if before is not None and created >= before:
        before = None
    at = None
    if retention.payload_age is not None:
        at = next_month(month_start(created)) + retention.payload_age
    return PayloadExpiry(at if at and at <= timezone.now() else None, before, retention.payload_days)


@dataclass(frozen=True)
class RetentionPreview:
    """`payloads` includes those that stay because their logs are not finished. A datetime is None if nothing expires."""

    payloads_before: datetime | None
    payloads: BoundedCount
    months: int
    logs_before: datetime | None
    logs: int


def retention_preview(retention: Retention) -> RetentionPreview:
    payloads_end, logs_end = payload_cutoff(retention), log_cutoff(retention)
    payloads, months = BoundedCount(0), 0
    if payloads_end:
        payloads = bounded_count(Payload.objects.filter(pk__lt=objectid.lowest_objectid(payloads_end)))
        months = sum(month < payloads_end for month in existing_months())
    return RetentionPreview(
        payloads_end, payloads, months, logs_end, count_deletable_before(logs_end) if logs_end else 0
    )
