"""The search index: which words of an event and of a response are found, and how a query asks for them.

Values under masked keys are left out when the index is written, so nobody can find out by searching what they may not see.
The index lists whole words; a query word of three letters or more also finds words that begin with it.
PostgreSQL takes 1 MB of words for an event. One that has more is marked, and has to be read to know what does not occur in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from . import objectid
from .payloads.masking import MaskedKeys, mask_text
from .payloads.tokens import as_written, search_tokens

SHORTEST_BEGINNING = 3  # letters
LONG_RESPONSE = 8192  # characters; ours are no longer, an imported one may be
MORE_WORDS = "'+'"  # no word, but the mark of a vector that has not all of them


def event_vector(event: str, keys: MaskedKeys) -> str:
    """The JSON of an event as the text of a tsvector."""
    return _vector(as_written(event), keys)


def response_vector(response: str, keys: MaskedKeys) -> str:
    """A response as the text of a tsvector. Cached unless it is long, for most responses are one of a few."""
    return (_vector_of_response if len(response) <= LONG_RESPONSE else _vector_of_response.__wrapped__)(response, keys)


@lru_cache(maxsize=1024)
def _vector_of_response(response: str, keys: MaskedKeys) -> str:
    return _vector(mask_text(response, keys), keys)


def _vector(value: Any, keys: MaskedKeys) -> str:
    words, is_capped = search_tokens(value, keys)
    return " ".join([*words, MORE_WORDS] if is_capped else words)


def tsquery(tokens: Sequence[str]) -> str:
    """All of the words, as the text of a tsquery. Three letters are enough of a word; of an id it takes them all."""
    return " & ".join(
        f"'{token}':*" if SHORTEST_BEGINNING <= len(token) < objectid.LENGTH else f"'{token}'" for token in tokens
    )


def tsquery_or_more(tokens: Sequence[str]) -> str:
    """Those that have all of the words, and those that may have them among the words that are not in the index."""
    return f"({tsquery(tokens)}) | {MORE_WORDS}"
