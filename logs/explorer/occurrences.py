"""Where what is searched for occurs: by the indexes of words where they decide, by reading the event where they do not."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import F, Func, IntegerField, Q

from ..db.cursor_pagination import Key
from ..db.search_vectors import MORE_WORDS, in_event, in_response
from ..models import Payload, WebhookLog
from ..payloads.masking import mask_text, masked_keys
from ..payloads.tokens import as_written
from .by_index import is_id
from .criteria import Criteria
from .occurs import occurs
from .terms import Path, Word

READ_AT_ONCE = 200  # events
BYTES_AT_ONCE = 2 * 1024**2  # of events, as the database stores them; read they are some times as large


@dataclass(frozen=True)
class Matched:
    """`keys`: in the order in which they were given. `looked_until`: where the time ran out, None where it did not."""

    keys: list[Key]
    looked_until: Key | None = None


def matching(
    criteria: Criteria, keys: Sequence[Key], wanted: int | None = None, deadline: float | None = None
) -> Matched:
    """Those of the keys whose logs are as the criteria say; no more than are wanted. The keys must be those of logs of the kind.

    `deadline`: by the clock `time.monotonic`; where events have to be read, no more are read after it.
    """
    if criteria.is_of_kinds or not keys:
        return Matched(list(keys[:wanted]))
    logs = WebhookLog.objects.filter(criteria.rest, pk__in=[key.pk for key in keys])
    for term in criteria.terms:
        if not term.is_negated:
            logs = logs.filter(_in_index(term, or_more=True))
        elif _is_index_enough(term):
            logs = logs.filter(~_in_index(term))
    left = set(logs.order_by().values_list("pk", flat=True))
    found = [key for key in keys if key.pk in left]
    to_read = [term for term in criteria.terms if not _is_index_enough(term)]
    unsure = _beyond_index(left) if criteria.terms else set()
    if not to_read and not unsure:
        return Matched(found[:wanted])
    terms = {key: list(criteria.terms) if key.pk in unsure else to_read for key in found}
    return _reading(terms, wanted, deadline)


def _in_index(term: Word | Path, *, or_more: bool = False) -> Q:
    """Necessary for the term to occur, and enough where it need not be read and the index has all words."""
    if not term.index_words:
        return Q()
    if isinstance(term, Path):
        return in_event(term.index_words, "payload__", or_more=or_more)
    of_response = in_response(term.index_words, or_more=or_more)
    if term.only_response:
        return of_response
    return of_response | in_event(term.index_words, "payload__", or_more=or_more) | is_id(term)


def _is_index_enough(term: Word | Path) -> bool:
    return isinstance(term, Word) and term.is_index_enough


def _beyond_index(ids: Collection[str]) -> set[str]:
    """Those with more words than the index has."""
    more = (rows.objects.filter(pk__in=ids, search__matches=MORE_WORDS) for rows in (Payload, WebhookLog))
    return {pk for rows in more for pk in rows.order_by().values_list("pk", flat=True)}


def _reading(terms: dict[Key, list[Word | Path]], wanted: int | None, deadline: float | None) -> Matched:
    """`terms`: what each log has to be read for, in the order of the list."""
    found: list[Key] = []
    for some in _batches(terms):
        ids = [key.pk for key in some if terms[key]]
        events = dict(Payload.objects.filter(pk__in=ids).values_list("pk", "event"))
        responses = dict(WebhookLog.objects.filter(pk__in=ids).values_list("pk", "response"))
        found += [key for key in some if _occur(terms[key], key.pk, events.get(key.pk), responses.get(key.pk))]
        if wanted is not None and len(found) >= wanted:
            return Matched(found[:wanted])
        if deadline is not None and time.monotonic() > deadline:
            return Matched(found, looked_until=some[-1])
    return Matched(found)


def _batches(terms: dict[Key, list[Word | Path]]) -> Iterator[list[Key]]:
    """Few enough to be held in memory: an event may have megabytes."""
    size = Func(F("event"), function="pg_column_size", output_field=IntegerField())
    to_read = Payload.objects.filter(pk__in=[key.pk for key, asked in terms.items() if asked])
    sizes = dict(to_read.values_list("pk", size))
    some: list[Key] = []
    room = BYTES_AT_ONCE
    for key in terms:
        some.append(key)
        room -= sizes.get(key.pk, 0)
        if room < 0 or len(some) == READ_AT_ONCE:
            yield some
            some, room = [], BYTES_AT_ONCE
    if some:
        yield some


def _occur(terms: Sequence[Word | Path], pk: str, event: str | None, response: str | None) -> bool:
    """Whether the log is as all of the terms say."""
    if not terms:
        return True
    keys = masked_keys()
    shown = mask_text(response or "", keys)
    left = [term for term in terms if not (_is_own_id(term, pk) or occurs(term, None, shown, keys))]
    if any(term.is_negated for term in terms if term not in left):
        return False
    parsed = as_written(event) if left and event is not None else None
    return all(occurs(term, parsed, "", keys) is not term.is_negated for term in left)


def _is_own_id(term: Word | Path, pk: str) -> bool:
    return isinstance(term, Word) and not term.only_response and term.tokens == (pk,)
