"""Monthly partitions of the payload table: payloads expire by dropping a month.

The log's id determines the month; its first instant stands for it. Ids with an implausible time (before 2010, or more than a
year ahead) stay in the default partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction
from django.utils import timezone

from ..cotalker import objectid

PAYLOAD_TABLE = "logs_payload"
DEFAULT_PARTITION = f"{PAYLOAD_TABLE}_default"
FIRST_YEAR = 2010
MONTHS_AHEAD = 3
_LOCK = 0x636F7461  # any number, the same everywhere: only one partition is created at a time


def ensure_partitions_for(ids: Iterable[str]) -> None:
    """Create the missing partitions for these log ids; call it before you insert their payloads. One query if all exist."""
    _make_missing(month for pk in ids if (month := _month_of(pk)))


def ensure_future_partitions() -> None:
    """Create this month's partition and those of the next months, so that no delivery has to. One query if all exist."""
    months = [month_start(timezone.now())]
    while len(months) <= MONTHS_AHEAD:
        months.append(next_month(months[-1]))
    _make_missing(months)


def month_start(moment: datetime) -> datetime:
    """The start, in UTC, of the datetime's month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """The start of the month after `month`."""
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def partition_name(month: datetime) -> str:
    """The name of the month's table, whether or not it exists."""
    return f"{PAYLOAD_TABLE}_{month:%Y_%m}"


def existing_months() -> list[datetime]:
    """The months that have a partition, oldest first."""
    names = sorted(partition_names() - {DEFAULT_PARTITION})
    return [datetime.strptime(name, f"{PAYLOAD_TABLE}_%Y_%m").replace(tzinfo=UTC) for name in names]


def partition_names() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [PAYLOAD_TABLE]
        )
        return {name for (name,) in cursor.fetchall()}


def _make_missing(months: Iterable[datetime]) -> None:
    existing = partition_names()
    for month in sorted(set(months)):
        if (name := partition_name(month)) not in existing:
            _make(name, month)


def _month_of(pk: str) -> datetime | None:
    moment = objectid.objectid_time(pk)
    if not FIRST_YEAR <= moment.year <= timezone.now().year + 1:
        return None
    return month_start(moment)


def _make(name: str, month: datetime) -> None:
    start, end = objectid.lowest_objectid(month), objectid.lowest_objectid(next_month(month))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return
        # Rows that are already in the default partition must move, or PostgreSQL rejects the new one.
        cursor.execute(f"CREATE TABLE {name} (LIKE {PAYLOAD_TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {DEFAULT_PARTITION} WHERE log_id >= %s AND log_id < %s RETURNING *) "
            f"INSERT INTO {name} SELECT * FROM moved",
            [start, end],
        )
        cursor.execute(f"ALTER TABLE {PAYLOAD_TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")
