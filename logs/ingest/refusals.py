"""What a door refused: counted by day and reason, and the last ones kept for a week, so that somebody can look at them.

Cotalker gives an event up after three tries, so nobody else would ever know of it.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ..models import Door, RefusalCount, RefusalKind, RefusedEvent

KEPT = timedelta(days=7)
COUNTED = timedelta(days=90)
KEPT_OF_A_KIND = 20  # at each door
BYTES_KEPT = 64 * 1024  # of each

_COUNT = """
INSERT INTO logs_refusalcount (door_id, day, kind, count, last_at)
VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, 1, now())
ON CONFLICT (door_id, day, kind) DO UPDATE
SET count = logs_refusalcount.count + 1, last_at = greatest(logs_refusalcount.last_at, EXCLUDED.last_at)
"""


def keep(door: Door, kind: RefusalKind, reason: str, data: bytes, size: int | None = None) -> None:
    """Count it, and keep its beginning. `size`: of all of it in bytes, where `data` is not all."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [door.pk, kind.value])
    size = len(data) if size is None else size
    RefusedEvent.objects.create(door=door, kind=kind, reason=reason[:500], size=size, data=data[:BYTES_KEPT])
    newest_first = RefusedEvent.objects.filter(door=door, kind=kind).order_by("-pk").values_list("pk", flat=True)
    if too_many := list(newest_first[KEPT_OF_A_KIND : 2 * KEPT_OF_A_KIND]):
        RefusedEvent.objects.filter(pk__in=too_many).delete()


def forget_old() -> None:
    """Delete what is older than seven days, and the counts of more than 90."""
    now = timezone.now()
    RefusedEvent.objects.filter(at__lt=now - KEPT).delete()
    RefusalCount.objects.filter(day__lt=now.date() - COUNTED).delete()
