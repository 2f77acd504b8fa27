"""How many logs match, of each kind and in each step of time: from the rollups where they know, else from what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count as CountRows
from django.db.models import DateTimeField, F, Func, Max, Min, QuerySet, Value

from ..counting import Count
from ..models import Cell, WebhookLog
from ..rollups.reading import cells, cells_by_step, totals_by, totals_by_step
from ..rollups.spans import FINEST, ORIGIN, ceiling, floor
from .criteria import KINDS, Criteria
from .finding import Finder

Row = tuple[Any, ...]  # the values of some columns, and then the number of logs


@dataclass
class Figures:
    """Of what a finder finds. Where the finder could not look at everything, the numbers say "at least"."""

    finder: Finder

    @property
    def criteria(self) -> Criteria:
        return self.finder.criteria

    @cached_property
    def is_exact(self) -> bool:
        return self.criteria.is_of_kinds or self.finder.looked.is_all

    @cached_property
    def total(self) -> Count:
        return self.count(self.by_value["state"])  # each log has one

    def count(self, rows: Iterable[Row]) -> Count:
        return Count(sum(row[-1] for row in rows), is_least=not self.is_exact)

    @cached_property
    def by_value(self) -> dict[str, list[Row]]:
        """Of each of criteria.KINDS its values, and the number of logs that have them."""
        return self._numbers(self.criteria, KINDS)

    def grouped(self, column: str, *, without: str = "") -> list[Row]:
        """The same of one column, as if nothing were chosen by the filter `without`."""
        return self._numbers(self.criteria.without(without), [column])[column]

    def _numbers(self, criteria: Criteria, columns: Sequence[str]) -> dict[str, list[Row]]:
        if not criteria.is_of_kinds:
            finder = self.finder if criteria.kinds == self.criteria.kinds else self.finder.with_kinds(criteria)
            ids = [key.pk for key in finder.looked.keys]
            return _by_value(_counted(WebhookLog.objects.filter(pk__in=ids), columns), columns)
        start, end = _whole_buckets(criteria)
        found = cells(start, end, None).filter(criteria.kind()) if _is_open(start, end) else Cell.objects.none()
        numbers: dict[str, list[Row]] = dict(totals_by(found, columns))
        for edge in _edges(criteria, start, end):
            for column, rows in _by_value(_counted(edge, columns), columns).items():
                numbers[column] = merged([*numbers[column], *rows])
        return numbers

    def by_step(self, start: datetime, end: datetime, step: timedelta) -> list[Row]:
        """(beginning of the step, state, number) of the logs from start to end."""
        if self.criteria.is_of_kinds and step >= FINEST:
            first = floor(start)
            found = cells_by_step(first, ceiling(end), step, None).filter(self.criteria.kind())
            return totals_by_step(found)
        if self.criteria.is_of_kinds:
            logs = self.criteria.logs()
        else:
            logs = WebhookLog.objects.filter(pk__in=[key.pk for key in self.finder.looked.keys])
        bin_of = Func(Value(step), F("created_at"), Value(ORIGIN), function="date_bin", output_field=DateTimeField())
        return _counted(logs.since(start).before(end).annotate(step_start=bin_of), ("step_start", "state"))

    def reach(self) -> tuple[datetime, datetime] | None:
        """The moments between which there are logs that match, about; None where there is none."""
        if not self.criteria.is_of_kinds:
            moments = [key.created_at for key in self.finder.looked.keys]
            return (min(moments), max(moments)) if moments else None
        days = Cell.objects.filter(self.criteria.kind(), width=1440, count__gt=0)
        found = days.aggregate(first=Min("bucket"), last=Max("bucket"))
        return (found["first"], found["last"] + timedelta(days=1)) if found["first"] else None


def _by_value(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, list[Row]]:
    return {column: merged((row[place], row[-1]) for row in rows) for place, column in enumerate(columns)}


def merged(rows: Iterable[Row]) -> list[Row]:
    """Rows of the same values are one, with the sum of their numbers."""
    sums: dict[Row, int] = {}
    for *values, number in rows:
        key = tuple(values)
        sums[key] = sums.get(key, 0) + number
    return [(*key, number) for key, number in sums.items()]


def _counted(logs: QuerySet, columns: Sequence[str]) -> list[Row]:
    return list(logs.order_by().values_list(*columns).annotate(n=CountRows("pk")))


def _whole_buckets(criteria: Criteria) -> tuple[datetime | None, datetime | None]:
    """The part of the time that the rollups can tell of."""
    since, until = criteria.since, criteria.until
    return since and ceiling(since), until and floor(until)


def _is_open(start: datetime | None, end: datetime | None) -> bool:
    return start is None or end is None or start < end


def _edges(criteria: Criteria, start: datetime | None, end: datetime | None) -> list[QuerySet]:
    """The logs of the minutes before the first whole bucket, and of those after the last."""
    logs, since, until = criteria.logs(), criteria.since, criteria.until
    if not _is_open(start, end):
        return [logs]
    found: list[QuerySet] = []
    if since is not None and start is not None and since < start:
        found.append(logs.before(start))
    if until is not None and end is not None and end < until:
        found.append(logs.since(end))
    return found
