"""Context of the log explorer: the whole page or one region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from ...db.cursor_pagination import Cursor, InvalidCursor, cursor_for, decode_cursor, encode_cursor
from ...db.timeouts import BoundedCount
from ...logsearch.criteria import SearchCriteria
from ...logsearch.facets import FACET_COLUMNS, Facet, build_facets
from ...logsearch.filterset import ActiveFilter, WebhookLogFilterSet
from ...logsearch.finder import Finder, SearchPage
from ...logsearch.histogram import Histogram, build_histogram
from ...logsearch.query_params import list_url, page_querystring, with_params, without_cursor
from ...logsearch.stats import LogStats
from ...models import Company, State, WebhookLog

SIZE = 50
TIME = {"range", "since", "until"}
IN_THE_FORM = TIME | {"q", "company", *FACET_COLUMNS}
LETTER, GAP = r"[\p{L}\p{N}]", r"[^\p{L}\p{N}]+"  # as JavaScript's regular expressions write them
LONG_SECONDS = 8.0  # for "Keep searching": this user is willing to wait
SHORT_SECONDS = 0.2  # while the same user runs two other searches


@dataclass(frozen=True)
class Page:
    """Up to SIZE logs in list order. A cursor is "" if there is nothing in its direction."""

    logs: list[WebhookLog]
    next_cursor: str = ""
    previous_cursor: str = ""
    searched_until: Cursor | None = None
    is_before: bool = False  # it ends where another page begins

    @property
    def older_cursor(self) -> str:
        """The cursor from which to continue a search that ran out of time."""
        return encode_cursor(self.searched_until) if self.searched_until else ""


@dataclass
class LogListPage:
    """The list page of one request. Each value is loaded when a template uses it, and only once.

    `has_place`: whether the user has a search slot, so that a search may take long.
    """

    query: QueryDict
    user: Any
    has_place: bool = True

    @cached_property
    def filter(self) -> WebhookLogFilterSet:
        return WebhookLogFilterSet(self.query, user=self.user)

    @cached_property
    def problems(self) -> dict[str, list[str]]:
        problems = dict(self.filter.problems)
        if self.query.get("sort", "newest") not in ("newest", "oldest"):
            problems[_("Order")] = [_("Choose newest first or oldest first.")]
        try:
            for name in ("after", "before"):
                if cursor := self.query.get(name):
                    decode_cursor(cursor)
        except InvalidCursor:
            problems[_("Page")] = [_("This page link is invalid. Start again from the newest log.")]
        return problems

    @property
    def shows_settled_only(self) -> bool:
        return self.query.getlist("state") == [State.SUPERSEDED]

    @property
    def marks(self) -> str:
        """A regular expression for what was searched for in texts, which js/lists.js marks in the rows; "" for nothing."""
        texts = (term for term in self.filter.criteria.terms if not term.is_negated)
        return "|".join(f"(?<!{LETTER}){GAP.join(term.tokens)}" + f"(?!{LETTER})" * term.is_quoted for term in texts)

    @cached_property
    def finder(self) -> Finder:
        if "extend" in self.query and self.has_place:
            return Finder(self.filter.criteria, seconds=LONG_SECONDS)
        return self._finder(self.filter.criteria)

    def _finder(self, criteria: SearchCriteria) -> Finder:
        return Finder(criteria) if self.has_place else Finder(criteria, seconds=SHORT_SECONDS)

    @cached_property
    def figures(self) -> LogStats:
        return LogStats(self.finder, FACET_COLUMNS)

    @property
    def list_query(self) -> str:
        """The query string for links to other pages: it names this list and the current page of it."""
        return page_querystring(self.query)

    @property
    def selection(self) -> str:
        """The filter for all matching logs, as the plan of a bulk redelivery takes it."""
        return with_params(self.query, sort=None).urlencode()

    @property
    def first_url(self) -> str:
        return list_url(without_cursor(self.query))

    @property
    def reversed_url(self) -> str:
        """The URL of the same logs in the opposite order."""
        return list_url(with_params(self.query, sort="oldest" if self.is_newest_first else None))

    @property
    def hidden_params(self) -> list[tuple[str, str]]:
        """The parameters that the filter form has no field for, and must keep."""
        return _values(self.query, {*WebhookLogFilterSet.base_filters, "sort"} - IN_THE_FORM)

    @property
    def facet_page_params(self) -> list[tuple[str, str]]:
        """The parameters that a page with only the facets must keep."""
        return _values(self.query, TIME | {"q"})

    @property
    def time_params(self) -> list[tuple[str, str]]:
        """The parameters that stay when another time range is chosen."""
        return _values(self.query, {*WebhookLogFilterSet.base_filters, "sort"} - TIME)

    @property
    def is_newest_first(self) -> bool:
        return self.query.get("sort") != "oldest"

    @cached_property
    def page(self) -> Page:
        if cursor := self.query.get("before"):
            return self._page_before(decode_cursor(cursor))
        place = decode_cursor(cursor) if (cursor := self.query.get("after")) else None
        result = self.finder.find(place, is_older=self.is_newest_first, limit=SIZE + 1)
        logs = self._logs(result.keys[:SIZE])
        return Page(
            logs,
            next_cursor=_cursor(logs, -1) if len(result.keys) > SIZE else "",
            previous_cursor=_cursor(logs, 0) if place else "",
            searched_until=result.searched_until,
        )

    def _page_before(self, place: Cursor) -> Page:
        result = self.finder.find(place, is_older=not self.is_newest_first, limit=SIZE + 1)
        logs = self._logs(result.keys[:SIZE][::-1])
        has_previous = len(result.keys) > SIZE or result.searched_until
        return Page(
            logs,
            next_cursor=_cursor(logs, -1),
            previous_cursor=_cursor(logs, 0) if has_previous else "",
            searched_until=result.searched_until,
            is_before=True,
        )

    @property
    def searched_back(self) -> bool:
        """Whether the search went from newer logs to older ones."""
        return self.is_newest_first is not self.page.is_before

    @property
    def is_inside(self) -> bool:
        """Whether the page begins or ends in the middle of the list."""
        return bool(self.query.get("after") or self.query.get("before"))

    @property
    def is_back_at_newest(self) -> bool:
        """Whether there is nothing before this page, so it is the beginning of the list."""
        if self.problems or not self.query.get("before"):
            return False
        return not self.page.previous_cursor and not self.page.searched_until

    def _logs(self, keys: list[Cursor]) -> list[WebhookLog]:
        logs = WebhookLog.objects.for_list().in_bulk([key.pk for key in keys])
        return [logs[key.pk] for key in keys if key.pk in logs]

    def neighbours(self, log: WebhookLog) -> tuple[WebhookLog | None, WebhookLog | None]:
        """The logs before and after it in the list."""
        near: list[SearchPage] = [
            self.finder.find(cursor_for(log), is_older=is_older, limit=1)
            for is_older in (not self.is_newest_first, self.is_newest_first)
        ]
        before, after = (WebhookLog(pk=result.keys[0].pk) if result.keys else None for result in near)
        return before, after

    @cached_property
    def total(self) -> BoundedCount:
        total, shown = self.figures.total, len(self.page.logs)
        return BoundedCount(shown, is_least=True) if total.is_least and (total.number or 0) < shown else total

    @cached_property
    def facets(self) -> list[Facet]:
        return build_facets(self.filter, self.figures)

    @cached_property
    def companies(self) -> list[Company]:
        """The companies that the user can filter by."""
        return list(self.filter.companies)

    @property
    def chosen_companies(self) -> list[str]:
        return self.query.getlist("company")

    @cached_property
    def histogram(self) -> Histogram | None:
        return build_histogram(self.figures, timezone.now())

    def counts_without_each_filter(self) -> list[tuple[ActiveFilter, BoundedCount]]:
        """For an empty list: the number of logs without each filter, highest first.

        Filters whose removal gives no logs are left out.
        """
        others = [(removed, WebhookLogFilterSet(removed.rest, user=self.user)) for removed in self.filter.active]
        counted = [
            (removed, LogStats(self._finder(other.criteria)).total) for removed, other in others if other.is_valid()
        ]
        return sorted((pair for pair in counted if pair[1]), key=lambda pair: -(pair[1].number or 0))


def _values(query: QueryDict, names: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name in query if name in names for value in query.getlist(name) if value]


def _cursor(logs: list[WebhookLog], place: int) -> str:
    return encode_cursor(cursor_for(logs[place])) if logs else ""
