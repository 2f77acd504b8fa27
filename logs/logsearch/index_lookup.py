"""The few logs in which the search terms may occur, if the indexes find them quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
from django.db import connection
from django.db.models import Q, QuerySet

from ..cotalker import objectid
from ..db.search_vectors import event_matches, response_matches, tsquery
from ..db.timeouts import StatementTimeout, statement_timeout
from ..models import Payload, WebhookLog
from .query_language import PathTerm, TextTerm

MAX_INDEX_HITS = 10_000  # logs; terms that occur in more are searched from the newest log on
INDEX_SECONDS = 0.25  # enough for the index to find rare words
# For a word that isn't a common one, PostgreSQL guesses a share of all logs. Of many logs, that is many.
_UNHEARD_OF = tsquery(["zqxzqx"])


@dataclass
class IndexLookup:
    """`few`: a condition that few logs meet. `terms`: an index knows where they may occur. Either may be empty."""

    few: Q
    terms: Sequence[TextTerm | PathTerm]

    @property
    def _positive_terms(self) -> list[TextTerm | PathTerm]:
        return [term for term in self.terms if term.index_words and not term.is_negated]

    @cached_property
    def is_selective(self) -> bool:
        """Whether PostgreSQL expects few logs. If so, the index is queried before any logs are read."""
        if self.few:
            return True
        payloads = Payload.objects
        guesses = [_guess(payloads.filter(search__matches=tsquery(term.index_words))) for term in self._positive_terms]
        return bool(guesses) and min(guesses) <= max(
            MAX_INDEX_HITS, _guess(Payload.objects.filter(search__matches=_UNHEARD_OF))
        )

    @cached_property
    def ids(self) -> set[str] | None:
        """The ids of logs that include all matches; None if there are more than `MAX_INDEX_HITS`, or the query takes too long."""
        try:
            return _at_most(WebhookLog.objects.filter(self.few)) if self.few else self._ids_of_terms()
        except StatementTimeout:
            return None

    def _ids_of_terms(self) -> set[str] | None:
        """The logs of all terms together, else those of the first term that is rare enough."""
        terms = self._positive_terms
        if not terms:
            return None
        for subset in [terms, *([term] for term in terms if len(terms) > 1)]:
            if (ids := _ids_of(subset)) is not None:
                return ids
        return None


def id_condition(term: TextTerm) -> Q:
    """Whether the term is the id of the log or of its object; an empty condition if it isn't an id."""
    if not objectid.is_objectid(term.text):
        return Q()
    pk = objectid.parse_objectid(term.text)
    return Q(pk=pk) | Q(object_id=pk)


def _ids_of(terms: Sequence[TextTerm | PathTerm]) -> set[str] | None:
    """All logs in which the terms may occur; None if there are more than `MAX_INDEX_HITS`."""
    of_response = [term for term in terms if isinstance(term, TextTerm) and term.only_response]
    anywhere = [term for term in terms if term not in of_response]
    if of_response:
        return _at_most(WebhookLog.objects.filter(response_matches(_tokens(of_response), or_more=True)))
    id_sets = [_at_most(Payload.objects.filter(event_matches(_tokens(anywhere), or_more=True)))]
    for term in anywhere:
        if isinstance(term, TextTerm):
            id_sets.append(_at_most(WebhookLog.objects.filter(response_matches(term.index_words, or_more=True))))
            id_sets.append(_at_most(WebhookLog.objects.filter(id_condition(term))) if id_condition(term) else set())
    if any(ids is None for ids in id_sets):
        return None
    return set().union(*(ids for ids in id_sets if ids is not None))


def _at_most(rows: QuerySet) -> set[str] | None:
    with statement_timeout(INDEX_SECONDS), connection.cursor() as cursor:
        # If PostgreSQL takes a word for common, it would read the table from the start.
        cursor.execute("SET LOCAL enable_seqscan = off")
        ids = set(rows.order_by().values_list("pk", flat=True)[: MAX_INDEX_HITS + 1])
    return ids if len(ids) <= MAX_INDEX_HITS else None


def _guess(rows: QuerySet) -> int:
    """How many rows PostgreSQL's statistics predict."""
    plan = msgspec.json.decode(rows.order_by().values("pk").explain(format="json"))
    return plan[0]["Plan"]["Plan Rows"]


def _tokens(terms: Sequence[TextTerm | PathTerm]) -> list[str]:
    return [token for term in terms for token in term.index_words]
