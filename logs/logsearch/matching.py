"""Where search terms occur. Word indexes decide where they can; otherwise the events are read.

`term_matches` checks an event and a response. It agrees with the index: values count, keys don't, and masked values never do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import F, Func, IntegerField, Q

from ..db.cursor_pagination import Cursor
from ..db.search_vectors import OVERFLOW_MARK, event_matches, is_prefix, response_matches
from ..models import Payload, WebhookLog
from ..payloads.masking import MaskedKeys, mask_text, masked_keys
from ..payloads.tokens import fold_accents, indexable_texts, parse_keeping_numbers
from .criteria import SearchCriteria
from .index_lookup import id_condition
from .query_language import PathTerm, TextTerm, Wording

_LETTER = r"[^\W_]"
_BETWEEN_WORDS = r"[\W_]+"


def term_matches(term: TextTerm | PathTerm, event: Any, response: str, keys: MaskedKeys) -> bool:
    """`event`: parsed, None if there is none. `response`: already masked."""
    if isinstance(term, PathTerm):
        values = list(_values_at(event, term.steps, keys))
    else:
        values = [response] if term.only_response or event is None else [response, event]
    texts = (text for value in values for text in indexable_texts(value, keys))
    pattern = _pattern(term.text if term.is_quoted else "", term.tokens)
    return any(_holds(fold_accents(text), term, pattern) for text in texts)


def _holds(plain: str, term: Wording, pattern: re.Pattern[str]) -> bool:
    """In megabytes of text, a substring is found much faster than a pattern."""
    return all(token in plain for token in term.tokens) and bool(pattern.search(plain))


@lru_cache(maxsize=256)
def _pattern(quoted: str, tokens: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for folded texts. `quoted`: the exact text, with any separators for white space; "" for the words alone."""
    if quoted:
        parts = re.split(rf"({_LETTER}+)", fold_accents(quoted).strip())
        written = "".join(_between(part) if number % 2 == 0 else part for number, part in enumerate(parts))
        return re.compile((_START if not parts[0] else "") + written + (_END if not parts[-1] else ""))
    return re.compile(_START + _BETWEEN_WORDS.join(tokens) + ("" if is_prefix(tokens[-1]) else _END))


_START, _END = rf"(?<!{_LETTER})", rf"(?!{_LETTER})"


def _between(part: str) -> str:
    """A pattern for what is between two words, or around them."""
    if part.isspace():
        return _BETWEEN_WORDS
    return r"\s+".join(map(re.escape, re.split(r"\s+", part)))


def _values_at(value: Any, steps: Sequence[str], keys: MaskedKeys) -> Iterator[Any]:
    """The values at a path. A step that isn't an array index leads into all elements of an array."""
    if not steps:
        yield value
    elif isinstance(value, list):
        step = steps[0]
        if step.isascii() and step.isdigit():
            if int(step) < len(value):
                yield from _values_at(value[int(step)], steps[1:], keys)
        else:
            for element in value:
                yield from _values_at(element, steps, keys)
    elif isinstance(value, dict):
        for key, rest in _keys(steps):
            if key in value and not keys.matches(key):
                yield from _values_at(value[key], rest, keys)


def _keys(steps: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Each possible key, and the steps after it. The keys of Cotalker's diffs are pointers: /name, /profile/phone."""
    yield steps[0], steps[1:]
    for number in range(1, len(steps) + 1):
        yield "/" + "/".join(steps[:number]), steps[number:]


MATCH_BATCH_SIZE = 200  # events
MATCH_BATCH_BYTES = 2 * 1024**2  # of events, as the database stores them; in memory they're several times as large


@dataclass(frozen=True)
class MatchResult:
    """`keys`: in the given order. `searched_until`: where the time ran out, None if it didn't."""

    keys: list[Cursor]
    searched_until: Cursor | None = None


def filter_matching(
    criteria: SearchCriteria, keys: Sequence[Cursor], limit: int | None = None, deadline: float | None = None
) -> MatchResult:
    """The keys whose logs meet the criteria, at most `limit`. All of them must meet the conditions on dimensions.

    `deadline`: by `time.monotonic`. If events have to be read, no more are read after it.
    """
    if criteria.uses_dimensions_only or not keys:
        return MatchResult(list(keys[:limit]))
    logs = WebhookLog.objects.filter(criteria.rest, pk__in=[key.pk for key in keys])
    for term in criteria.terms:
        if not term.is_negated:
            logs = logs.filter(_in_index(term, or_more=True))
        elif _is_index_enough(term):
            logs = logs.filter(~_in_index(term))
    ids = set(logs.order_by().values_list("pk", flat=True))
    matching = [key for key in keys if key.pk in ids]
    to_read = [term for term in criteria.terms if not _is_index_enough(term)]
    incomplete = _beyond_index(ids) if criteria.terms else set()
    if not to_read and not incomplete:
        return MatchResult(matching[:limit])
    terms = {key: list(criteria.terms) if key.pk in incomplete else to_read for key in matching}
    return _reading(terms, limit, deadline)


def _in_index(term: TextTerm | PathTerm, *, or_more: bool = False) -> Q:
    """Necessary for the term to occur. Sufficient if the term needn't be read and the index has all words."""
    if not term.index_words:
        return Q()
    if isinstance(term, PathTerm):
        return event_matches(term.index_words, "payload__", or_more=or_more)
    of_response = response_matches(term.index_words, or_more=or_more)
    if term.only_response:
        return of_response
    return of_response | event_matches(term.index_words, "payload__", or_more=or_more) | id_condition(term)


def _is_index_enough(term: TextTerm | PathTerm) -> bool:
    return isinstance(term, TextTerm) and term.is_index_enough


def _beyond_index(ids: Collection[str]) -> set[str]:
    """The logs with more words than the index has."""
    more = (rows.objects.filter(pk__in=ids, search__matches=OVERFLOW_MARK) for rows in (Payload, WebhookLog))
    return {pk for rows in more for pk in rows.order_by().values_list("pk", flat=True)}


def _reading(terms: dict[Cursor, list[TextTerm | PathTerm]], limit: int | None, deadline: float | None) -> MatchResult:
    """`terms`: what to search for in each log, in the order of the list."""
    matching: list[Cursor] = []
    for batch in _batches(terms):
        ids = [key.pk for key in batch if terms[key]]
        events = dict(Payload.objects.filter(pk__in=ids).values_list("pk", "event"))
        responses = dict(WebhookLog.objects.filter(pk__in=ids).values_list("pk", "response"))
        matching += [key for key in batch if _occur(terms[key], key.pk, events.get(key.pk), responses.get(key.pk))]
        if limit is not None and len(matching) >= limit:
            return MatchResult(matching[:limit])
        if deadline is not None and time.monotonic() > deadline:
            return MatchResult(matching, searched_until=batch[-1])
    return MatchResult(matching)


def _batches(terms: dict[Cursor, list[TextTerm | PathTerm]]) -> Iterator[list[Cursor]]:
    """Batches that fit into memory: an event may have megabytes."""
    size = Func(F("event"), function="pg_column_size", output_field=IntegerField())
    to_read = Payload.objects.filter(pk__in=[key.pk for key, log_terms in terms.items() if log_terms])
    sizes = dict(to_read.values_list("pk", size))
    batch: list[Cursor] = []
    room = MATCH_BATCH_BYTES
    for key in terms:
        batch.append(key)
        room -= sizes.get(key.pk, 0)
        if room < 0 or len(batch) == MATCH_BATCH_SIZE:
            yield batch
            batch, room = [], MATCH_BATCH_BYTES
    if batch:
        yield batch


def _occur(terms: Sequence[TextTerm | PathTerm], pk: str, event: str | None, response: str | None) -> bool:
    """Whether the log meets all of the terms."""
    if not terms:
        return True
    keys = masked_keys()
    shown = mask_text(response or "", keys)
    undecided = [term for term in terms if not (_is_own_id(term, pk) or term_matches(term, None, shown, keys))]
    if any(term.is_negated for term in terms if term not in undecided):
        return False
    parsed = parse_keeping_numbers(event) if undecided and event is not None else None
    return all(term_matches(term, parsed, "", keys) is not term.is_negated for term in undecided)


def _is_own_id(term: TextTerm | PathTerm, pk: str) -> bool:
    return isinstance(term, TextTerm) and not term.only_response and term.tokens == (pk,)
