"""What is past its time: moments, before which payloads have expired and settled logs are deleted."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from .. import objectid
from ..models import Retention, WebhookLog
from ..partitions import following, month_at
from ..rollups.spans import floor


def payloads_before(retention: Retention, now: datetime | None = None) -> datetime | None:
    """The beginning of the first month that has not wholly expired; None where payloads are kept for ever."""
    return None if retention.payload_age is None else month_at((now or timezone.now()) - retention.payload_age)


def logs_before(retention: Retention, now: datetime | None = None) -> datetime | None:
    """To 5 minutes, so that the rollups can tell how many they are; None where logs are kept for ever."""
    return None if retention.log_age is None else floor((now or timezone.now()) - retention.log_age)


def expired_at(log: WebhookLog, retention: Retention) -> datetime | None:
    """When the payload of a log expired: its days after the end of its month. None where the limit does not tell."""
    if retention.payload_age is None:
        return None
    end = following(month_at(objectid.time_of(log.pk))) + retention.payload_age
    return end if end <= timezone.now() else None
