"""Deletes finished logs that are too old, with everything that belongs to them: the oldest first, in bounded transactions.

A log may be deleted if it is finished. It is locked, so that it stays finished until it is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import connection, transaction

from ..models import FINISHED_STATES, BulkRedeliveryItem, Subscription, WebhookLog
from ..stats.queries import TOTAL_WIDTH, log_counts

DELETE_BATCH_SIZE = 2_000  # logs or payloads in a transaction


def lock_deletable(ids: Collection[str]) -> list[str]:
    """Returns the ids of the finished logs, locked: nobody can change them until the transaction ends.

    Logs that are locked by somebody else are left out, without waiting for them.
    """
    finished = WebhookLog.objects.filter(pk__in=ids).finished().order_by("pk")
    locked = list(finished.select_for_update(skip_locked=True).values_list("pk", flat=True))
    # A queue may have been paused for one of them while they were being locked. From this second query on, nothing can change.
    return list(WebhookLog.objects.filter(pk__in=locked).finished().values_list("pk", flat=True))


def count_deletable_before(moment: datetime) -> int:
    """How many finished logs were created before `moment`, a multiple of 5 minutes. From the log counts, so quick at any size."""
    counted = log_counts(None, moment, None).filter(state__in=FINISHED_STATES).aggregate(n=TOTAL_WIDTH)["n"] or 0
    finished = WebhookLog.objects.before(moment).filter(state__in=FINISHED_STATES)
    blocking = Subscription.objects.exclude(blocking_log="").values("blocking_log")
    in_bulk = BulkRedeliveryItem.objects.open().values("log")
    still_open = finished.filter(pk__in=in_bulk.union(blocking), next_attempt_at=None)
    return counted - finished.queued().count() - still_open.count()


# Their audit entries stay. A trigger subtracts them from the log counts.
_DELETE = (
    "DELETE FROM logs_payload WHERE log_id = ANY(%s)",
    "DELETE FROM logs_attempt WHERE log_id = ANY(%s)",
    "DELETE FROM logs_redeliveryoverride WHERE log_id = ANY(%s)",
    "DELETE FROM logs_bulkredeliveryitem WHERE log_id = ANY(%s)",
    "DELETE FROM logs_incidentlog WHERE log_id = ANY(%s)",
    "DELETE FROM logs_sharelink WHERE log_id = ANY(%s)",
    "DELETE FROM logs_webhooklog WHERE id = ANY(%s)",
)


def delete_logs(before: datetime) -> Iterator[int]:
    """Delete the finished logs that were created before `before`. Yields, after each transaction, how many it deleted."""
    logs = WebhookLog.objects.finished().before(before).order_by("created_at", "id").only("created_at")
    page = list(logs[:DELETE_BATCH_SIZE])
    while page:
        with transaction.atomic(), connection.cursor() as cursor:
            ids = lock_deletable([log.pk for log in page])
            for statement in _DELETE:
                cursor.execute(statement, [ids])
        yield len(ids)
        page = list(logs.newer_than(page[-1])[:DELETE_BATCH_SIZE])
