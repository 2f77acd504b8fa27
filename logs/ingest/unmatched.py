"""Counts unmatched events, so that people see what they are missing. The events are not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from ..models import UnmatchedCount
from .matching import EventScope

UNMATCHED_RETENTION = timedelta(days=90)

_COUNT = """
INSERT INTO logs_unmatchedcount (company_id, day, event_type, action, count)
SELECT company, (now() AT TIME ZONE 'UTC')::date, event_type, action, number
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS new (company, event_type, action, number)
ORDER BY company, event_type, action
ON CONFLICT (company_id, day, event_type, action) DO UPDATE SET count = logs_unmatchedcount.count + EXCLUDED.count
"""


def count_unmatched(events: Iterable[EventScope]) -> None:
    """Add these events to today's counts. Rows are locked in one order, as in all code."""
    numbers = Counter((event.company, event.type, event.action) for event in events)
    if numbers:
        columns = [list(column) for column in zip(*numbers, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [*columns, list(numbers.values())])


def purge_unmatched() -> int:
    """Delete counts older than 90 days. Returns how many."""
    oldest = timezone.now().date() - UNMATCHED_RETENTION
    return UnmatchedCount.objects.filter(day__lt=oldest).delete()[0]
