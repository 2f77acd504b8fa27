"""What the terms of the search box ask of the columns of a log, and what is left to be looked for in its texts."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from ..models import Subscription
from .terms import Path, Query, Word


@dataclass
class SearchTerms:
    query: Query
    subscriptions: QuerySet[Subscription]
    kinds: dict[str, Q] = field(default_factory=dict)
    rest: Q = field(default_factory=Q)

    @property
    def terms(self) -> tuple[Word | Path, ...]:
        return tuple(term for term in self.query.terms if isinstance(term, Word | Path))
