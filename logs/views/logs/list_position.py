"""The list from which a log's page was opened: the previous and next log, and the link back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict

from ...logsearch.filterset import WebhookLogFilterSet
from ...logsearch.query_language import PathTerm, TextTerm
from ...logsearch.query_params import list_url
from ...models import WebhookLog
from .list_page import LogListPage

NEIGHBOUR_SECONDS = 0.05  # a rare search may take longer; then no neighbours are shown


@dataclass
class ListPosition:
    """The log in its list. `params`: the query of the log's page, which contains the list's filter among others.

    The list is loaded when a template uses it.
    """

    log: WebhookLog
    params: QueryDict
    user: Any

    @cached_property
    def query(self) -> QueryDict:
        """The filter, the order and the page of the list."""
        query = QueryDict(mutable=True)
        for name, values in self.params.lists():
            if name in WebhookLogFilterSet.base_filters or name in ("sort", "after", "before"):
                query.setlist(name, values)
        return query

    @cached_property
    def explorer(self) -> LogListPage:
        return LogListPage(self.query, self.user)

    @property
    def list_query(self) -> str:
        """The query string for the URLs of other logs and of this log's parts."""
        return self.explorer.list_query

    @property
    def searched(self) -> str:
        """The first text that the list's logs contain in their events or responses; "" if it searched for none."""
        if "q" not in self.query or self.explorer.problems:
            return ""
        texts = (term for term in self.explorer.filter.criteria.terms if isinstance(term, TextTerm | PathTerm))
        return next((term.text for term in texts if not term.is_negated), "")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The same parameters as hidden form fields."""
        return [(name, value) for name, values in self.query.lists() for value in values]

    @property
    def list_address(self) -> str:
        """The URL of the list; scrolled to this log if the user came from there."""
        return list_url(self.query) + f"#{self.log.pk}" * bool(self.query)

    @property
    def is_newest_first(self) -> bool:
        return self.explorer.is_newest_first

    @cached_property
    def _neighbours(self) -> tuple[WebhookLog | None, WebhookLog | None]:
        if self.explorer.problems:
            return None, None
        self.explorer.finder.seconds = NEIGHBOUR_SECONDS
        return self.explorer.neighbours(self.log)

    @property
    def before(self) -> str:
        """The URL of the previous log; "" if there is none."""
        return self._address(self._neighbours[0])

    @property
    def after(self) -> str:
        return self._address(self._neighbours[1])

    def _address(self, log: WebhookLog | None) -> str:
        return log.get_absolute_url() + self.list_query if log else ""
