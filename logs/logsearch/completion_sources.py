"""Places that payloads have, as the search box writes them: read off the newest events, masked keys left out.

What the fields of the search box may be asked for, as far as a person may know it: of subscriptions that they see.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast, Length
from django.utils.translation import gettext as _

from ..db.timeouts import TookTooLong, time_limit
from ..models import Cause, Company, Payload, State, Subscription, WebhookLog
from ..payloads.masking import MaskedKeys, masked_keys
from ..payloads.tokens import as_written
from ..stats.queries import TOTAL, cells, visible_ids
from .completion import Value
from .fields import PATH_ROOTS
from .filterset import ACTIONS, EVENT_TYPES, STATUS_LABELS

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


SECONDS = 0.2  # by then it is better to offer nothing than to keep somebody waiting
MOST_STATUSES = 20


class KnownValues:
    """Asks the database only for what is being completed."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def values(self, name: str) -> list[Value]:
        asked = {
            "status": self._statuses,
            "sub": self._subscriptions,
            "company": self._companies,
        }
        return asked[name]() if name in asked else _fixed().get(name, [])

    def named_values(self) -> Iterator[tuple[str, Value]]:
        for name in ("state", "cause", "type", "action"):
            for value in _fixed()[name]:
                if value.spelling != "other":
                    yield name, value

    def paths(self, beginning: str) -> list[str]:
        try:
            with time_limit(SECONDS):
                return known_paths(self.user, beginning)
        except TookTooLong:
            return []

    def _statuses(self) -> list[Value]:
        """Those that occur, most frequent first, then the classes of them."""
        classes = [Value(name, str(words)) for name, words in STATUS_LABELS.items()]
        found = cells(None, None, visible_ids(self.user)).exclude(status=None).values_list("status")
        counted = found.annotate(n=TOTAL).filter(n__gt=0).order_by("-n", "status")
        try:
            with time_limit(SECONDS):
                return [Value(str(status), _phrase(status)) for status, _n in counted[:MOST_STATUSES]] + classes
        except TookTooLong:
            return classes

    def _subscriptions(self) -> list[Value]:
        """By name, or by code where a name cannot be written in quotation marks."""
        found = Subscription.objects.visible_to(self.user).order_by("name", "pk").values_list("name", "code")
        return [Value(code, name) if '"' in name or not name else Value(name, code) for name, code in found]

    def _companies(self) -> list[Value]:
        found = Company.objects.visible_to(self.user).order_by("name", "pk").values_list("name", "pk")
        return [Value(pk, name) if '"' in name or not name else Value(name, pk) for name, pk in found]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _fixed() -> dict[str, list[Value]]:
    """The values that are the same for everybody."""
    states = [Value("delivered" if state is State.SUCCEEDED else state.value, str(state.label)) for state in State]
    types = [Value(name.removeprefix("COT").lower(), str(words)) for name, words in EVENT_TYPES.items()]
    return {
        "state": states,
        "cause": [Value(cause.value, str(cause.label)) for cause in Cause],
        "type": types,
        "action": [Value(name, str(words)) for name, words in ACTIONS.items()],
        "result": [Value("success", _("Delivered")), Value("failed", _("Failed"))],
        "test": [Value("yes", _("Test events alone")), Value("no", _("No test events"))],
        "duration": [
            Value(">1s", _("More than a second")),
            Value(">10s", _("More than 10 seconds")),
            Value("<100ms", _("Less than 100 milliseconds")),
            Value("1s..5s", _("From one second to five")),
        ],
        "tries": [Value(">1", _("More than once")), Value("3", _("Three times"))],
    }
