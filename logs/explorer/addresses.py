"""The address of the explorer is its whole state: what one click changes of it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from django.http import QueryDict

from ..url_cache import address_of_all

PLACES = ("after", "before", "further")  # of a page of the list: another list has other pages


def address(query: QueryDict) -> str:
    """Of the explorer with this query."""
    return address_of_all("logs:webhook_log_list") + tail(query)


def tail(query: QueryDict) -> str:
    """The query as it stands behind a path; "" where nothing is asked. As QueryDict.urlencode, in half the time."""
    return _tail((name, value) for name, values in query.lists() for value in values)


def tail_of_page(query: QueryDict) -> str:
    """The same with the page of the list, so that one comes back to it; not how long it was looked for."""
    return _tail((name, value) for name, values in query.lists() for value in values if name != "further")


def _tail(pairs: Iterable[tuple[str, str]]) -> str:
    written = urlencode(list(pairs), safe=":")
    return f"?{written}" if written else ""


def at_the_beginning(query: QueryDict) -> QueryDict:
    """A copy that may be changed, with no place in the list. QueryDict.copy is slow, and a page makes hundreds."""
    found = QueryDict(mutable=True)
    for name, values in query.lists():
        if name not in PLACES:
            found.setlist(name, list(values))
    return found


def changed(query: QueryDict, **values: str | None) -> QueryDict:
    """With these values; None drops a name."""
    found = at_the_beginning(query)
    for name, value in values.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def without(query: QueryDict, name: str, value: str) -> QueryDict:
    """With one value less."""
    found = at_the_beginning(query)
    left = [other for other in found.getlist(name) if other != value]
    if left:
        found.setlist(name, left)
    else:
        found.pop(name, None)
    return found


def excluding(query: QueryDict, name: str, value: str) -> QueryDict:
    """With the value excluded; where it was excluded, without that."""
    if value in query.getlist(f"not_{name}"):
        return without(query, f"not_{name}", value)
    found = without(query, name, value)
    found.appendlist(f"not_{name}", value)
    return found
