"""Selects the logs of a bulk redelivery: by a filter, by ids, or those of an earlier one that still fail.

Only logs that the person may see are selected. Ids are extracted from any pasted text: lines, commas, quotes, JSON,
Cotalker's documents, lines of a receiver's log. `Origin` describes where the logs came from, with a link back to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from ..cotalker import objectid
from ..logsearch.criteria import SearchCriteria
from ..logsearch.filterset import ActiveFilter, WebhookLogFilterSet
from ..logsearch.finder import Finder
from ..logsearch.query_params import format_utc, search_in_utc, with_params
from ..models import MAX_UNKNOWN_IDS, BulkRedelivery, ItemOutcome, SelectionSource, State, WebhookLog
from ..models.querysets import BulkRedeliveryItemQuerySet
from ..payloads.escapes import with_placeholders
from .recovery import failed_logs_of

# Also matches ids with a lost or mistyped digit: they are looked up, not found, and so reported as unknown.
_ID_LIKE = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{20,28}|[0-9A-Za-z]{24})(?![0-9A-Za-z])")


def extract_ids(text: str) -> list[str]:
    """Each id once, in order. A JSON document counts by its `_id` or `id`. Text that doesn't look like an id is ignored."""
    parts = _strings_of_json(text)
    ids = (match.lower() for part in ([text] if parts is None else parts) for match in _ID_LIKE.findall(part))
    return list(dict.fromkeys(ids))


def _strings_of_json(text: str) -> list[str] | None:
    """None if the text isn't JSON, neither as a whole nor line by line."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    for pieces in ([text], [line for line in text.splitlines() if line.strip()]):
        try:
            return [string for piece in pieces for string in _strings(json.loads(with_placeholders(piece)))]
        except (ValueError, RecursionError):
            continue
    return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element)
    elif isinstance(value, dict):
        own = value.get("_id", value.get("id"))
        for element in value.values() if own is None else [own]:
            yield from _strings(element)


@dataclass(frozen=True)
class Origin:
    """`address`: the URL of the filtered logs, the previous bulk redelivery or the incident; "" if a person chose the logs."""

    address: str = ""
    active: tuple[ActiveFilter, ...] = ()


def origin_of(bulk: BulkRedelivery, user) -> Origin:
    if bulk.source == SelectionSource.FILTER:
        filterset = WebhookLogFilterSet(QueryDict(bulk.query), user=user)
        return Origin(f"{reverse('logs:webhook_log_list')}?{bulk.query}", tuple(filterset.active))
    if bulk.source == SelectionSource.STILL_FAILING and bulk.parent_id:
        return Origin(reverse("logs:bulk_redelivery_detail", args=[bulk.parent_id]))
    if bulk.source == SelectionSource.INCIDENT and bulk.incident:
        return Origin(bulk.incident.get_absolute_url())
    return Origin()


MAX_SELECTED = 100_000  # logs of a bulk redelivery
SELECTION_BATCH_SIZE = 5_000


class TooManyLogs(Exception):
    """More logs than a bulk redelivery may have."""


class FilterInvalid(Exception):
    """The filter is invalid, and must never select everything. `str()` tells a person what is wrong."""


@dataclass(frozen=True)
class SelectedLogs:
    """`ids`: logs that exist and are visible, in no order. `unknown`: the other requested ids, at most MAX_UNKNOWN_IDS."""

    ids: list[str]
    unknown: list[str] = field(default_factory=list)


def select_by_filter(query: str, user, as_of: datetime) -> SelectedLogs:
    """What the filter finds now, among logs that existed at `as_of`. Raises FilterInvalid, TooManyLogs."""
    filterset = WebhookLogFilterSet(QueryDict(query), user=user)
    if not filterset.is_valid():
        raise FilterInvalid(
            "; ".join(f"{label}: {' '.join(map(str, errors))}" for label, errors in filterset.problems.items())
        )
    until = as_of if filterset.criteria.until is None else min(as_of, filterset.criteria.until)
    return SelectedLogs(_limited(_keys(replace(filterset.criteria, until=until))))


def select_now(query: str, ids: Sequence[str], user) -> SelectedLogs:
    """The logs with these ids; without ids, what the filter finds. Raises FilterInvalid, TooManyLogs."""
    return select_by_ids(ids, user) if ids else select_by_filter(query, user, timezone.now())


def freeze_query(query: QueryDict, criteria: SearchCriteria) -> str:
    """The filter with absolute datetimes in UTC. So it means the same at any later time and in any time zone."""
    kept = with_params(query, sort=None, range=None, since=None, until=None)
    for name in list(kept):
        kept.setlist(name, [search_in_utc(value) if name == "q" else value for value in kept.getlist(name) if value])
    until = None if criteria.is_until_now else criteria.until  # the plan's own datetime is earlier
    for name, moment in (("since", criteria.since), ("until", until)):
        if moment is not None:
            kept[name] = format_utc(moment)
    return kept.urlencode()


def select_by_ids(ids: Sequence[str], user) -> SelectedLogs:
    """Raises TooManyLogs."""
    requested = list(dict.fromkeys(pk.lower() for pk in ids))
    if len(requested) > MAX_SELECTED:
        raise TooManyLogs
    known: set[str] = set()
    well_formed = [pk for pk in requested if objectid.is_objectid(pk)]
    for start in range(0, len(well_formed), SELECTION_BATCH_SIZE):
        logs = WebhookLog.objects.visible_to(user).filter(pk__in=well_formed[start : start + SELECTION_BATCH_SIZE])
        known.update(logs.order_by().values_list("pk", flat=True))
    unknown = [pk for pk in requested if pk not in known]
    return SelectedLogs([pk for pk in requested if pk in known], [pk[:100] for pk in unknown[:MAX_UNKNOWN_IDS]])


def items_still_failing(bulk: BulkRedelivery) -> BulkRedeliveryItemQuerySet:
    """Items that it sent or was to send, and whose logs are still failed or skipped."""
    items = bulk.items.exclude(outcome=ItemOutcome.EXCLUDED)
    return items.filter(log__state__in=[State.FAILED, State.SKIPPED])


def still_failing(bulk: BulkRedelivery, user) -> SelectedLogs:
    return select_by_ids(list(items_still_failing(bulk).order_by("number").values_list("log", flat=True)), user)


def select_logs(bulk: BulkRedelivery, ids: Sequence[str] = ()) -> SelectedLogs:
    """The logs to plan; `ids` is used if they come from a list of ids. Raises FilterInvalid, TooManyLogs."""
    if bulk.source == SelectionSource.FILTER:
        return select_by_filter(bulk.query, bulk.planned_by, bulk.planned_at)
    if bulk.source == SelectionSource.STILL_FAILING and bulk.parent:
        return still_failing(bulk.parent, bulk.planned_by)
    if bulk.source == SelectionSource.INCIDENT and bulk.incident:
        return SelectedLogs(
            _limited(failed_logs_of(bulk.incident, bulk.planned_by).order_by().values_list("pk", flat=True))
        )
    return select_by_ids(ids, bulk.planned_by)


def _keys(criteria: SearchCriteria) -> Iterator[str]:
    finder = Finder(criteria)
    if not criteria.uses_dimensions_only and finder.looked.is_all:
        yield from (key.pk for key in finder.looked.keys)
        return
    for keys in finder.every(is_older=True):
        yield from (key.pk for key in keys)


def _limited(ids: Iterable[str]) -> list[str]:
    limited: list[str] = []
    for pk in ids:
        if len(limited) >= MAX_SELECTED:
            raise TooManyLogs
        limited.append(pk)
    return limited
