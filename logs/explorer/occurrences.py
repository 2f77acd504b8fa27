"""Where what is searched for occurs: by the indexes of words where they decide, by reading the event where they do not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection
from django.db.models import Q

from .. import objectid
from ..masked_keys import masked_keys
from ..models import Payload, WebhookLog
from ..paging import Key
from ..payloads.masking import mask_text
from ..search import RESPONSE_LIMIT, tsquery
from ..time_limit import TookTooLong, time_limit
from .criteria import Criteria
from .occurs import occurs
from .terms import Path, Word

RARE = 10_000  # logs: what occurs in more is looked for from the newest on
INDEX_SECONDS = 0.25  # by then the index has told of what is rare
READ_AT_ONCE = 200  # events


def matching(criteria: Criteria, keys: Sequence[Key], wanted: int | None = None) -> list[Key]:
    """Those of the keys, in their order, whose logs are as the criteria say; no more than are wanted.

    The keys must be those of logs of the kind.
    """
    if criteria.is_of_kinds or not keys:
        return list(keys[:wanted])
    logs = WebhookLog.objects.filter(criteria.rest, pk__in=[key.pk for key in keys])
    for term in criteria.terms:
        if not term.is_negated:
            logs = logs.filter(_in_index(term))
        elif not _must_be_read(term):
            logs = logs.filter(~_in_index(term))
    left = set(logs.order_by().values_list("pk", flat=True))
    found = [key for key in keys if key.pk in left]
    read = [term for term in criteria.terms if _must_be_read(term)]
    return _reading(found, read, wanted) if read else found[:wanted]


def rare(criteria: Criteria) -> list[Key] | None:
    """All logs that match, newest first, where the index finds them at once; None where they may be many."""
    try:
        if criteria.few:
            ids = _at_most(WebhookLog.objects.filter(criteria.few))
        else:
            ids = _candidate_ids([term for term in criteria.terms if not term.is_negated])
    except TookTooLong:
        return None
    if ids is None:
        return None
    logs = criteria.of_kinds().logs().filter(pk__in=ids).order_by()
    keys = sorted((Key(*row) for row in logs.values_list("created_at", "pk")), reverse=True)
    return matching(criteria, keys)


def _candidate_ids(terms: Sequence[Word | Path]) -> set[str] | None:
    """Ids of logs among which all that match are: those of every word together, or else those of the rarest word."""
    if not terms:
        return None
    for some in [terms, *([term] for term in terms if len(terms) > 1)]:
        if (ids := _ids_by_index(some)) is not None:
            return ids
    return None


def _ids_by_index(terms: Sequence[Word | Path]) -> set[str] | None:
    """Of logs in which the terms may occur, all of them; None where they are more than RARE."""
    in_response = [term for term in terms if isinstance(term, Word) and term.only_response]
    anywhere = [term for term in terms if term not in in_response]
    if in_response:
        return _at_most(WebhookLog.objects.filter(search__matches=tsquery(_tokens(in_response))))
    found = [_at_most(Payload.objects.filter(search__matches=tsquery(_tokens(anywhere))))]
    for term in anywhere:
        if isinstance(term, Word):
            found.append(_at_most(WebhookLog.objects.filter(search__matches=tsquery(term.tokens))))
            found.append(_at_most(WebhookLog.objects.filter(_is_id(term))) if _is_id(term) else set())
    if any(ids is None for ids in found):
        return None
    return set().union(*(ids for ids in found if ids is not None))


def _at_most(rows) -> set[str] | None:
    with time_limit(INDEX_SECONDS), connection.cursor() as cursor:
        # Where PostgreSQL takes a word for common it would read the table from its beginning.
        cursor.execute("SET LOCAL enable_seqscan = off")
        ids = set(rows.order_by().values_list("pk", flat=True)[: RARE + 1])
    return ids if len(ids) <= RARE else None


def _in_index(term: Word | Path) -> Q:
    """Necessary for the term to occur, and enough where it need not be read."""
    asked = tsquery(term.tokens)
    if isinstance(term, Path):
        return Q(payload__search__matches=asked)
    in_response = Q(search__matches=asked)
    return in_response if term.only_response else in_response | Q(payload__search__matches=asked) | _is_id(term)


def _is_id(term: Word) -> Q:
    if not objectid.is_objectid(term.text):
        return Q()
    pk = objectid.parse(term.text)
    return Q(pk=pk) | Q(object_id=pk)


def _must_be_read(term: Word | Path) -> bool:
    return isinstance(term, Path) or term.is_phrase


def _tokens(terms: Sequence[Word | Path]) -> list[str]:
    return [token for term in terms for token in term.tokens]


def _reading(keys: Sequence[Key], terms: Sequence[Word | Path], wanted: int | None) -> list[Key]:
    found: list[Key] = []
    for start in range(0, len(keys), READ_AT_ONCE):
        some = keys[start : start + READ_AT_ONCE]
        ids = [key.pk for key in some]
        events = dict(Payload.objects.filter(pk__in=ids).values_list("pk", "event"))
        responses = dict(WebhookLog.objects.filter(pk__in=ids).values_list("pk", "response"))
        found += [key for key in some if _occurs(terms, events.get(key.pk), responses.get(key.pk))]
        if wanted is not None and len(found) >= wanted:
            break
    return found[:wanted]


def _occurs(terms: Sequence[Word | Path], event: str | None, response: str | None) -> bool:
    keys = masked_keys()
    parsed = None if event is None else msgspec.json.decode(event)
    shown = mask_text((response or "")[:RESPONSE_LIMIT], keys)
    return all(occurs(term, parsed, shown, keys) is not term.is_negated for term in terms)
