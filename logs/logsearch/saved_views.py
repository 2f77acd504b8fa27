"""The views of the explorer: the default ones, and those that people save.

A view's count comes from log counts, in a limited time. It is cached briefly, so that no page waits for it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from ..db.timeouts import BoundedCount, StatementTimeout, statement_timeout
from ..models import SavedView
from ..models.saved_view import MAX_QUERY_LENGTH
from .filterset import NON_FILTER_PARAMS, ActiveFilter, WebhookLogFilterSet
from .finder import Finder
from .query_params import canonical_query
from .stats import LogStats

FRESH_SECONDS = 30  # seconds
COUNT_CACHE_SECONDS = 300  # seconds; the page shows an older number until it has fetched a new one
COUNT_TIMEOUT_EACH = 0.5
COUNT_TIMEOUT_TOTAL = 1.5


@dataclass(frozen=True)
class CachedCount:
    """A number, and when it was counted, in seconds since 1970."""

    count: BoundedCount
    at: float

    @property
    def is_fresh(self) -> bool:
        return time.time() - self.at < FRESH_SECONDS


def cached_counts(queries: Iterable[str], user) -> dict[str, CachedCount]:
    """The cached counts, by query. Needs no database query."""
    keys = {_key(query, user): query for query in queries}
    return {keys[key]: known for key, known in cache.get_many(keys).items()}


def refresh_counts(queries: Iterable[str], user) -> dict[str, BoundedCount]:
    """Counts by query. A query for which no time was left is missing; the next request may count it."""
    distinct = list(dict.fromkeys(queries))
    counts = {query: known.count for query, known in cached_counts(distinct, user).items() if known.is_fresh}
    deadline = time.monotonic() + COUNT_TIMEOUT_TOTAL
    for query in distinct:
        if query not in counts and time.monotonic() < deadline:
            counts[query] = _count(query, user)
            cache.set(_key(query, user), CachedCount(counts[query], time.time()), COUNT_CACHE_SECONDS)
    return counts


def _count(query: str, user) -> BoundedCount:
    """Without a number if the filter is no longer valid, or its search takes too long."""
    filterset = WebhookLogFilterSet(QueryDict(query), user=user)
    if not filterset.is_valid():
        return BoundedCount(None)
    figures = LogStats(Finder(filterset.criteria, seconds=COUNT_TIMEOUT_EACH))
    try:
        with statement_timeout(COUNT_TIMEOUT_EACH):
            return figures.count(figures.grouped("state"))
    except StatementTimeout:
        return BoundedCount(None)


def _key(query: str, user) -> str:
    return f"view-count:{user.pk}:{hashlib.sha256(query.encode()).hexdigest()}"


MAX_VIEWS = 50  # that one person may have
MAX_PINNED = 8  # that fit into the navigation
MAX_TABS = 12  # of saved views, above the table; the page of saved views shows all


@dataclass(frozen=True)
class ViewTab:
    """A view as a link. `key` is unique on a page. `count` is None if it is unknown or not shown."""

    key: str
    name: str
    query: str
    is_current: bool = False
    is_pinned: bool = False
    is_counted: bool = False
    state: str = ""  # of its count: "failed" is red
    count: BoundedCount | None = None
    is_fresh: bool = False

    @property
    def address(self) -> str:
        return reverse("logs:webhook_log_list") + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class ViewTabs:
    """Shown in the navigation, and above the explorer's table. There, `query` is the present filter as it would be saved, and
    `own_names` are the names in use.
    """

    tabs: list[ViewTab]
    query: str = ""
    own_names: list[str] = field(default_factory=list)

    @property
    def are_fresh(self) -> bool:
        """Whether every count is fresh; otherwise the page requests them."""
        return all(tab.is_fresh for tab in self.tabs if tab.is_counted)

    @property
    def navigation(self) -> ViewTabs:
        """What `pinned_tabs` returns, without another query."""
        return ViewTabs([replace(tab, is_current=False) for tab in self.tabs if tab.is_pinned])


def canonical_filter(data: QueryDict) -> str:
    """The filter of a URL, without a cursor. The same filter gives the same text, however it was written."""
    pairs = [
        (name, value)
        for name, values in canonical_query(data).lists()
        for value in values
        if value and (name not in NON_FILTER_PARAMS or (name, value) == ("sort", "oldest"))
    ]
    return urlencode(sorted(set(pairs)))


def valid_query(text: str, user) -> str:
    """The filter as it is stored; raises ValidationError with its problems."""
    query = canonical_filter(QueryDict(text)) if len(text) <= MAX_QUERY_LENGTH else text
    if len(query) > MAX_QUERY_LENGTH:
        raise ValidationError(_("This filter is too long to be saved."))
    if not query:
        raise ValidationError(_("There is nothing to save: choose a filter first."))
    if problems := filter_errors(query, user):
        raise ValidationError(problems)
    return query


def filter_errors(query: str, user) -> list[str]:
    """Why the filter finds nothing for this user, for example because a subscription is gone; empty if it works."""
    return _problem_texts(WebhookLogFilterSet(QueryDict(query), user=user))


def _problem_texts(filterset: WebhookLogFilterSet) -> list[str]:
    return [f"{label}: {error}" for label, errors in filterset.problems.items() for error in errors]


@dataclass(frozen=True)
class SavedViewSummary:
    """A view in words. `problems`: why it finds nothing for this user."""

    view: SavedView
    active: list[ActiveFilter]
    is_oldest_first: bool
    problems: list[str]
    may_change: bool


def summarize_view(view: SavedView, user) -> SavedViewSummary:
    filterset = WebhookLogFilterSet(view.filter_data, user=user)
    may_change = view.owner_id == user.pk or user.is_superuser
    return SavedViewSummary(view, filterset.active, "sort" in filterset.data, _problem_texts(filterset), may_change)


def without_invalid(query: str, user) -> str:
    """The filter without its invalid values; "" if nothing is left."""
    data = QueryDict(query)
    pairs = [(name, value) for name, values in data.lists() for value in values]
    return urlencode([pair for pair in pairs if not filter_errors(urlencode([pair]), user)])


def tabs_for(data: QueryDict, user) -> ViewTabs:
    """The tabs above the explorer's table for this filter: pinned views first, then the user's own."""
    query = canonical_filter(data)
    visible = SavedView.objects.visible_to(user).with_is_pinned(user)
    saved = list(visible.filter(Q(owner=user) | Q(is_pinned=True) | Q(query=query)))
    own = [view for view in saved if view.owner_id == user.pk]
    shown = [view for view in saved if view.is_pinned] + [view for view in own if not view.is_pinned]
    shown = shown[:MAX_TABS] + [view for view in saved if view.query == query and view not in shown[:MAX_TABS]][:1]
    tabs = [_tab(view, query, is_pinned=view.is_pinned) for view in shown]
    tabs = [ViewTab("all", _("All"), "", is_current=not query), *default_tabs(query), *tabs]
    return ViewTabs(with_counts(tabs, user), query, [view.name for view in own])


def default_tabs(current: str = "") -> list[ViewTab]:
    """The views that everybody has from the start."""
    failed, waiting = "state=failed", "state=pending&state=retrying"
    return [
        ViewTab("failed", _("Failed"), failed, is_current=current == failed, is_counted=True, state="failed"),
        ViewTab("waiting", _("Waiting"), waiting, is_current=current == waiting, is_counted=True),
    ]


def pinned_tabs(user) -> ViewTabs:
    """The views that the user has pinned, in one query."""
    if not user.has_perm("logs.view_webhooklog"):
        return ViewTabs([])
    pinned = SavedView.objects.pinned_by(user)[:MAX_PINNED]
    return ViewTabs(with_counts([_tab(view, "", is_pinned=True) for view in pinned], user))


def with_counts(tabs: list[ViewTab], user) -> list[ViewTab]:
    """With the cached counts."""
    known = cached_counts([tab.query for tab in tabs if tab.is_counted], user)
    pairs = ((tab, known.get(tab.query)) for tab in tabs)
    return [replace(tab, count=cached.count, is_fresh=cached.is_fresh) if cached else tab for tab, cached in pairs]


def _tab(view: SavedView, current: str, *, is_pinned: bool) -> ViewTab:
    return ViewTab(str(view.pk), view.name, view.query, view.query == current, is_pinned, is_counted=is_pinned)


@contextmanager
def lock_views_of(owner) -> Iterator[None]:
    """Allows one change at a time, so that names stay unique and their number stays within the limit."""
    with transaction.atomic():
        get_user_model().objects.select_for_update(no_key=True).get(pk=owner.pk)
        yield


def pin(view: SavedView, user) -> bool:
    """Pin a view to the user's navigation; False if it is full."""
    with lock_views_of(user):
        pinned = SavedView.objects.pinned_by(user).exclude(pk=view.pk)
        if pinned.count() >= MAX_PINNED:
            return False
        view.pinned_by.add(user)
    return True
