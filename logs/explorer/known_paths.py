"""Places that payloads have, as the search box writes them: read off the newest events, masked keys left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast, Length

from ..models import Payload, Subscription, WebhookLog
from ..payloads.masking import MaskedKeys, masked_keys
from ..payloads.tokens import as_written
from .fields import PATH_ROOTS

SUBSCRIPTIONS = 30  # of each of the newest of them, the newest event is read
LARGEST = 65_536  # characters of an event
DEPTH = 4  # keys, the root being one
ELEMENTS = 3  # of an array
_WRITABLE = re.compile(r"[\w$-]{1,60}")  # what stands between dots without being misread


def known_paths(user: Any, beginning: str, limit: int = 20) -> list[str]:
    """Those that begin so: short ones before long ones, frequent ones before rare ones. Two queries."""
    keys = masked_keys()
    counts: Counter[tuple[str, ...]] = Counter()
    for event in _newest_events(user):
        counts.update(set(paths_of(event, keys)))
    ranked = sorted(counts, key=lambda steps: (len(steps), -counts[steps], steps))
    found = (".".join(steps) for steps in ranked)
    return [path for path in found if path.lower().startswith(beginning.lower())][:limit]


def paths_of(event: Any, keys: MaskedKeys) -> Iterator[tuple[str, ...]]:
    """The places of a parsed event that hold a value, or a list of them. A step into an array is not written."""
    if isinstance(event, dict):
        for root in PATH_ROOTS:
            yield from _below(event.get(root), (root,), keys)


def _below(value: Any, steps: tuple[str, ...], keys: MaskedKeys) -> Iterator[tuple[str, ...]]:
    if isinstance(value, list):
        for one in value[:ELEMENTS]:
            yield from _below(one, steps, keys)
    elif not isinstance(value, dict):
        yield steps
    elif len(steps) < DEPTH:
        for key, one in value.items():
            names = key[1:].split("/") if key.startswith("/") else [key]  # the keys of a diff are pointers
            if all(map(_WRITABLE.fullmatch, names)) and not keys.matches(key):
                yield from _below(one, (*steps, *names), keys)


def _newest_events(user: Any) -> Iterator[Any]:
    newest = WebhookLog.objects.filter(subscription=OuterRef("pk")).order_by("-created_at", "-id").values("pk")[:1]
    subscriptions = Subscription.objects.visible_to(user).order_by("-pk")[:SUBSCRIPTIONS]
    ids = [pk for pk in subscriptions.values_list(Subquery(newest), flat=True) if pk]
    small = (
        Payload.objects.filter(pk__in=ids).alias(length=Length(Cast("event", TextField()))).filter(length__lte=LARGEST)
    )
    for event in small.values_list("event", flat=True):
        yield as_written(event)
