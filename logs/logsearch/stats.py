"""How many logs match, by dimension and time step: from log counts if they know, else from the logs that were found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count as CountRows
from django.db.models import DateTimeField, F, Func, IntegerField, QuerySet, Value

from ..db.raw_sql import SQL_FALSE, SqlFragment
from ..db.timeouts import BoundedCount
from ..models import WebhookLog
from ..stats.buckets import bucket_ceiling, bucket_floor, is_begun_by_bucket, widest_between
from ..stats.queries import log_counts_sql, time_extent, totals_by_bucket, totals_by_column
from .criteria import DIMENSIONS, SearchCriteria
from .finder import Finder

Row = tuple[Any, ...]  # the values of some columns, then the number of logs
StateCounts = dict[str, list[Row]]  # by column


@dataclass
class LogStats:
    """Statistics of what a finder finds. If the finder couldn't search everything, the numbers say "at least".

    `facets`: the filters for which the page shows other choices, with their columns.
    """

    finder: Finder
    facets: Mapping[str, str] = field(default_factory=dict)

    @property
    def criteria(self) -> SearchCriteria:
        return self.finder.criteria

    @cached_property
    def is_exact(self) -> bool:
        return self.criteria.uses_dimensions_only or self.finder.looked.is_all

    @property
    def searched_from(self) -> datetime | None:
        """The datetime from which on logs were searched; None if all were."""
        return None if self.is_exact or not self.finder.looked.until else self.finder.looked.until.created_at

    @cached_property
    def total(self) -> BoundedCount:
        return self.count(self.totals_by_dimension["state"])  # each log has one state

    def count(self, rows: Iterable[Row]) -> BoundedCount:
        return BoundedCount(sum(row[-1] for row in rows), is_least=not self.is_exact)

    @property
    def totals_by_dimension(self) -> StateCounts:
        """For each of `criteria.DIMENSIONS`: its values, and the number of logs that have them."""
        return self._all[0]

    def facet_totals(self, name: str) -> list[Row]:
        """The same for a facet's column, without the facet's own filter: otherwise its other values would be missing."""
        own = self._all[1]
        return own[name] if name in own else self.totals_by_dimension[self.facets[name]]

    @cached_property
    def _all(self) -> tuple[StateCounts, dict[str, list[Row]]]:
        chosen = [name for name in self.facets if name in self.criteria.kinds]
        parts = [(self.criteria.without(name), [self.facets[name]]) for name in chosen]
        totals_by_dimension, *own = self._numbers([(self.criteria, DIMENSIONS), *parts])
        return totals_by_dimension, {name: counts[self.facets[name]] for name, counts in zip(chosen, own, strict=True)}

    def grouped(self, column: str) -> list[Row]:
        """Counts by one column alone."""
        return self._numbers([(self.criteria, [column])])[0][column]

    def _numbers(self, parts: Sequence[tuple[SearchCriteria, Sequence[str]]]) -> list[StateCounts]:
        if not self.criteria.uses_dimensions_only:
            return [self._looked_up(criteria, columns) for criteria, columns in parts]
        totals = _totals(parts)
        for numbers, (criteria, columns) in zip(totals, parts, strict=True):
            for edge in _edges(criteria):
                for column, rows in _by_value(_counted(edge, columns), columns).items():
                    numbers[column] = merge_rows([*numbers[column], *rows])
        return totals

    def _looked_up(self, criteria: SearchCriteria, columns: Sequence[str]) -> StateCounts:
        finder = self.finder if criteria.kinds == self.criteria.kinds else self.finder.with_dimensions(criteria)
        ids = [key.pk for key in finder.looked.keys]
        return _by_value(_counted(WebhookLog.objects.filter(pk__in=ids), columns), columns)

    def by_bar(self, edges: Sequence[datetime]) -> list[Row]:
        """(number of the bar, state, number of logs): bar n lies between the edges n and n + 1.

        The time that is filtered by must not reach beyond the first and the last edge.
        """
        inner = edges[1:-1]
        if not self.criteria.uses_dimensions_only:
            matches = WebhookLog.objects.filter(pk__in=[key.pk for key in self.finder.looked.keys])
            return _counted_by_bar(matches.since(edges[0]).before(edges[-1]), inner)
        if not all(map(is_begun_by_bucket, inner)):
            return _counted_by_bar(self.criteria.logs().since(edges[0]).before(edges[-1]), inner)
        rows: list[Row] = []
        start, end = _whole_buckets(self.criteria)
        if _is_open(start, end):
            kind, is_total = self.criteria.dimension_sql, self.criteria.is_total
            whole = start or edges[0], end or edges[-1]
            cells = log_counts_sql(kind, *whole, widest_between(inner), is_total=is_total)
            rows += totals_by_bucket(cells, inner)
        for logs in _edges(self.criteria):
            rows += _counted_by_bar(logs, inner)
        return merge_rows(rows)

    def reach(self) -> tuple[datetime, datetime] | None:
        """The approximate datetimes of the oldest and the newest log that match; None if there is none."""
        if not self.criteria.uses_dimensions_only:
            moments = [key.created_at for key in self.finder.looked.keys]
            return (min(moments), max(moments)) if moments else None
        return time_extent(self.criteria.dimension_sql, is_total=self.criteria.is_total)


def _by_value(rows: Sequence[Row], columns: Sequence[str]) -> StateCounts:
    return {column: merge_rows((row[place], row[-1]) for row in rows) for place, column in enumerate(columns)}


def merge_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows with the same values become one, with the sum of their numbers."""
    sums: dict[Row, int] = {}
    for *values, number in rows:
        key = tuple(values)
        sums[key] = sums.get(key, 0) + number
    return [(*key, number) for key, number in sums.items()]


def _counted(logs: QuerySet, columns: Sequence[str]) -> list[Row]:
    return list(logs.order_by().values_list(*columns).annotate(n=CountRows("pk")))


def _counted_by_bar(logs: QuerySet, inner: Sequence[datetime]) -> list[Row]:
    edges = Value(list(inner), output_field=ArrayField(DateTimeField()))
    bar = Func(F("created_at"), edges, function="width_bucket", output_field=IntegerField())
    return _counted(logs.annotate(bar=bar), ("bar", "state"))


def _totals(requested: Sequence[tuple[SearchCriteria, Sequence[str]]]) -> list[StateCounts]:
    """Totals from log counts. If no condition names a subscription, only the column `subscription` needs the counts of each."""
    results: list[StateCounts] = [{} for _request in requested]
    parts: list[tuple[StateCounts, SqlFragment, list[str]]] = []
    for numbers, (criteria, columns) in zip(results, requested, strict=True):
        of_all = [column for column in columns if criteria.is_total and column != "subscription"]
        of_each = [column for column in columns if column not in of_all]
        parts += [(numbers, _whole(criteria, is_total=True), of_all)] if of_all else []
        parts += [(numbers, _whole(criteria, is_total=False), of_each)] if of_each else []
    for (numbers, *_part), totals in zip(parts, totals_by_column(*(part[1:] for part in parts)), strict=True):
        numbers |= totals
    return results


def _whole(criteria: SearchCriteria, *, is_total: bool) -> SqlFragment:
    """The log counts of the buckets that are wholly within the time."""
    start, end = _whole_buckets(criteria)
    kind = criteria.dimension_sql if _is_open(start, end) else SQL_FALSE
    return log_counts_sql(kind, start, end, is_total=is_total)


def _edges(criteria: SearchCriteria) -> list[QuerySet]:
    """What buckets can't answer: the logs of the minutes before the first whole bucket, and of those after the last."""
    logs, since, until = criteria.logs(), criteria.since, criteria.until
    start, end = _whole_buckets(criteria)
    if not _is_open(start, end):
        return [logs]
    edges: list[QuerySet] = []
    if since is not None and start is not None and since < start:
        edges.append(logs.before(start))
    if until is not None and end is not None and end < until:
        edges.append(logs.since(end))
    return edges


def _whole_buckets(criteria: SearchCriteria) -> tuple[datetime | None, datetime | None]:
    since, until = criteria.since, criteria.until
    return since and bucket_ceiling(since), until and bucket_floor(until)


def _is_open(start: datetime | None, end: datetime | None) -> bool:
    return start is None or end is None or start < end
