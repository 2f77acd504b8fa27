"""Month partitions of the payload table, so that payloads can expire by dropping a month.

The month is that of the log's id. Ids of an odd time (before 2010, or more than a year ahead) stay in the default partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction
from django.utils import timezone

from . import objectid

TABLE = "logs_payload"
FIRST_YEAR = 2010
_LOCK = 0x636F7461  # any number, the same everywhere: one partition is made at a time


def make_months_of(ids: Iterable[str]) -> None:
    """Make the missing partitions for these log ids; call it before their payloads are inserted. One query when all exist."""
    months = {month for pk in ids if (month := _month_of(pk))}
    existing = partition_names()
    for month in sorted(months):
        if (name := f"{TABLE}_{month:%Y_%m}") not in existing:
            _make(name, month)


def partition_names() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [TABLE])
        return {name for (name,) in cursor.fetchall()}


def _month_of(pk: str) -> datetime | None:
    moment = objectid.time_of(pk)
    if not FIRST_YEAR <= moment.year <= timezone.now().year + 1:
        return None
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def _make(name: str, month: datetime) -> None:
    following = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    start, end = objectid.lowest(month), objectid.lowest(following)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return
        # What is in the default partition already must move, or PostgreSQL refuses the new one.
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {TABLE}_default WHERE log_id >= %s AND log_id < %s RETURNING *) "
            f"INSERT INTO {name} SELECT * FROM moved",
            [start, end],
        )
        cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")
