"""The values of each filter among the logs that match, and how many logs have each value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..db.timeouts import BoundedCount
from ..models import Cause, State
from .fields import STATUS_CLASSES
from .filterset import ACTIONS, EVENT_TYPES, STATUS_LABELS, WebhookLogFilterSet
from .stats import LogStats

FACET_COLUMNS = {
    "state": "state",
    "cause": "cause",
    "subscription": "subscription",
    "status": "status",
    "type": "event_type",
    "action": "action",
}
FACET_VALUES_SHOWN = 8  # values; the others are shown on request
MAX_FACET_VALUES = 200


@dataclass(frozen=True)
class FacetValue:
    """`title`: shown on hover, with a cause's code. `count`: None if it stands for several values, which have their own."""

    value: str
    label: str
    title: str
    count: BoundedCount | None
    is_included: bool
    is_excluded: bool

    @property
    def is_chosen(self) -> bool:
        return self.is_included or self.is_excluded


@dataclass(frozen=True)
class Facet:
    """`shown` and `more`: the values that occur, most logs first. A chosen value is always shown. `name`: the filter's name."""

    name: str
    label: str
    shown: list[FacetValue]
    more: list[FacetValue]
    is_cut: bool


def build_facets(filterset: WebhookLogFilterSet, figures: LogStats) -> list[Facet]:
    return [_facet(filterset, figures, name) for name in FACET_COLUMNS]


def _facet(filterset: WebhookLogFilterSet, figures: LogStats, name: str) -> Facet:
    field = filterset.form.fields[name]
    included, excluded = filterset.data.getlist(name), filterset.data.getlist(f"not_{name}")
    numbers: dict[str, int | None] = {}
    for value, number in figures.facet_totals(name):
        key = facet_param(name, value)
        numbers[key] = (numbers.get(key) or 0) + number
    for value in (*included, *excluded):  # a chosen value stays even if no log has it
        numbers.setdefault(value, None if value in STATUS_CLASSES and value != "none" else 0)
    numbers.pop("", None)
    labels = _labels(filterset, name, list(numbers))
    titles = {value: f"{labels[value]} · {value}" for value in Cause.values} if name == "cause" else labels
    values = [
        FacetValue(
            value,
            labels.get(value, value),
            titles.get(value, value),
            None if number is None else BoundedCount(number, is_least=not figures.is_exact),
            value in included,
            value in excluded,
        )
        for value, number in numbers.items()
    ]
    values.sort(key=lambda item: (-(numbers[item.value] or 0), item.label))
    shown = [item for place, item in enumerate(values) if place < FACET_VALUES_SHOWN or item.is_chosen]
    more = [item for item in values if item not in shown]
    return Facet(name, str(field.label), shown, more[:MAX_FACET_VALUES], len(more) > MAX_FACET_VALUES)


def facet_param(name: str, value: Any) -> str:
    """The value of the filter that finds logs with this value of the column."""
    if name == "status":
        return "none" if value is None else str(value)
    known = {"type": EVENT_TYPES, "action": ACTIONS}.get(name)
    return "other" if known is not None and value not in known else str(value)


def _distinct_names(names: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Unique names from (name, code), by id: the code is added where two names are the same."""
    times = Counter(name for name, _code in names.values())
    return {pk: f"{name} ({code})" if times[name] > 1 else name for pk, (name, code) in names.items()}


def _labels(filterset: WebhookLogFilterSet, name: str, values: Sequence[str]) -> dict[str, str]:
    if name == "subscription":
        named = filterset.subscriptions.filter(pk__in=values).order_by()
        return _distinct_names({row.pk: (row.name, row.code or row.pk) for row in named.only("name", "code")})
    if name == "status":
        return {value: str(label) for value, label in STATUS_LABELS.items()}
    choices: dict[str, dict[str, Any]] = {
        "state": dict(State.choices),
        "cause": dict(Cause.choices),
        "type": EVENT_TYPES,
        "action": ACTIONS,
    }
    return {value: str(label) for value, label in choices[name].items()}
