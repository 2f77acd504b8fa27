"""The criteria of a search, apart from how it is done. The list, counts, histogram and export all work from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from django.db.models import Q

from ..db.raw_sql import SqlFragment, compile_where
from ..models import WebhookLog
from ..models.querysets import WebhookLogQuerySet
from .query_language import PathTerm, TextTerm

# The columns that logs are counted by. A condition on these alone is answered without reading logs.
DIMENSIONS = ("state", "cause", "status", "event_type", "action", "subscription")


@dataclass(frozen=True)
class SearchCriteria:
    """`subscriptions`: the ids of those that may be seen, None for all. `is_until_now`: nobody chose `until`; a range ends there.

    `kinds`: conditions on columns that the log counts have too, by filter name. `rest`: a condition that only logs can answer.
    `few`: the part of `rest` that few logs meet, which an index finds. `terms`: what must or mustn't occur.
    """

    subscriptions: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_until_now: bool = False
    kinds: Mapping[str, Q] = field(default_factory=dict)
    rest: Q = field(default_factory=Q)
    few: Q = field(default_factory=Q)
    terms: tuple[TextTerm | PathTerm, ...] = ()

    @property
    def uses_dimensions_only(self) -> bool:
        """Whether log counts can answer."""
        return not self.rest and not self.terms

    @property
    def is_total(self) -> bool:
        """Whether it doesn't matter whose logs they are: no condition, not even in the search box, names a subscription."""
        return "subscription_id" not in self.dimension_sql[0]

    def dimensions_only(self) -> SearchCriteria:
        """The part that log counts can answer."""
        return self if self.uses_dimensions_only else replace(self, rest=Q(), few=Q(), terms=())

    def without(self, name: str) -> SearchCriteria:
        """The criteria without the filter `name`."""
        return replace(self, kinds={other: condition for other, condition in self.kinds.items() if other != name})

    def kind(self) -> Q:
        """The condition on the columns that logs and log counts share, without the time."""
        conditions: Iterable[Q] = self.kinds.values()
        of_subscriptions = Q() if self.subscriptions is None else Q(subscription__in=self.subscriptions)
        return Q(of_subscriptions, *conditions)

    @cached_property
    def dimension_sql(self) -> SqlFragment:
        """The same in SQL."""
        return compile_where(WebhookLog, self.kind())

    def logs(self) -> WebhookLogQuerySet:
        """The logs that match everything but the terms."""
        logs = WebhookLog.objects.filter(self.kind(), self.rest)
        if self.since is not None:
            logs = logs.since(self.since)
        return logs if self.until is None else logs.before(self.until)
