"""The search index: which words of an event and of a response are indexed, and how queries look for them.

Values under masked keys are not indexed, so nobody can find out by searching what they may not see.
The index contains whole words; a query word of three or more letters also finds words that begin with it.
A PostgreSQL vector holds at most 1 MB of words. An event has up to four vectors. If it has even more words, a mark in the
index says so: then only reading the event shows which words it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from django.db.models import Q

from ..cotalker import objectid
from ..payloads.masking import MaskedKeys, mask_text
from ..payloads.tokens import parse_keeping_numbers, search_tokens

MIN_PREFIX_LENGTH = 3  # letters
MAX_INDEXED_RESPONSE = 8192  # characters; cotadmin's own responses are not longer, imported ones may be
MAX_VECTOR_BYTES = 1_000_000  # of a vector's words; PostgreSQL allows 1,048,575
OVERFLOW_VECTORS = ("search_2", "search_3", "search_4")  # of a payload; NULL in all but the largest
OVERFLOW_MARK = "'+'"  # not a word: it marks, in the first vector, that the vectors don't hold all words


def event_vectors(event: str, keys: MaskedKeys) -> list[str | None]:
    """The JSON of an event as the texts of its tsvectors: `search`, then OVERFLOW_VECTORS."""
    return _vectors(search_tokens(parse_keeping_numbers(event), keys), 1 + len(OVERFLOW_VECTORS))


def response_vector(response: str, keys: MaskedKeys) -> str:
    """A response as the text of a tsvector. Cached unless it's long, because most responses are one of a few."""
    return (_vector_of_response if len(response) <= MAX_INDEXED_RESPONSE else _vector_of_response.__wrapped__)(
        response, keys
    )


@lru_cache(maxsize=1024)
def _vector_of_response(response: str, keys: MaskedKeys) -> str:
    [vector] = _vectors(search_tokens(mask_text(response, keys), keys), 1)
    return vector or ""


def _vectors(words: list[str], number: int) -> list[str | None]:
    parts = _cut(words)
    if len(parts) > number:
        parts[0].append(OVERFLOW_MARK)
    vectors: list[str | None] = [" ".join(part) for part in parts[:number]]
    return vectors + [None] * (number - len(vectors))


def _cut(words: list[str]) -> list[list[str]]:
    """Split the words into parts of at most MAX_VECTOR_BYTES."""
    if sum(map(len, words)) * 4 <= MAX_VECTOR_BYTES:  # UTF-8 uses at most four bytes per letter
        return [words]
    parts: list[list[str]] = [[]]
    room = MAX_VECTOR_BYTES
    for word in words:
        size = len(word.encode())
        if size > room:
            parts.append([])
            room = MAX_VECTOR_BYTES
        parts[-1].append(word)
        room -= size
    return parts


def tsquery(tokens: Sequence[str], operator: str = "&") -> str:
    """All of the words, as the text of a tsquery. Three letters of a word suffice; an id and "=word" must match in full."""
    return f" {operator} ".join(f"'{token}':*" if is_prefix(token) else f"'{token.lstrip('=')}'" for token in tokens)


def is_prefix(token: str) -> bool:
    """Whether the token also finds words that begin with it."""
    return MIN_PREFIX_LENGTH <= len(token) < objectid.OBJECTID_LENGTH and not token.startswith("=")


def response_matches(tokens: Sequence[str], *, or_more: bool = False) -> Q:
    """Condition on a log: its response has all of the words. `or_more`: or it may, because it has more words than its vector."""
    return Q(search__matches=tsquery(tokens)) | (Q(search__matches=OVERFLOW_MARK) if or_more else Q())


def event_matches(tokens: Sequence[str], payload: str = "", *, or_more: bool = False) -> Q:
    """Condition on a payload: its event has all of the words. `payload`: the lookup that leads to it.

    `or_more`: as for `response_matches`. If the first vector doesn't hold all of the words, the other vectors hold at least
    one. They are nearly empty, so they are queried first.
    """
    condition = Q(**{f"{payload}search__matches": tsquery(tokens)})
    beyond = Q()
    for vector in OVERFLOW_VECTORS:
        beyond |= Q(**{f"{payload}{vector}__matches": tsquery(tokens, "|")})
    for token in tokens if len(tokens) > 1 else ():
        anywhere = Q()
        for vector in ("search", *OVERFLOW_VECTORS):
            anywhere |= Q(**{f"{payload}{vector}__matches": tsquery([token])})
        beyond &= anywhere
    condition |= beyond
    return condition | (Q(**{f"{payload}search__matches": OVERFLOW_MARK}) if or_more else Q())
