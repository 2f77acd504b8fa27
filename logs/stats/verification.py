"""Recounts logs and compares the log counts with them: a week at a time, while deliveries and imports continue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction

from ..models.log_counts import BUCKET_WIDTHS as IN_WIDTHS
from .compaction import (
    ADD_DURATION_COUNTS,
    ADD_LOG_COUNT_TOTALS,
    ADD_LOG_COUNTS,
    COMPACTION_LOCK,
    KIND,
    KIND_OF_ALL,
    OF_WIDTH,
    TABLES,
    WIDTHS,
)

WEEK = timedelta(days=7)  # the widest bucket

_WEEKS = """
SELECT date_bin('7 days', created_at, '2000-01-01Z') AS week FROM logs_webhooklog GROUP BY week
UNION SELECT date_bin('7 days', bucket, '2000-01-01Z') FROM logs_compactedlogcount WHERE width >= 1440 GROUP BY 1
UNION SELECT date_bin('7 days', bucket, '2000-01-01Z') FROM logs_compactedlogcounttotal WHERE width >= 1440 GROUP BY 1
UNION SELECT date_bin('7 days', bucket, '2000-01-01Z') FROM logs_logcountdelta
ORDER BY week
"""
_COUNT_WEEK = f"""
CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket, {KIND}, logs_duration_bin(duration_ms) AS duration_bin,
    count(*) AS count
FROM logs_webhooklog WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY 1, {KIND}, duration_bin
"""
_OF_WEEK = "bucket >= %(start)s AND bucket < %(end)s"
_STORED_WEEK = f"width IN {IN_WIDTHS} AND {_OF_WEEK}"  # all widths: an index begins with the width
_FORGET_WEEK = (
    f"DELETE FROM logs_logcountdelta WHERE {_OF_WEEK}",
    *(f"DELETE FROM {table} WHERE {_STORED_WEEK}" for table in TABLES),
)
_COMPARE = """
SELECT count(DISTINCT ({key})) FROM (
    (TABLE expected EXCEPT TABLE actual) UNION ALL (SELECT * FROM actual WHERE count <> 0 EXCEPT TABLE expected)
) wrong
"""
_WRONG = f"""
WITH expected AS (
    SELECT width, {OF_WIDTH} AS bucket, {{kind}}, sum(count) AS count FROM taken CROSS JOIN {WIDTHS} GROUP BY 1, 2, {{kind}}
), actual AS (
    SELECT width, bucket, {{kind}}, sum(count) AS count FROM {{view}}
    WHERE {_STORED_WEEK} GROUP BY width, bucket, {{kind}}
)
{_COMPARE.format(key="width, bucket, {kind}")}
"""
_WRONG_LOG_COUNTS = _WRONG.format(view="logs_logcount", kind=KIND)
_WRONG_LOG_COUNT_TOTALS = _WRONG.format(view="logs_logcounttotal", kind=KIND_OF_ALL)
_WRONG_DURATION_COUNTS = f"""
WITH expected AS (
    SELECT width, {OF_WIDTH} AS bucket, subscription_id, duration_bin AS bin, sum(count) AS count
    FROM taken CROSS JOIN {WIDTHS} WHERE duration_bin IS NOT NULL GROUP BY 1, 2, 3, 4
), actual AS (
    SELECT width, bucket, subscription_id, bin, sum(count) AS count FROM logs_durationcount
    WHERE {_STORED_WEEK} GROUP BY 1, 2, 3, 4
)
{_COMPARE.format(key="width, bucket, subscription_id, bin")}
"""


def rebuild_counts() -> Iterator[tuple[datetime, int]]:
    """Recount all logs. Yields each finished week, and how many logs it has."""
    for week in _weeks():
        span = {"start": week, "end": week + WEEK}
        with _counted(span) as cursor:
            for statement in _FORGET_WEEK:
                cursor.execute(statement, span)
            for statement in (ADD_LOG_COUNTS, ADD_LOG_COUNT_TOTALS, ADD_DURATION_COUNTS):
                cursor.execute(statement)
            cursor.execute("SELECT coalesce(sum(count), 0) FROM taken")
            number = int(cursor.fetchone()[0])
        yield week, number


def find_mismatches() -> Iterator[tuple[datetime, int]]:
    """Yields each week, and how many of its buckets differ from the logs: 0 if all is well."""
    for week in _weeks():
        span = {"start": week, "end": week + WEEK}
        with _counted(span) as cursor:
            wrong = 0
            for query in (_WRONG_LOG_COUNTS, _WRONG_LOG_COUNT_TOTALS, _WRONG_DURATION_COUNTS):
                cursor.execute(query, span)
                wrong += cursor.fetchone()[0]
        yield week, wrong


def _weeks() -> list[datetime]:
    """The weeks that have logs or log counts."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS)
        return [week for (week,) in cursor.fetchall()]


@contextmanager
def _counted(span: dict[str, datetime]) -> Iterator:
    """Counts the logs of a week into `taken`, in one snapshot of the database, while nobody compacts.

    What is committed later is still a difference then, and is compacted afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [COMPACTION_LOCK])
        try:
            with transaction.atomic(durable=True):
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute(_COUNT_WEEK, span)
                yield cursor
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [COMPACTION_LOCK])
