"""Deleting settled logs that are past their time, with all that hangs on them: the oldest first, in bounded transactions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction

from ..models import WebhookLog
from .settled import AT_ONCE, lock_settled

# Their entries in the record stay, and their numbers in the rollups go by the trigger.
_DELETE = (
    "DELETE FROM logs_payload WHERE log_id = ANY(%s)",
    "DELETE FROM logs_attempt WHERE log_id = ANY(%s)",
    "DELETE FROM logs_variant WHERE log_id = ANY(%s)",
    "DELETE FROM logs_runentry WHERE log_id = ANY(%s)",
    "DELETE FROM logs_handoff WHERE log_id = ANY(%s)",
    "DELETE FROM logs_webhooklog WHERE id = ANY(%s)",
)


def delete_logs(before: datetime) -> Iterator[int]:
    """Delete the settled logs that were created before the moment; after each transaction, how many it took."""
    logs = WebhookLog.objects.settled().before(before).order_by("created_at", "id").only("created_at")
    page = list(logs[:AT_ONCE])
    while page:
        with transaction.atomic(), connection.cursor() as cursor:
            ids = lock_settled([log.pk for log in page])
            for statement in _DELETE:
                cursor.execute(statement, [ids])
        yield len(ids)
        page = list(logs.newer_than(page[-1])[:AT_ONCE])
