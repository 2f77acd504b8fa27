"""Figures from log counts: how many logs with which values there are in a period, for the subscriptions that a user may see.

Durations are counted by bin. Each bin is a quarter longer than the one before, so a percentile is right to an eighth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from typing import Any

from django.db.models import QuerySet, Sum

from ..db.raw_sql import SqlFragment, fetch_all, sql_and
from ..models import DurationCount, LogCount, Subscription
from .buckets import bucket_condition, bucket_condition_sql

BIN_RATIO = 1.25  # the migration of the log counts computes bins by it: floor(ln(ms) / ln(1.25)), 0 to 63


def percentile(counts: Mapping[int, int], fraction: float = 0.95) -> float | None:
    """The duration in ms that `fraction` of the logs did not exceed; None if no log has a duration. `counts`: logs by bin."""
    needed = sum(counts.values()) * fraction
    if needed <= 0:
        return None
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= needed:
            return BIN_RATIO ** (number + 0.5)
    return None


TOTAL_WIDTH = Sum("count")
_DAY = timedelta(days=1)
# Many log counts of one time are read page by page, not one by one along an index. PostgreSQL estimates that this costs more,
# but it is twice as fast. Both statements are sent together, as one transaction.
_PAGE_BY_PAGE = "SET LOCAL enable_indexscan = off"


def visible_ids(user) -> list[str] | None:
    """The subscriptions that the user may see; None for a superuser, who sees all."""
    return None if user.is_superuser else list(Subscription.objects.visible_to(user).values_list("pk", flat=True))


def log_counts(
    start: datetime | None,
    end: datetime | None,
    subscriptions: Sequence[str] | None,
    widest: timedelta | None = None,
) -> QuerySet[LogCount]:
    """The log counts from start to end (multiples of 5 minutes; None: open), from as few buckets as possible.

    `log_counts(…).values("state").annotate(n=TOTAL_WIDTH)`. A sum may be 0 if there are no such logs any more.
    """
    return _of(LogCount.objects.filter(bucket_condition(start, end, widest)), subscriptions)


def log_counts_sql(
    kind: SqlFragment, start: datetime | None, end: datetime | None, widest: timedelta | None = None, *, is_total: bool
) -> SqlFragment:
    """The view and the condition that select log counts in SQL.

    `is_total`: the counts of all subscriptions together, which are few. `kind` must then not name a subscription. The
    condition has `kind` before the time, because it mostly leaves fewer rows.
    """
    text, values = sql_and([kind, bucket_condition_sql(start, end, widest)])
    return f"{'logs_logcounttotal' if is_total else 'logs_logcount'} WHERE {text}", values


def totals_by_bucket(counts_sql: SqlFragment, edges: Sequence[datetime]) -> list[tuple[int, str, int]]:
    """(number of edges that are not after, state, number of logs) for log counts whose buckets have no edge inside."""
    text, values = counts_sql
    # Added up by bucket first: finding the bar of each row takes longer.
    by_bucket = f"SELECT bucket, state, sum(count) AS n FROM {text} GROUP BY bucket, state"
    query = f"SELECT width_bucket(bucket, %s::timestamptz[]), state, sum(n)::bigint FROM ({by_bucket}) AS log_count"
    [bars] = fetch_all((f"{_PAGE_BY_PAGE}; {query} GROUP BY 1, 2 HAVING sum(n) > 0", [list(edges), *values]))
    return bars


def time_extent(kind: SqlFragment, *, is_total: bool) -> tuple[datetime, datetime] | None:
    """The days, in UTC, between which there are matching logs; None if there are none."""
    text, values = log_counts_sql(kind, None, None, _DAY, is_total=is_total)
    [[(first, last)]] = fetch_all((f"SELECT min(bucket), max(bucket) FROM {text} AND count > 0", values))
    return None if first is None else (first, last + _DAY)


Totals = dict[str, list[tuple[Any, int]]]  # by column: its values, and how many logs have them


def totals_by_column(*requests: tuple[SqlFragment, Sequence[str]]) -> list[Totals]:
    """The totals of each column, for several sets of log counts. Each set is read once, and all in one database query."""
    totals: list[Totals] = [{column: [] for column in columns} for _counts_sql, columns in requests]
    for its_totals, (_counts_sql, columns), rows in zip(
        totals, requests, fetch_all(*starmap(_grouped, requests)), strict=True
    ):
        for place, *values, total in rows:
            its_totals[columns[place]].append((values[place], total))
    return totals


def _grouped(counts_sql: SqlFragment, columns: Sequence[str]) -> SqlFragment:
    """(index of a column, a value for each column, number), by GROUPING SETS."""
    text, values = counts_sql
    columns = ["subscription_id" if column == "subscription" else column for column in columns]
    listed = ", ".join(columns)
    each = f"SELECT {listed}, sum(count) AS number FROM {text} GROUP BY {listed}"
    which = f"array_position(ARRAY[{', '.join(f'grouping({column})' for column in columns)}], 0) - 1"
    sets = ", ".join(f"({column})" for column in columns)
    query = f"SELECT {which}, {listed}, sum(number)::bigint FROM ({each}) AS log_count GROUP BY GROUPING SETS ({sets})"
    return f"{query} HAVING sum(number) > 0", values


def percentiles(
    start: datetime | None, end: datetime | None, subscriptions: Sequence[str] | None, by: str = ""
) -> dict[Any, float | None]:
    """The duration in ms that 95 of 100 logs did not exceed, for each value of the column `by`; without it, for "" alone."""
    duration_counts = _of(DurationCount.objects.filter(bucket_condition(start, end)), subscriptions)
    counts: dict[Any, dict[int, int]] = {}
    for *key, number, count in (
        duration_counts.values_list(*([by] if by else []), "bin").annotate(n=TOTAL_WIDTH).filter(n__gt=0)
    ):
        counts.setdefault(key[0] if key else "", {})[number] = count
    return {key: percentile(bins) for key, bins in counts.items()}


def _of(rows: QuerySet, subscriptions: Sequence[str] | None) -> QuerySet:
    return rows if subscriptions is None else rows.filter(subscription__in=subscriptions)
