"""Adds up the differences that the log table's trigger wrote.

Readers need it only to be fast, not to be right: the views include differences that aren't compacted yet.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connection, transaction

from ..models.log_counts import BUCKET_WIDTHS as widths

logger = logging.getLogger("logs.compaction")
COMPACTION_BATCH_SIZE = 200_000
COMPACTION_LOCK = 0x726F6C6C  # any number, the same everywhere: one process compacts, rebuilds or verifies at a time

KIND_OF_ALL = "state, cause, status, event_type, action, fingerprint"
KIND = f"subscription_id, {KIND_OF_ALL}"
WIDTHS = f"unnest(ARRAY{list(widths)}) AS width"
OF_WIDTH = "date_bin(make_interval(mins => width), bucket, '2000-01-01Z')"
# `taken` holds the bucket, the dimensions, duration_bin and count. Rows of one time are stored together, as they're read.
_ADD = """
INSERT INTO {table} (width, bucket, {kind}, count)
SELECT width, {of_width} AS wider, {kind}, sum(count) FROM taken CROSS JOIN {widths}
GROUP BY width, wider, {kind} HAVING sum(count) <> 0 ORDER BY width, wider
"""
ADD_LOG_COUNTS = _ADD.format(table="logs_compactedlogcount", kind=KIND, of_width=OF_WIDTH, widths=WIDTHS)
ADD_LOG_COUNT_TOTALS = _ADD.format(
    table="logs_compactedlogcounttotal", kind=KIND_OF_ALL, of_width=OF_WIDTH, widths=WIDTHS
)
ADD_DURATION_COUNTS = f"""
INSERT INTO logs_compacteddurationcount (width, bucket, subscription_id, bin, count)
SELECT width, {OF_WIDTH} AS wider, subscription_id, duration_bin, sum(count) FROM taken CROSS JOIN {WIDTHS}
WHERE duration_bin IS NOT NULL
GROUP BY width, wider, subscription_id, duration_bin HAVING sum(count) <> 0 ORDER BY width, wider
"""
# A status may be NULL, which is one value here: see the unique indexes.
_ONE_KIND, _ONE_KIND_OF_ALL = (kind.replace("status", "(coalesce(status, -1))") for kind in (KIND, KIND_OF_ALL))
# A row's `ctid` is valid until somebody changes the row. Empty rows are deleted by it, so no index has to contain the count.
# That is why PostgreSQL can update a count in place.
_PLACE = "tableoid::regclass::text AS partition, ctid AS place, count"
# The narrowest width is added up first: most differences share a few combinations of dimensions.
_COMPACT = f"""
WITH difference AS (
    DELETE FROM logs_logcountdelta WHERE id < (SELECT min(id) FROM logs_logcountdelta) + %s RETURNING *
), taken AS MATERIALIZED (
    SELECT bucket, {KIND}, duration_bin, sum(count) AS count FROM difference GROUP BY bucket, {KIND}, duration_bin
), counts AS (
    {ADD_LOG_COUNTS}
    ON CONFLICT (width, bucket, {_ONE_KIND}) DO UPDATE SET count = logs_compactedlogcount.count + excluded.count
    RETURNING {_PLACE}
), totals AS (
    {ADD_LOG_COUNT_TOTALS}
    ON CONFLICT (width, bucket, {_ONE_KIND_OF_ALL}) DO UPDATE SET count = logs_compactedlogcounttotal.count + excluded.count
    RETURNING {_PLACE}
), durations AS (
    {ADD_DURATION_COUNTS}
    ON CONFLICT (width, bucket, subscription_id, bin) DO UPDATE SET count = logs_compacteddurationcount.count + excluded.count
    RETURNING {_PLACE}
), empty AS (
    SELECT partition, array_agg(place) AS places FROM (TABLE counts UNION ALL TABLE totals UNION ALL TABLE durations) row
    WHERE row.count = 0 GROUP BY partition
)
SELECT (SELECT count(*) FROM difference), (SELECT json_object_agg(partition, places) FROM empty)
"""
# Reads both ends of an index, without counting the rows between.
_BACKLOG = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM logs_logcountdelta"
MAX_UNCOMPACTED = 50_000  # a page reads all of them; this many take a tenth of a second
BACKLOG_CHECK_SECONDS = 10.0
TABLES = ("logs_compactedlogcount", "logs_compactedlogcounttotal", "logs_compacteddurationcount")


def compact() -> int:
    """Add up the differences written since, about `COMPACTION_BATCH_SIZE` at most, and return how many.

    Also returns 0 if another process is compacting.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [COMPACTION_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_COMPACT, [COMPACTION_BATCH_SIZE])
        compacted, empty = cursor.fetchone()
        for partition, places in (empty or {}).items():
            # Nobody else writes to it: see COMPACTION_LOCK.
            cursor.execute(f"DELETE FROM {partition} WHERE ctid = ANY(%s::tid[])", [places])
    return compacted


class BacklogWatch:
    """For a process that serves pages: compacts if no worker does, so that pages never have to read a million differences."""

    def __init__(self) -> None:
        self._next_check = 0.0
        self._lock = threading.Lock()

    def look(self) -> None:
        """Call it between two requests; most calls return at once. It only logs a warning if the database is unavailable."""
        if time.monotonic() < self._next_check or not self._lock.acquire(blocking=False):
            return
        try:
            while _backlog() > MAX_UNCOMPACTED and compact():
                pass
        except Error as error:
            logger.warning("could not compact log counts: %s", type(error).__name__)
        finally:
            self._next_check = time.monotonic() + BACKLOG_CHECK_SECONDS
            self._lock.release()
            connection.close()  # returns it to the pool


def _backlog() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG)
        return cursor.fetchone()[0]
