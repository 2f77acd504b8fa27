"""The differences between the `data` of two events of one object, or between an event and its edited copy, by pointer.

A masked value is shown as masked and never compared, so that nobody learns whether it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .diff import display_pair, display_text, display_texts, first_difference
from .exact_json import RawNumber, to_json
from .json_tree import PointerError, pointer_to, resolve_pointer
from .masking import MASK, MaskedKeys, mask_embedded_json, mask_json

MAX_DIFFERENCES = 500

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: added (only `that` has it), removed (only `this`), changed, or masked. `pointer`: relative to `data`, see
    `compare_payloads`.

    For two arrays compared as sets, `removed_items` and `added_items` are the items that only one of them has.
    """

    pointer: str
    kind: str
    this: str = ""
    that: str = ""
    removed_items: tuple[str, ...] = ()
    added_items: tuple[str, ...] = ()
    is_list: bool = False
    this_length: int = 0
    that_length: int = 0

    @property
    def is_masked(self) -> bool:
        return self.kind == "masked"

    @property
    def is_reordered(self) -> bool:
        """Whether two arrays differ only in the order of their items, or in how often each occurs."""
        return self.is_list and not self.added_items and not self.removed_items

    @property
    def folded_from(self) -> int:
        return first_difference(self.this, self.that)

    @property
    def place(self) -> str:
        """Its pointer in the events that were passed to `compare_payloads`."""
        return f"/data{self.pointer}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`is_more`: there are more differences than these."""

    differences: list[Difference]
    is_more: bool

    @property
    def number(self) -> int:
        """How many differences are certain: masked values may be equal."""
        return sum(not row.is_masked for row in self.differences)


def compare_payloads(this: Any, that: Any, keys: MaskedKeys, limit: int = MAX_DIFFERENCES) -> Comparison:
    """The first `limit` differences of two parsed events (see exact_json.parse_json), from `this` to `that`."""
    return _first(limit, _differences("", _data(this), _data(that), keys))


def compare_edit(stored: Any, edited: Any, keys: MaskedKeys, limit: int = MAX_DIFFERENCES) -> Comparison:
    """The same for whole events: one that a person edited, and the original. Pointers are relative to the root.

    An unchanged masked value isn't a difference. A changed one is listed as masked: the audit log shows that much anyway.
    """
    differences = _differences("", stored, edited, keys)
    return _first(limit, (row for row in differences if not row.is_masked or _is_touched(row.pointer, stored, edited)))


def _first(limit: int, differences: Iterator[Difference]) -> Comparison:
    rows = list(islice(differences, limit + 1))
    return Comparison(rows[:limit], len(rows) > limit)


def _is_touched(pointer: str, stored: Any, edited: Any) -> bool:
    return _json_at(pointer, stored) != _json_at(pointer, edited)


def _json_at(pointer: str, event: Any) -> str | None:
    try:
        return to_json(resolve_pointer(event, pointer))
    except PointerError:
        return None


def _data(event: Any) -> Any:
    return event.get("data") if isinstance(event, dict) else None


def _differences(pointer: str, this: Any, that: Any, keys: MaskedKeys) -> Iterator[Difference]:
    if isinstance(this, dict) and isinstance(that, dict):
        for key in dict.fromkeys([*this, *that]):
            values = this.get(key, _MISSING), that.get(key, _MISSING)
            place = pointer_to(pointer, key)
            yield from _masked(place, *values) if keys.matches(key) else _differences(place, *values, keys)
    elif isinstance(this, list) and isinstance(that, list):
        yield from _differences_of_lists(pointer, this, that, keys)
    elif this is _MISSING:
        yield Difference(pointer, "added", that=display_text(that, keys))
    elif that is _MISSING:
        yield Difference(pointer, "removed", this=display_text(this, keys))
    elif _comparable(this, keys) != _comparable(that, keys):
        yield Difference(pointer, "changed", *display_pair(this, that, keys))


def _differences_of_lists(pointer: str, this: list, that: list, keys: MaskedKeys) -> Iterator[Difference]:
    """Compare item by item if the arrays have the same length and any item is an object or array; otherwise as sets."""
    if len(this) == len(that) and any(isinstance(item, dict | list) for item in (*this, *that)):
        for number, items in enumerate(zip(this, that, strict=True)):
            yield from _differences(pointer_to(pointer, number), *items, keys)
        return
    before, after = ({_comparable(item, keys): item for item in items} for items in (this, that))
    if before == after and [_comparable(item, keys) for item in this] == [_comparable(item, keys) for item in that]:
        return
    texts = display_texts(before | after, keys)
    yield Difference(
        pointer,
        "changed",
        removed_items=tuple(texts[item] for item in before if item not in after),
        added_items=tuple(texts[item] for item in after if item not in before),
        is_list=True,
        this_length=len(this),
        that_length=len(that),
    )


def _masked(pointer: str, this: Any, that: Any) -> Iterable[Difference]:
    """One row if there is a value to hide. The row is the same whether the values are equal or not."""
    before, after = ("" if value in (None, "", _MISSING) else MASK for value in (this, that))
    return [Difference(pointer, "masked", before, after)] if before or after else []


def _comparable(value: Any, keys: MaskedKeys) -> str:
    """Equal texts for values that are equal except for their masked parts; "1" isn't 1."""
    if isinstance(value, str) and not isinstance(value, RawNumber):
        return to_json(mask_embedded_json(value, keys))
    return mask_json(to_json(value, sort_keys=True), keys)
