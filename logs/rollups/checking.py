"""Counts logs anew, and compares what is kept with them: a day at a time, while deliveries and imports go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction

from .folding import ADD_CELLS, ADD_DURATIONS, KIND, LOCK, OF_WIDTH, WIDTHS

DAY = timedelta(days=1)  # the widest bucket

_DAYS = """
SELECT date_bin('1 day', created_at, '2000-01-01Z') AS day FROM logs_webhooklog GROUP BY day
UNION SELECT bucket FROM logs_rollup WHERE width = 1440 GROUP BY bucket
UNION SELECT date_bin('1 day', bucket, '2000-01-01Z') FROM logs_rollupdelta
ORDER BY day
"""
_COUNT_DAY = f"""
CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket, {KIND}, logs_duration_bin(duration_ms) AS duration_bin,
    count(*) AS count
FROM logs_webhooklog WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY 1, {KIND}, duration_bin
"""
_OF_DAY = "bucket >= %(start)s AND bucket < %(end)s"
_FORGET_DAY = (
    f"DELETE FROM logs_rollupdelta WHERE {_OF_DAY}",
    f"DELETE FROM logs_rollup WHERE width IN (5, 60, 360, 1440) AND {_OF_DAY}",
    f"DELETE FROM logs_durationrollup WHERE width IN (5, 60, 360, 1440) AND {_OF_DAY}",
)
_COMPARE = """
SELECT count(DISTINCT ({key})) FROM (
    (TABLE told EXCEPT TABLE kept) UNION ALL (SELECT * FROM kept WHERE count <> 0 EXCEPT TABLE told)
) wrong
"""
_WRONG_CELLS = f"""
WITH told AS (
    SELECT width, {OF_WIDTH} AS bucket, {KIND}, sum(count) AS count FROM taken CROSS JOIN {WIDTHS} GROUP BY 1, 2, {KIND}
), kept AS (
    SELECT width, bucket, {KIND}, sum(count) AS count FROM logs_cell
    WHERE width IN (5, 60, 360, 1440) AND {_OF_DAY} GROUP BY width, bucket, {KIND}
)
{_COMPARE.format(key=f"width, bucket, {KIND}")}
"""
_WRONG_DURATIONS = f"""
WITH told AS (
    SELECT width, {OF_WIDTH} AS bucket, subscription_id, duration_bin AS bin, sum(count) AS count
    FROM taken CROSS JOIN {WIDTHS} WHERE duration_bin IS NOT NULL GROUP BY 1, 2, 3, 4
), kept AS (
    SELECT width, bucket, subscription_id, bin, sum(count) AS count FROM logs_durationcell
    WHERE width IN (5, 60, 360, 1440) AND {_OF_DAY} GROUP BY 1, 2, 3, 4
)
{_COMPARE.format(key="width, bucket, subscription_id, bin")}
"""


def rebuild() -> Iterator[tuple[datetime, int]]:
    """Count all logs anew; each day that is done, and how many logs it has."""
    for day in _days():
        span = {"start": day, "end": day + DAY}
        with _counted(span) as cursor:
            for statement in _FORGET_DAY:
                cursor.execute(statement, span)
            cursor.execute(ADD_CELLS)
            cursor.execute(ADD_DURATIONS)
            cursor.execute("SELECT coalesce(sum(count), 0) FROM taken")
            number = int(cursor.fetchone()[0])
        yield day, number


def wrong_cells() -> Iterator[tuple[datetime, int]]:
    """Each day, and how many of its buckets differ from the logs: 0 where all is well."""
    for day in _days():
        span = {"start": day, "end": day + DAY}
        with _counted(span) as cursor:
            cursor.execute(_WRONG_CELLS, span)
            wrong = cursor.fetchone()[0]
            cursor.execute(_WRONG_DURATIONS, span)
            wrong += cursor.fetchone()[0]
        yield day, wrong


def _days() -> list[datetime]:
    """Those of which there are logs, or figures."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        return [day for (day,) in cursor.fetchall()]


@contextmanager
def _counted(span: dict[str, datetime]) -> Iterator:
    """The logs of a day counted into `taken`, as the database is at one moment, while nobody folds.

    What is committed later is still a difference then, and is folded afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            with transaction.atomic(durable=True):
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute(_COUNT_DAY, span)
                yield cursor
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
