"""Titles of bulk redeliveries by what they hold: "Failed, last 7 days · 262 logs, 62 to send".

A title is made from the stored selection whenever it is shown, in the language and time zone of the reader, and with the
names of what they may see. A filter that covers a range until its plan keeps the name of that range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef
from django.http import QueryDict
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..logsearch.filter_fields import LocalDateTimeField
from ..logsearch.filterset import WebhookLogFilterSet, value_in_words
from ..logsearch.query_params import format_local, search_in_local_time
from ..models import (
    BulkRedelivery,
    BulkRedeliveryItem,
    Cause,
    Company,
    ItemOutcome,
    SelectionSource,
    State,
    Subscription,
)
from ..payloads.masking import mask_text, masked_keys
from ..stats.buckets import SMALLEST_BUCKET
from ..stats.period import TIME_RANGES
from .recovery import proposed_reason

MAX_VALUE_LENGTH = 60  # characters of one value
MAX_VALUES = 3  # of one filter
LAST_RANGES: dict[str, Promise] = {
    "15m": gettext_lazy("last 15 minutes"),
    "1h": gettext_lazy("last hour"),
    "24h": gettext_lazy("last 24 hours"),
    "7d": gettext_lazy("last 7 days"),
    "30d": gettext_lazy("last 30 days"),
}
# A range begins with a bucket, and its plan is made a moment after its filter was read.
RANGE_TOLERANCE = SMALLEST_BUCKET + timedelta(minutes=1)
# The filters in the order of a title. Those whose values say nothing by themselves have their label.
_FILTERS = "state", "result", "cause", "status", "fingerprint", "type", "action", "q", "subscription", "company"
_LABELLED = ("result", "status")
_TIMES = ("range", "since", "until")
_moment = LocalDateTimeField(required=False)


def titles_of(bulks: Sequence[BulkRedelivery], user) -> dict[int, str]:
    """By id of the bulk redelivery, what it holds, in words. At most two queries, and none without such filters."""
    queries = {bulk.pk: QueryDict(bulk.query) for bulk in bulks if bulk.source == SelectionSource.FILTER}
    names = _names(queries.values(), user)
    return {
        bulk.pk: _filter_title(queries[bulk.pk], bulk.planned_at, names) if bulk.pk in queries else _other_title(bulk)
        for bulk in bulks
    }


def title_of(bulk: BulkRedelivery, user) -> str:
    return titles_of([bulk], user)[bulk.pk]


def with_logs_counted(title: str, number: int, to_send: int | None = None) -> str:
    """`number`: the logs that it holds. `to_send`: how many of them a plan would send; None if it was started."""
    counted = ngettext("%(number)s log", "%(number)s logs", number) % {"number": _grouped(number)}
    if to_send is not None:
        counted = _("%(logs)s, %(number)s to send") % {"logs": counted, "number": _grouped(to_send)}
    return f"{title} · {counted}"


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)


def logs_to_send(plans: Sequence[BulkRedelivery]) -> dict[int, int]:
    """By id of the plan, how many logs it sends unless a person chooses otherwise, as in `preview.py`. One query."""
    open_elsewhere = BulkRedeliveryItem.objects.open().filter(log=OuterRef("log"))
    items = BulkRedeliveryItem.objects.filter(
        bulk_redelivery__in=[plan.pk for plan in plans], outcome=ItemOutcome.PLANNED, is_superseded=False
    )
    sent = items.exclude(before_state=State.DELIVERED).exclude(Exists(open_elsewhere)).order_by()
    counts = dict(sent.values_list("bulk_redelivery").annotate(n=Count("pk"))) if plans else {}
    return {plan.pk: counts.get(plan.pk, 0) for plan in plans}


def _other_title(bulk: BulkRedelivery) -> str:
    if bulk.source == SelectionSource.IDS:
        return _("List of ids")
    if bulk.source == SelectionSource.SELECTED:
        return _("Selected logs")
    if bulk.source == SelectionSource.INCIDENT:
        return proposed_reason(bulk.incident) if bulk.incident else _("An incident")
    if bulk.parent_id:
        return _("Still failing after #%(number)s") % {"number": bulk.parent_id}
    return _("Still failing after a bulk redelivery")


def _filter_title(query: QueryDict, planned_at: datetime, names: Mapping[str, str]) -> str:
    included = [words for name in _FILTERS if (words := _words_of(query, name, names))]
    excluded = [
        _("not %(values)s") % {"values": words}
        for name in _FILTERS
        if (words := _words_of(query, name, names, prefix="not_"))
    ]
    known = {*_FILTERS, *_TIMES, *(f"not_{name}" for name in _FILTERS)}
    unknown = [_harmless(f"{name}={query[name]}") for name in query if name not in known]
    parts = [*(included or unknown or [_("All logs")]), *(unknown if included else ()), *excluded]
    return ", ".join([*parts, *_time_words(query, planned_at)])


def _words_of(query: QueryDict, name: str, names: Mapping[str, str], prefix: str = "") -> str:
    """The values of a filter: "Failed or Skipped"; "" if it isn't set."""
    values = list(filter(None, query.getlist(prefix + name)))
    texts = [_value_text(name, value, names) for value in values[:MAX_VALUES]]
    if len(values) > MAX_VALUES:
        words = f"{', '.join(texts)} +{len(values) - MAX_VALUES}"
    elif len(texts) > 1:
        words = _("%(first)s or %(last)s") % {"first": ", ".join(texts[:-1]), "last": texts[-1]}
    else:
        words = "".join(texts)
    if words and name in _LABELLED:
        return f"{WebhookLogFilterSet.base_filters[name].label} {words}"
    return words


def _value_text(name: str, value: str, names: Mapping[str, str]) -> str:
    if name == "q":
        return f"“{_harmless(search_in_local_time(value))}”"
    if name in ("subscription", "company"):
        return _harmless(names.get(value.lower(), value))
    if name == "cause":
        return str(dict(Cause.choices).get(value, _harmless(value)))
    return _harmless(value_in_words(name, value))


def _harmless(text: str) -> str:
    """Stored text may be long, have line breaks, or hold a secret. Templates escape it."""
    return Truncator(" ".join(mask_text(text, masked_keys()).split())).chars(MAX_VALUE_LENGTH)


def _time_words(query: QueryDict, planned_at: datetime) -> Iterator[str]:
    if range_ := query.get("range"):
        yield str(LAST_RANGES.get(range_, _harmless(range_)))
    since, until = _read_time(query.get("since")), _read_time(query.get("until"))
    if isinstance(since, datetime) and not until and (name := _range_name(planned_at - since)):
        yield str(LAST_RANGES[name])
    elif since and until:
        yield f"{_written(since)} – {_written(until)}"
    elif since:
        yield _("since %(time)s") % {"time": _written(since)}
    elif until:
        yield _("until %(time)s") % {"time": _written(until)}


def _range_name(length: timedelta) -> str:
    """The range that is this long; "" if there is none."""
    return next(
        (name for name, range_ in TIME_RANGES.items() if timedelta(0) <= length - range_ < RANGE_TOLERANCE),
        "",
    )


def _read_time(value: str | None) -> datetime | str:
    """Unchanged if it isn't a time; "" if there is none."""
    try:
        return _moment.clean(value) or ""
    except ValidationError:
        return value or ""


def _written(moment: datetime | str) -> str:
    return format_local(moment) if isinstance(moment, datetime) else _harmless(moment)


def _names(queries: Iterable[QueryDict], user) -> dict[str, str]:
    """The names of the subscriptions and companies in the filters, by id, as far as the user may see them."""
    queries = list(queries)
    names: dict[str, str] = {}
    for name, visible in (
        ("subscription", Subscription.objects.visible_to(user).only("name")),
        ("company", Company.objects.visible_to(user)),
    ):
        ids = {
            pk.lower() for query in queries for key in (name, f"not_{name}") for pk in query.getlist(key)[:MAX_VALUES]
        }
        if ids:
            names |= {row.pk: str(row) for row in visible.filter(pk__in=ids)}
    return names
