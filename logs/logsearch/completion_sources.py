"""The values that the fields of the search box accept, as far as a person may know them: from subscriptions that they see.

Also the paths of payloads as the search box writes them: read from the newest events, without masked keys.
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

from ..db.timeouts import StatementTimeout, statement_timeout
from ..models import Cause, Company, Payload, State, Subscription, WebhookLog
from ..payloads.masking import MaskedKeys, masked_keys
from ..payloads.tokens import parse_keeping_numbers
from ..stats.queries import TOTAL_WIDTH, log_counts, visible_ids
from .completion import ValueCompletion
from .fields import PATH_ROOTS
from .filterset import ACTIONS, EVENT_TYPES, STATUS_LABELS

MAX_SUBSCRIPTIONS_READ = 30  # the newest subscriptions; the newest event of each is read
MAX_PAYLOAD_BYTES = 65_536  # characters of an event
MAX_DEPTH = 4  # keys, including the root
MAX_ELEMENTS = 3  # of an array
_WRITABLE = re.compile(r"[\w$-]{1,60}")  # can be written between dots without being misread


def payload_paths(user: Any, beginning: str, limit: int = 20) -> list[str]:
    """Paths that begin with this text: short ones before long ones, frequent ones before rare ones. Two queries."""
    keys = masked_keys()
    counts: Counter[tuple[str, ...]] = Counter()
    for event in _newest_events(user):
        counts.update(set(paths_of(event, keys)))
    ranked = sorted(counts, key=lambda steps: (len(steps), -counts[steps], steps))
    paths = (".".join(steps) for steps in ranked)
    return [path for path in paths if path.lower().startswith(beginning.lower())][:limit]


def paths_of(event: Any, keys: MaskedKeys) -> Iterator[tuple[str, ...]]:
    """The paths of a parsed event that hold a value or a list of values. Steps into arrays are not part of a path."""
    if isinstance(event, dict):
        for root in PATH_ROOTS:
            yield from _below(event.get(root), (root,), keys)


def _below(value: Any, steps: tuple[str, ...], keys: MaskedKeys) -> Iterator[tuple[str, ...]]:
    if isinstance(value, list):
        for item in value[:MAX_ELEMENTS]:
            yield from _below(item, steps, keys)
    elif not isinstance(value, dict):
        yield steps
    elif len(steps) < MAX_DEPTH:
        for key, item in value.items():
            names = key[1:].split("/") if key.startswith("/") else [key]  # the keys of a diff are pointers
            if all(map(_WRITABLE.fullmatch, names)) and not keys.matches(key):
                yield from _below(item, (*steps, *names), keys)


def _newest_events(user: Any) -> Iterator[Any]:
    newest = WebhookLog.objects.filter(subscription=OuterRef("pk")).order_by("-created_at", "-id").values("pk")[:1]
    subscriptions = Subscription.objects.visible_to(user).order_by("-pk")[:MAX_SUBSCRIPTIONS_READ]
    ids = [pk for pk in subscriptions.values_list(Subquery(newest), flat=True) if pk]
    small = (
        Payload.objects.filter(pk__in=ids)
        .alias(length=Length(Cast("event", TextField())))
        .filter(length__lte=MAX_PAYLOAD_BYTES)
    )
    for event in small.values_list("event", flat=True):
        yield parse_keeping_numbers(event)


COMPLETION_TIMEOUT_SECONDS = 0.2  # after that, no suggestions are better than a wait
MAX_STATUSES = 20


class DatabaseCompletionSource:
    """Queries the database only for the field that is being completed."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def values(self, name: str) -> list[ValueCompletion]:
        queried = {
            "status": self._statuses,
            "sub": self._subscriptions,
            "company": self._companies,
        }
        return queried[name]() if name in queried else _fixed().get(name, [])

    def named_values(self) -> Iterator[tuple[str, ValueCompletion]]:
        for name in ("state", "cause", "type", "action"):
            for value in _fixed()[name]:
                if value.spelling != "other":
                    yield name, value

    def paths(self, beginning: str) -> list[str]:
        try:
            with statement_timeout(COMPLETION_TIMEOUT_SECONDS):
                return payload_paths(self.user, beginning)
        except StatementTimeout:
            return []

    def _statuses(self) -> list[ValueCompletion]:
        """Statuses that occur, most frequent first, then the status classes."""
        classes = [ValueCompletion(name, str(words)) for name, words in STATUS_LABELS.items()]
        statuses = log_counts(None, None, visible_ids(self.user)).exclude(status=None).values_list("status")
        counted = statuses.annotate(n=TOTAL_WIDTH).filter(n__gt=0).order_by("-n", "status")
        try:
            with statement_timeout(COMPLETION_TIMEOUT_SECONDS):
                return [
                    ValueCompletion(str(status), _phrase(status)) for status, _n in counted[:MAX_STATUSES]
                ] + classes
        except StatementTimeout:
            return classes

    def _subscriptions(self) -> list[ValueCompletion]:
        """By name, or by code if there is no name or it can't be written in quotation marks."""
        names = Subscription.objects.visible_to(self.user).order_by("name", "pk").values_list("name", "code")
        return [
            ValueCompletion(code, name) if '"' in name or not name else ValueCompletion(name, code)
            for name, code in names
        ]

    def _companies(self) -> list[ValueCompletion]:
        names = Company.objects.visible_to(self.user).order_by("name", "pk").values_list("name", "pk")
        return [
            ValueCompletion(pk, name) if '"' in name or not name else ValueCompletion(name, pk) for name, pk in names
        ]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _fixed() -> dict[str, list[ValueCompletion]]:
    """The values that are the same for everybody."""
    types = [ValueCompletion(name.removeprefix("COT").lower(), str(words)) for name, words in EVENT_TYPES.items()]
    return {
        "state": [ValueCompletion(state.value, str(state.label)) for state in State],
        "cause": [ValueCompletion(cause.value, str(cause.label)) for cause in Cause],
        "type": types,
        "action": [ValueCompletion(name, str(words)) for name, words in ACTIONS.items()],
        "result": [ValueCompletion("success", _("Delivered")), ValueCompletion("failed", _("Failed"))],
        "test": [ValueCompletion("yes", _("Only test events")), ValueCompletion("no", _("No test events"))],
        "was": [ValueCompletion("failed", _("Failed now or earlier"))],
        "failed": [
            ValueCompletion("-1h..", _("In the last hour")),
            ValueCompletion("today", _("Today")),
            ValueCompletion("yesterday", _("Yesterday")),
        ],
        "duration": [
            ValueCompletion(">1s", _("More than a second")),
            ValueCompletion(">10s", _("More than 10 seconds")),
            ValueCompletion("<100ms", _("Less than 100 milliseconds")),
            ValueCompletion("1s..5s", _("1 to 5 seconds")),
        ],
        "attempts": [ValueCompletion(">1", _("More than one attempt")), ValueCompletion("3", _("Three attempts"))],
    }
