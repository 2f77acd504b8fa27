"""An edit's `diff` as rows: what each field was, and what it became. Arrays are compared as sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from .masking import MASK, MaskedKeys, mask_json
from .tree import Number

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: added, removed or changed. The items are filled where both values are arrays."""

    pointer: str
    kind: str
    previous: str
    changed_to: str
    is_masked: bool = False
    added_items: list[str] = field(default_factory=list)
    removed_items: list[str] = field(default_factory=list)
    kept_items: list[str] = field(default_factory=list)


def changes(event: Any, keys: MaskedKeys) -> list[Change]:
    """The rows of a parsed event (see tree.parse), none where it has no diff. Odd entries come out as what is there."""
    return [_change(pointer, entry, keys) for pointer, entry in _diff(event).items()]


def changed_pointers(event: Any) -> frozenset[str]:
    """The places in the event that its diff names; a diff counts from `data`."""
    return frozenset("/data" + (pointer if pointer.startswith("/") else f"/{pointer}") for pointer in _diff(event))


def _diff(event: Any) -> dict[str, Any]:
    diff = event.get("diff") if isinstance(event, dict) else None
    return diff if isinstance(diff, dict) else {}


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
            added_items=[text for text in after if text not in before],
            removed_items=[text for text in before if text not in after],
            kept_items=[text for text in after if text in before],
        )
    return row


def _is_nothing(value: Any) -> bool:
    return value is None or value is _MISSING


def _masked(value: Any) -> str:
    return "" if value == "" or _is_nothing(value) else MASK


def _texts(items: list[Any], keys: MaskedKeys) -> dict[str, None]:
    """The distinct items as text, in their order."""
    return dict.fromkeys(shown(item, keys) for item in items)


def shown(value: Any, keys: MaskedKeys) -> str:
    """A string as it is, everything else as JSON, with masked values masked; "" where there is nothing."""
    if value is _MISSING:
        return ""
    text = value if isinstance(value, str) else _json(value)
    return mask_json(text, keys) if text[:1] in ("{", "[") else text


def _json(value: Any) -> str:
    """Compact JSON that keeps the spelling of numbers."""
    if isinstance(value, Number):
        return value
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
