"""Compiles the terms of the search box: conditions on a log's columns, and the words to search for in its texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..models import IncidentLog, Subscription
from ..payloads.tokens import fold_accents
from .fields import CONDITIONS
from .past_failures import failed_within, has_failed, logs_failed_within
from .query_language import ChoiceTerm, ParseError, PathTerm, RangeTerm, SearchQuery, Term, TextTerm, TimeTerm

TERM_COLUMNS = {
    "duration": "duration_ms",
    "attempts": "attempt_count",
    "status": "status",
    "id": "pk",
    "object": "object_id",
}


class CompiledQuery:
    """`kinds`: conditions on columns that the log counts have too. `few`: conditions that few logs meet, which an index finds.

    `rest`: conditions on columns that only logs have. `words`: what must or mustn't occur. `problems`: what can't be found.
    """

    def __init__(self, query: SearchQuery, subscriptions: QuerySet[Subscription]) -> None:
        self.subscriptions = subscriptions
        self.kinds: dict[str, Q] = {}
        self.few = Q()
        self.rest = Q()
        self.words: list[TextTerm | PathTerm] = []
        self.problems = list(query.problems)
        for term in query.terms:
            self._add(term)
        self.problems.sort(key=lambda problem: problem.start)

    def _add(self, term: Term) -> None:
        if isinstance(term, PathTerm | TextTerm) and not (isinstance(term, TextTerm) and self._is_subscription(term)):
            self.words.append(term)
        elif isinstance(term, TextTerm):
            self._add_kind(term, Q(subscription__in=[known.pk for known in self._known if _is_called(known, term)]))
        elif isinstance(term, RangeTerm):
            self._add_range(term)
        elif isinstance(term, TimeTerm):
            self._add_failed_within(term)
        elif isinstance(term, ChoiceTerm):
            self._add_choice(term)

    def _add_kind(self, term: Term, condition: Q) -> None:
        self.kinds[f"q:{term.start}"] = ~condition if term.is_negated else condition

    def _add_range(self, term: RangeTerm) -> None:
        column, condition = TERM_COLUMNS[term.name], Q()
        if term.low is not None:
            condition &= Q(**{f"{column}__{'gt' if term.is_low_out else 'gte'}": term.low})
        if term.high is not None:
            condition &= Q(**{f"{column}__{'lt' if term.is_high_out else 'lte'}": term.high})
        if term.name == "status":
            self._add_kind(term, condition)
        else:
            self._add_rest(term, condition)

    def _add_rest(self, term: Term, condition: Q) -> None:
        self.rest &= ~condition if term.is_negated else condition

    def _add_failed_within(self, term: TimeTerm) -> None:
        self._add_rest(term, failed_within(term.since, term.until))
        if not term.is_negated:
            self.few &= logs_failed_within(term.since, term.until, [known.pk for known in self._known])

    def _add_choice(self, term: ChoiceTerm) -> None:
        if term.name in ("sub", "company"):
            self._add_subscriptions(term)
        elif term.name in CONDITIONS:
            self._add_kind(term, CONDITIONS[term.name](term.values))
        elif term.name == "was":
            self._add_rest(term, has_failed())
        elif term.name == "incident":
            logs = Q(pk__in=IncidentLog.objects.filter(incident__in=map(int, term.values)).values("log"))
            self._add_rest(term, logs)
            self.few &= Q() if term.is_negated else logs
        elif term.name == "test":
            is_test = "yes" in term.values
            self.rest &= Q() if {"yes", "no"} <= set(term.values) else Q(is_test=is_test is not term.is_negated)
        else:
            condition = Q(**{f"{TERM_COLUMNS[term.name]}__in": term.values})
            self._add_rest(term, condition)
            self.few &= Q() if term.is_negated else condition

    def _add_subscriptions(self, term: ChoiceTerm) -> None:
        texts = _texts_of_subscription if term.name == "sub" else _texts_of_company
        ids: list[str] = []
        for value in term.values:
            matches = [known.pk for known in self._known if _is_named(value, texts(known))]
            if not matches:
                message = (
                    _("No subscription matches this value.")
                    if term.name == "sub"
                    else _("No company matches this value.")
                )
                self.problems.append(ParseError(term.start, term.end, f"{value[:60]}: {message}"))
            ids += matches
        self._add_kind(term, Q(subscription__in=ids))

    @cached_property
    def _known(self) -> list[Subscription]:
        return list(self.subscriptions.select_related("company").only("name", "code", "named_id", "company__name"))

    def _is_subscription(self, term: TextTerm) -> bool:
        """Pasting a subscription's id searches for its logs."""
        return objectid.is_objectid(term.text) and any(_is_called(known, term) for known in self._known)


def _is_called(subscription: Subscription, term: TextTerm) -> bool:
    """A placeholder also matches by the id that its logs name."""
    return objectid.parse_objectid(term.text) in (subscription.pk, subscription.named_id)


def _texts_of_subscription(subscription: Subscription) -> tuple[str, ...]:
    return subscription.pk, subscription.code, subscription.name


def _texts_of_company(subscription: Subscription) -> tuple[str, ...]:
    return subscription.company.pk, subscription.company.name


_Texts = Callable[[Subscription], tuple[str, ...]]


def _is_named(value: str, texts: tuple[str, ...]) -> bool:
    """Whether one of the texts contains the value, ignoring case and accents."""
    return any(fold_accents(value) in fold_accents(text) for text in texts)
