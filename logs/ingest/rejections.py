"""What an inbound endpoint rejected: counted by day and reason. The last ones are kept for a week, so people can look at them.

Cotalker gives up on an event after three attempts, so nobody would learn of it otherwise.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ..models import InboundEndpoint, RejectedEvent, RejectionCount, RejectionKind

REJECTED_EVENT_RETENTION = timedelta(days=7)
REJECTION_COUNT_RETENTION = timedelta(days=90)
MAX_KEPT_PER_KIND = 20  # at each inbound endpoint
MAX_KEPT_BYTES = 64 * 1024  # of each request

_COUNT = """
INSERT INTO logs_rejectioncount (endpoint_id, day, kind, count, last_at)
VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, 1, now())
ON CONFLICT (endpoint_id, day, kind) DO UPDATE
SET count = logs_rejectioncount.count + 1, last_at = greatest(logs_rejectioncount.last_at, EXCLUDED.last_at)
"""


def keep_rejected(
    endpoint: InboundEndpoint, kind: RejectionKind, reason: str, data: bytes, size: int | None = None
) -> None:
    """Count a rejected request, and keep its beginning. `size`: the bytes of the whole request, if `data` is only a part."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [endpoint.pk, kind.value])
    size = len(data) if size is None else size
    RejectedEvent.objects.create(
        endpoint=endpoint, kind=kind, reason=reason[:500], size=size, data=data[:MAX_KEPT_BYTES]
    )
    newest_first = (
        RejectedEvent.objects.filter(endpoint=endpoint, kind=kind).order_by("-pk").values_list("pk", flat=True)
    )
    if too_many := list(newest_first[MAX_KEPT_PER_KIND : 2 * MAX_KEPT_PER_KIND]):
        RejectedEvent.objects.filter(pk__in=too_many).delete()


def purge_rejected() -> None:
    """Delete rejected requests older than 7 days, and counts older than 90 days."""
    now = timezone.now()
    RejectedEvent.objects.filter(at__lt=now - REJECTED_EVENT_RETENTION).delete()
    RejectionCount.objects.filter(day__lt=now.date() - REJECTION_COUNT_RETENTION).delete()
