"""The search index: which words of an event and of a response are found, and how a query asks for them.

Values under masked keys are left out when the index is written, so nobody can find out by searching what they may not see.
The index lists whole words; a query word of three letters or more also finds words that begin with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db.models import Q

from . import objectid
from .models import Payload
from .payloads.masking import MaskedKeys, mask_text
from .payloads.tokens import query_tokens, search_tokens

SHORTEST_BEGINNING = 3  # letters
RESPONSE_LIMIT = 8192  # characters of a response that are searched


def event_vector(event: Any, keys: MaskedKeys) -> str:
    """The parsed event as the text of a tsvector."""
    return " ".join(search_tokens(event, keys).words)


@lru_cache(maxsize=1024)
def response_vector(response: str, keys: MaskedKeys) -> str:
    """A response as the text of a tsvector. Cached, for most responses are one of a few."""
    return " ".join(search_tokens(mask_text(response[:RESPONSE_LIMIT], keys), keys).words)


def tsquery(tokens: Sequence[str]) -> str:
    """All of the words, as the text of a tsquery. Three letters are enough of a word; of an id it takes them all."""
    return " & ".join(
        f"'{token}':*" if SHORTEST_BEGINNING <= len(token) < objectid.LENGTH else f"'{token}'" for token in tokens
    )


def logs_matching(query: str) -> Q:
    """The logs in which every word of `query` occurs: in the payload or the response, or as an id of the log itself."""
    found = Q()
    for word in query.split():
        tokens = query_tokens(word)
        if not tokens:
            continue
        asked = tsquery(tokens)
        one = Q(search__matches=asked) | Q(pk__in=Payload.objects.filter(search__matches=asked).values("pk"))
        if objectid.is_objectid(word):
            pk = objectid.parse(word)
            one |= Q(pk=pk) | Q(object_id=pk) | Q(subscription=pk)
        found &= one
    return found
