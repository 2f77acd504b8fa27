"""What is looked for, apart from how: the one thing that the list, the counts, the histogram and the export all work from."""

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

# The columns by which the rollups count: a condition on these alone is answered without looking at logs.
DIMENSIONS = ("state", "cause", "status", "event_type", "action", "subscription")


@dataclass(frozen=True)
class SearchCriteria:
    """`subscriptions`: the ids of those that may be seen, None for all. `is_until_now`: nobody has chosen `until`, it is where a
    range ends. `kinds`: conditions on columns that the rollups have too, by the name of the filter. `rest`: a condition that only
    logs can answer; `few`: the part of it that an index finds the few logs of. `terms`: what must occur, or must not.
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
        """Whether the rollups know the answer."""
        return not self.rest and not self.terms

    @property
    def is_of_all(self) -> bool:
        """Whether it does not matter whose logs they are: no condition tells of a subscription, also none of the search box."""
        return "subscription_id" not in self.dimension_sql[0]

    def dimensions_only(self) -> SearchCriteria:
        """What the rollups can tell of it."""
        return self if self.uses_dimensions_only else replace(self, rest=Q(), few=Q(), terms=())

    def without(self, name: str) -> SearchCriteria:
        """As if nothing were chosen by the filter `name`."""
        return replace(self, kinds={other: condition for other, condition in self.kinds.items() if other != name})

    def kind(self) -> Q:
        """The condition on the columns that logs and cells have in common, the time apart."""
        conditions: Iterable[Q] = self.kinds.values()
        of_those = Q() if self.subscriptions is None else Q(subscription__in=self.subscriptions)
        return Q(of_those, *conditions)

    @cached_property
    def dimension_sql(self) -> SqlFragment:
        """The same in SQL."""
        return compile_where(WebhookLog, self.kind())

    def logs(self) -> WebhookLogQuerySet:
        """The logs, but for the terms."""
        found = WebhookLog.objects.filter(self.kind(), self.rest)
        if self.since is not None:
            found = found.since(self.since)
        return found if self.until is None else found.before(self.until)
