"""Where what is searched for occurs: by the indexes of words where they decide, by reading the event where they do not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db.models import Q

from ..masked_keys import masked_keys
from ..models import Payload, WebhookLog
from ..paging import Key
from ..payloads.masking import mask_text
from ..search import RESPONSE_LIMIT, tsquery
from .by_index import is_id
from .criteria import Criteria
from .occurs import occurs
from .terms import Path, Word

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


def _in_index(term: Word | Path) -> Q:
    """Necessary for the term to occur, and enough where it need not be read."""
    asked = tsquery(term.tokens)
    if isinstance(term, Path):
        return Q(payload__search__matches=asked)
    in_response = Q(search__matches=asked)
    return in_response if term.only_response else in_response | Q(payload__search__matches=asked) | is_id(term)


def _must_be_read(term: Word | Path) -> bool:
    return isinstance(term, Path) or term.is_phrase


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
