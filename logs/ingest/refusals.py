"""What a door refused: counted by day and reason, and the last ones kept for a week, so that somebody can look at them.

Cotalker gives an event up after three tries, so nobody else would ever know of it.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ..models import Door, RefusalCount, RefusalKind, RefusedEvent

REFUSED_EVENT_RETENTION = timedelta(days=7)
REFUSAL_COUNT_RETENTION = timedelta(days=90)
MAX_KEPT_PER_KIND = 20  # at each door
MAX_KEPT_BYTES = 64 * 1024  # of each

_COUNT = """
INSERT INTO logs_refusalcount (door_id, day, kind, count, last_at)
VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, 1, now())
ON CONFLICT (door_id, day, kind) DO UPDATE
SET count = logs_refusalcount.count + 1, last_at = greatest(logs_refusalcount.last_at, EXCLUDED.last_at)
"""


def keep_refused(door: Door, kind: RefusalKind, reason: str, data: bytes, size: int | None = None) -> None:
    """Count it, and keep its beginning. `size`: of all of it in bytes, where `data` is not all."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [door.pk, kind.value])
    size = len(data) if size is None else size
    RefusedEvent.objects.create(door=door, kind=kind, reason=reason[:500], size=size, data=data[:MAX_KEPT_BYTES])
    newest_first = RefusedEvent.objects.filter(door=door, kind=kind).order_by("-pk").values_list("pk", flat=True)
    if too_many := list(newest_first[MAX_KEPT_PER_KIND : 2 * MAX_KEPT_PER_KIND]):
        RefusedEvent.objects.filter(pk__in=too_many).delete()


def purge_refused() -> None:
    """Delete what is older than seven days, and the counts of more than 90."""
    now = timezone.now()
    RefusedEvent.objects.filter(at__lt=now - REFUSED_EVENT_RETENTION).delete()
    RefusalCount.objects.filter(day__lt=now.date() - REFUSAL_COUNT_RETENTION).delete()
