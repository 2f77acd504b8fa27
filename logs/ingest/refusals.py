"""What an inbound endpoint refused: counted by day and reason. The last ones are kept for a week, so people can look at them.

Cotalker gives up on an event after three attempts, so nobody would learn of it otherwise.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ..models import Door, RefusalCount, RefusalKind, RefusedEvent

REFUSED_EVENT_RETENTION = timedelta(days=7)
REFUSAL_COUNT_RETENTION = timedelta(days=90)
MAX_KEPT_PER_KIND = 20  # at each inbound endpoint
MAX_KEPT_BYTES = 64 * 1024  # of each request

_COUNT = """
INSERT INTO logs_refusalcount (door_id, day, kind, count, last_at)
VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, 1, now())
ON CONFLICT (door_id, day, kind) DO UPDATE
SET count = logs_refusalcount.count + 1, last_at = greatest(logs_refusalcount.last_at, EXCLUDED.last_at)
"""


def keep_refused(door: Door, kind: RefusalKind, reason: str, data: bytes, size: int | None = None) -> None:
    """Count a refused request, and keep its beginning. `size`: the bytes of the whole request, if `data` is only a part."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [door.pk, kind.value])
    size = len(data) if size is None else size
    RefusedEvent.objects.create(door=door, kind=kind, reason=reason[:500], size=size, data=data[:MAX_KEPT_BYTES])
    newest_first = RefusedEvent.objects.filter(door=door, kind=kind).order_by("-pk").values_list("pk", flat=True)
    if too_many := list(newest_first[MAX_KEPT_PER_KIND : 2 * MAX_KEPT_PER_KIND]):
        RefusedEvent.objects.filter(pk__in=too_many).delete()


def purge_refused() -> None:
    """Delete refused requests older than 7 days, and counts older than 90 days."""
    now = timezone.now()
    RefusedEvent.objects.filter(at__lt=now - REFUSED_EVENT_RETENTION).delete()
    RefusalCount.objects.filter(day__lt=now.date() - REFUSAL_COUNT_RETENTION).delete()
