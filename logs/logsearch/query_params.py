"""The explorer's URL is its whole state, and each click changes part of it.

A canonical URL means the same to everybody who opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from .filter_fields import LocalDateTimeField
from .query_language import MAX_SEARCH_LENGTH, time_spans

CURSOR_PARAMS = ("after", "before", "extend")  # of a page of the list: another list has other pages


def list_url(query: QueryDict) -> str:
    """The URL of the explorer with this query."""
    return reverse("logs:webhook_log_list") + querystring(query)


def querystring(query: QueryDict) -> str:
    """The query string to append to a path; "" if the query is empty. Like `QueryDict.urlencode`, in half the time."""
    return _querystring((name, value) for name, values in query.lists() for value in values)


def page_querystring(query: QueryDict) -> str:
    """The same with the page of the list, to return to it; without how long to search."""
    return _querystring((name, value) for name, values in query.lists() for value in values if name != "extend")


def _querystring(pairs: Iterable[tuple[str, str]]) -> str:
    written = urlencode(list(pairs), safe=":")
    return f"?{written}" if written else ""


def without_cursor(query: QueryDict) -> QueryDict:
    """A mutable copy without a cursor. `QueryDict.copy` is slow, and a page makes hundreds of copies."""
    params = QueryDict(mutable=True)
    for name, values in query.lists():
        if name not in CURSOR_PARAMS:
            params.setlist(name, list(values))
    return params


def with_params(query: QueryDict, **values: str | None) -> QueryDict:
    """With these values; None removes a name."""
    changed = without_cursor(query)
    for name, value in values.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def without_value(query: QueryDict, name: str, value: str) -> QueryDict:
    """Without this value."""
    changed = without_cursor(query)
    left = [other for other in changed.getlist(name) if other != value]
    if left:
        changed.setlist(name, left)
    else:
        changed.pop(name, None)
    return changed


def toggle_excluded(query: QueryDict, name: str, value: str) -> QueryDict:
    """With the value excluded, or no longer excluded if it was."""
    if value in query.getlist(f"not_{name}"):
        return without_value(query, f"not_{name}", value)
    changed = without_value(query, name, value)
    changed.appendlist(f"not_{name}", value)
    return changed


TIME_PARAMS = {
    "since": LocalDateTimeField(required=False),
    "until": LocalDateTimeField(required=False, is_end=True),
}


def canonical_query(query: QueryDict) -> QueryDict:
    """Times are in UTC, because another reader's clock may show other times, and "yesterday" is another day tomorrow.

    Values that can't be read stay as they are. No value is both chosen and excluded: chosen wins, so that the box that
    somebody ticked last isn't hidden.
    """
    params = QueryDict(mutable=True)
    for name, values in query.lists():
        if name in TIME_PARAMS:
            values = [_time_in_utc(TIME_PARAMS[name], value) for value in values]
        elif name == "q":
            values = [search_in_utc(value) for value in values]
        elif name.startswith("not_"):
            values = [value for value in values if value not in query.getlist(name.removeprefix("not_"))]
        if values:
            params.setlist(name, values)
    return params


def _time_in_utc(field: LocalDateTimeField, value: str) -> str:
    try:
        moment = field.clean(value)
    except ValidationError:
        return value
    return format_utc(moment) if moment else value


def search_in_utc(text: str) -> str:
    """The text of the search box, with its times in UTC: failed:2026-04-13T22:30Z..2026-04-13T23:45Z"""
    return _with_times(text, format_utc, "{}..{}")


def search_in_local_time(text: str) -> str:
    """As the reader would write it: failed:"2026-04-13 22:30..2026-04-13 23:45"."""
    return _with_times(text, format_local, '"{}..{}"')


def _with_times(text: str, write: Callable[[datetime], str], value: str) -> str:
    if len(text) > MAX_SEARCH_LENGTH:
        return text
    for place, span in reversed(list(time_spans(text))):
        text = text[: place.start] + value.format(*(write(end) if end else "" for end in span)) + text[place.stop :]
    return text


def format_utc(moment: datetime) -> str:
    """2026-04-13T22:30Z"""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    has_seconds = utc.second or utc.microsecond
    return (utc.isoformat() if has_seconds else utc.isoformat(timespec="minutes")) + "Z"


def is_shown_once(local: datetime) -> bool:
    """False in the hour that occurs twice when a clock goes back."""
    return local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()


def format_local(moment: datetime) -> str:
    """As the reader would write it: 2026-04-13 22:30. With its offset if their clock shows the same time twice."""
    local = timezone.localtime(moment)
    shown = local.replace(tzinfo=None) if is_shown_once(local) else local
    return shown.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")
