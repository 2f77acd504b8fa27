"""Payloads expire by month. Each month is a table, and dropping it costs the same however many payloads it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

from ..cotalker import objectid
from ..db.payload_partitions import DEFAULT_PARTITION, PAYLOAD_TABLE, existing_months, next_month, partition_name
from ..models import BulkRedeliveryItem, Payload, RedeliveryOverride, Subscription, WebhookLog
from .log_deletion import DELETE_BATCH_SIZE, lock_deletable

# While a drop waits for its lock, everything that reads or stores a payload waits behind it. So this is the longest time that
# a delivery waits for one of the three locks that a drop takes.
LOCK_TIMEOUT = "300ms"
_PAGE = SQL("SELECT log_id FROM {} WHERE log_id > %s AND log_id < %s ORDER BY log_id LIMIT %s")


@dataclass(frozen=True, slots=True)
class ExpiredMonth:
    """What was removed of a month. `retained`: payloads of logs that are not finished.

    `month` is None for payloads without a month, see `expire`. `is_busy`: it was in use, and is left to the next run.
    """

    month: datetime | None
    removed: int = 0
    retained: int = 0
    is_busy: bool = False


def expire(before: datetime, *, is_dry: bool, should_stop: Callable[[], bool]) -> Iterator[ExpiredMonth]:
    """Remove the payloads whose ids are older than `before`, the beginning of a month. Yields the months.

    Payloads without a month come last: their ids have an implausible time, or they were stored just when their month was
    dropped.
    """
    for month in existing_months():
        if month >= before or should_stop():
            break
        yield _expire_month(month, is_dry, should_stop)
    removed, retained = _remove_finished(DEFAULT_PARTITION, objectid.lowest_objectid(before), is_dry, should_stop)
    if removed or retained:
        yield ExpiredMonth(None, removed, retained)


def _expire_month(month: datetime, is_dry: bool, should_stop: Callable[[], bool]) -> ExpiredMonth:
    if WebhookLog.objects.open().filter(**_of_month(month)).exists():
        end = objectid.lowest_objectid(next_month(month))
        return ExpiredMonth(month, *_remove_finished(partition_name(month), end, is_dry, should_stop))
    number = Payload.objects.filter(**_of_month(month)).count()
    if is_dry or _drop(month):
        return ExpiredMonth(month, number)
    return ExpiredMonth(month, is_busy=True)


def _of_month(month: datetime, ids: str = "pk") -> dict[str, str]:
    """The condition that ids in the column `ids` were created in the month."""
    return {f"{ids}__gte": objectid.lowest_objectid(month), f"{ids}__lt": objectid.lowest_objectid(next_month(month))}


def _has_open_logs(month: datetime) -> bool:
    """Whether a log of the month is open again, after all were finished. It runs under a lock, so it uses small indexes."""
    return (
        WebhookLog.objects.queued().filter(**_of_month(month)).exists()
        or Subscription.objects.filter(**_of_month(month, "blocking_log")).exists()
        or BulkRedeliveryItem.objects.open().filter(**_of_month(month, "log")).exists()
    )


def _drop(month: datetime) -> bool:
    """Drop a month whose logs are all finished. Returns False if it is in use, or if one of its logs is open again."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            cursor.execute(f"LOCK TABLE ONLY {PAYLOAD_TABLE} IN ACCESS EXCLUSIVE MODE")
            # A redelivery reads the payload before it is queued (RedeliverableMixin.redeliver). So from here on none can be.
            if _has_open_logs(month):
                return False
            _clear_overrides(**_of_month(month, "log"))
            cursor.execute(f"DROP TABLE {partition_name(month)}")
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")  # for an outer transaction, if there is one
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return False
        raise
    return True


def _remove_finished(table: str, end: str, is_dry: bool, should_stop: Callable[[], bool]) -> tuple[int, int]:
    """Remove the payloads below the id `end` from one table, except those of open logs. Returns (removed, retained)."""
    removed = retained = 0
    ids = _page(table, "", end)
    while ids and not should_stop():
        with transaction.atomic():
            retained_ids = _retained_ids(ids, is_dry)
            if not is_dry:
                Payload.objects.filter(pk__in=set(ids) - retained_ids).delete()
                _clear_overrides(log__in=set(ids) - retained_ids)
        removed, retained = removed + len(ids) - len(retained_ids), retained + len(retained_ids)
        ids = _page(table, ids[-1], end)
    return removed, retained


def _retained_ids(ids: list[str], is_dry: bool) -> set[str]:
    """The ids whose log exists and is not finished, or is locked by somebody else. The others are locked, unless `is_dry`."""
    logs = WebhookLog.objects.filter(pk__in=ids)
    if is_dry:
        return set(logs.open().values_list("pk", flat=True))
    finished = lock_deletable(ids)
    return set(logs.exclude(pk__in=finished).values_list("pk", flat=True))


def _clear_overrides(**logs: Any) -> None:
    """An edited payload is kept as long as the payload it was made from."""
    RedeliveryOverride.objects.filter(event__isnull=False, **logs).update(event=None)


def _page(table: str, after: str, end: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE.format(Identifier(table)), [after, end, DELETE_BATCH_SIZE])
        return [pk for (pk,) in cursor.fetchall()]
