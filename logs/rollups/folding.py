"""Adds up the differences that the log table's trigger wrote; makes the rollups anew; and checks them.

Readers need none of it to be right, only to be fast: what is not folded yet is counted in by the views.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

AT_ONCE = 200_000
_LOCK = 0x726F6C6C  # any number, the same everywhere: one process folds at a time

_KIND = "subscription_id, state, cause, status, event_type, action, fingerprint"
_ONE_KIND = _KIND.replace("status", "(coalesce(status, -1))")
_WIDTHS = "unnest('{5,60,360,1440}'::int[]) AS width"
_OF_WIDTH = "date_bin(make_interval(mins => width), bucket, '2000-01-01Z')"
_ADD_CELLS = f"""
INSERT INTO logs_rollup (width, bucket, {_KIND}, count)
SELECT width, {_OF_WIDTH} AS wider, {_KIND}, sum(count) FROM taken CROSS JOIN {_WIDTHS}
GROUP BY width, wider, {_KIND} HAVING sum(count) <> 0
ON CONFLICT (width, bucket, {_ONE_KIND}) DO UPDATE SET count = logs_rollup.count + excluded.count
"""
_ADD_DURATIONS = f"""
INSERT INTO logs_durationrollup (width, bucket, subscription_id, bin, count)
SELECT width, {_OF_WIDTH} AS wider, subscription_id, duration_bin, sum(count) FROM taken CROSS JOIN {_WIDTHS}
WHERE duration_bin IS NOT NULL
GROUP BY width, wider, subscription_id, duration_bin HAVING sum(count) <> 0
ON CONFLICT (width, bucket, subscription_id, bin) DO UPDATE SET count = logs_durationrollup.count + excluded.count
"""
_FOLD = f"""
WITH taken AS (
    DELETE FROM logs_rollupdelta WHERE id IN (SELECT id FROM logs_rollupdelta ORDER BY id LIMIT %s) RETURNING *
), cells AS ({_ADD_CELLS}), durations AS ({_ADD_DURATIONS})
SELECT count(*) FROM taken
"""
_FORGET_EMPTY = "DELETE FROM logs_rollup WHERE count = 0; DELETE FROM logs_durationrollup WHERE count = 0"
_COUNTED_ANEW = f"""
SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket, {_KIND}, logs_duration_bin(duration_ms) AS duration_bin,
    count(*) AS count
FROM logs_webhooklog GROUP BY 1, {_KIND}, duration_bin
"""
_REBUILD = f"""
DELETE FROM logs_rollupdelta; DELETE FROM logs_rollup; DELETE FROM logs_durationrollup;
CREATE TEMPORARY TABLE taken ON COMMIT DROP AS {_COUNTED_ANEW};
{_ADD_CELLS}; {_ADD_DURATIONS};
SELECT coalesce(sum(count), 0) FROM taken;
"""
_WRONG_CELLS = f"""
WITH counted AS ({_COUNTED_ANEW}), told AS (
    SELECT width, {_OF_WIDTH} AS bucket, {_KIND}, sum(count) AS count FROM counted CROSS JOIN {_WIDTHS}
    GROUP BY 1, 2, {_KIND}
), kept AS (
    SELECT width, bucket, {_KIND}, sum(count) AS count FROM logs_cell GROUP BY width, bucket, {_KIND}
)
SELECT count(DISTINCT (width, bucket, {_KIND})) FROM (
    (TABLE told EXCEPT TABLE kept) UNION ALL (SELECT * FROM kept WHERE count <> 0 EXCEPT TABLE told)
) wrong
"""
_WRONG_DURATIONS = f"""
WITH counted AS ({_COUNTED_ANEW}), told AS (
    SELECT width, {_OF_WIDTH} AS bucket, subscription_id, duration_bin AS bin, sum(count) AS count
    FROM counted CROSS JOIN {_WIDTHS} WHERE duration_bin IS NOT NULL GROUP BY 1, 2, 3, 4
), kept AS (
    SELECT width, bucket, subscription_id, bin, sum(count) AS count FROM logs_durationcell GROUP BY 1, 2, 3, 4
)
SELECT count(DISTINCT (width, bucket, subscription_id, bin)) FROM (
    (TABLE told EXCEPT TABLE kept) UNION ALL (SELECT * FROM kept WHERE count <> 0 EXCEPT TABLE told)
) wrong
"""


def fold() -> int:
    """Add up what was written since, AT_ONCE differences at most; how many it were. 0 as well where another process folds."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_FOLD, [AT_ONCE])
        folded = cursor.fetchone()[0]
        if folded:
            cursor.execute(_FORGET_EMPTY)
    return folded


def rebuild() -> int:
    """Count all logs anew; how many there are. Deliveries and imports go on meanwhile, and nothing of theirs is lost."""
    with _alone(), connection.cursor() as cursor:
        cursor.execute(_REBUILD)
        while cursor.nextset():
            pass
        return int(cursor.fetchone()[0])


def wrong_cells() -> int:
    """How many buckets differ from the logs, 0 where all is well. Reads every log."""
    with _alone(), connection.cursor() as cursor:
        cursor.execute(_WRONG_CELLS)
        wrong = cursor.fetchone()[0]
        cursor.execute(_WRONG_DURATIONS)
        return wrong + cursor.fetchone()[0]


@contextmanager
def _alone() -> Iterator[None]:
    """While nobody folds: a transaction that sees the database as it is at one moment.

    What is committed later is still a difference then, and is folded afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            with transaction.atomic(durable=True):
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
