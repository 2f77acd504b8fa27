"""An edit's `diff` as rows: what each field was, and what it became. Arrays are compared as sets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .masking import MASK, MaskedKeys, mask_inside
from .tree import as_json, pointer_to

EMPTY = '""'  # so that it can be seen
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: added, removed or changed. The items are filled where both values are arrays, each once.

    The places are pointers to the two values in the event, "" where the diff is of another shape.
    """

    pointer: str
    kind: str
    previous: str
    changed_to: str
    is_masked: bool = False
    added_items: list[str] = field(default_factory=list)
    removed_items: list[str] = field(default_factory=list)
    kept_items: list[str] = field(default_factory=list)
    is_list: bool = False
    previous_place: str = ""
    changed_to_place: str = ""

    @property
    def is_reordered(self) -> bool:
        """Whether two arrays differ only in the order of their items, or in how many times each is there."""
        return self.is_list and not self.added_items and not self.removed_items


def changes(event: Any, keys: MaskedKeys) -> list[Change]:
    """The rows of a parsed event (see tree.parse), none where it has no diff. Odd entries come out as what is there."""
    diff = _diff(event)
    if isinstance(diff, dict):
        return [_row(pointer, entry, keys) for pointer, entry in diff.items()]
    return [_change("", diff, keys)] if diff else []


def changed_pointers(event: Any) -> frozenset[str]:
    """The places in the event that its diff names; a diff counts from `data`."""
    diff = _diff(event)
    pointers = diff if isinstance(diff, dict) else ()
    return frozenset(f"/data{pointer}" if pointer[:1] in ("", "/") else f"/data/{pointer}" for pointer in pointers)


def _diff(event: Any) -> Any:
    return event.get("diff") if isinstance(event, dict) else None


def _row(pointer: str, entry: Any, keys: MaskedKeys) -> Change:
    row, place = _change(pointer, entry, keys), pointer_to("/diff", pointer)
    if isinstance(entry, dict):
        return replace(row, previous_place=f"{place}/previous", changed_to_place=f"{place}/changedTo")
    return replace(row, changed_to_place=place)


def _change(pointer: str, entry: Any, keys: MaskedKeys) -> Change:
    is_pair = isinstance(entry, dict)
    previous = entry.get("previous", _MISSING) if is_pair else _MISSING
    changed_to = entry.get("changedTo", _MISSING) if is_pair else entry
    kind = "added" if _is_nothing(previous) else "removed" if _is_nothing(changed_to) else "changed"
    if keys.matches_pointer(pointer):
        return Change(pointer, kind, _masked(previous), _masked(changed_to), is_masked=True)
    row = Change(pointer, kind, shown(previous, keys), shown(changed_to, keys))
    if isinstance(previous, list) and isinstance(changed_to, list):
        before, after = _texts(previous, keys), _texts(changed_to, keys)
        return replace(
            row,
            added_items=[text for item, text in after.items() if item not in before],
            removed_items=[text for item, text in before.items() if item not in after],
            kept_items=[text for item, text in after.items() if item in before],
            is_list=True,
        )
    return row


def _is_nothing(value: Any) -> bool:
    return value is None or value is _MISSING


def _masked(value: Any) -> str:
    return "" if value == "" or _is_nothing(value) else MASK


def _texts(items: list[Any], keys: MaskedKeys) -> dict[str, str]:
    """The distinct items in their order: what each is compared by, and what is shown of it.

    What is shown does not tell "1" from 1, nor one masked value from another.
    """
    return {as_json(item, sort_keys=True): shown(item, keys) for item in items}


def shown(value: Any, keys: MaskedKeys) -> str:
    """A string as it is, but an empty one as JSON, as everything else; masked values are masked. "" where there is nothing."""
    if value is _MISSING:
        return ""
    if value == "":
        return EMPTY
    return mask_inside(value if isinstance(value, str) else as_json(value), keys)
