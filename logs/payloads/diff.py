"""An edit's `diff` as rows: the value of each field before and after. Arrays are compared as sets.

Different values never look the same: if their texts would, they are shown as JSON.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from .exact_json import RawNumber, to_json
from .json_tree import pointer_to
from .masking import MASK, MaskedKeys, mask_embedded_json, mask_json

EMPTY = '""'  # makes an empty string visible
BEFORE_DIFFERENCE = 60  # characters of a long value shown before the first difference
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: added, removed or changed. If both values are arrays, the item lists are filled: each item once, in the order of
    its array. If the arrays have the same items, `kept_before` and `kept_after` have every occurrence.

    `previous_place` and `changed_to_place`: pointers to the two values in the event, "" if the diff has another shape.
    """

    pointer: str
    kind: str
    previous: str
    changed_to: str
    is_masked: bool = False
    added_items: list[str] = field(default_factory=list)
    removed_items: list[str] = field(default_factory=list)
    kept_before: list[str] = field(default_factory=list)
    kept_after: list[str] = field(default_factory=list)
    is_list: bool = False
    previous_place: str = ""
    changed_to_place: str = ""

    @property
    def is_reordered(self) -> bool:
        """Whether two arrays differ only in the order of their items, or in how often each occurs."""
        return self.is_list and not self.added_items and not self.removed_items

    @property
    def folded_from(self) -> int:
        return first_difference(self.previous, self.changed_to)


def first_difference(before: str, after: str) -> int:
    """The offset from which two long values are shown while folded, so that their first difference is visible."""
    low, high = 0, min(len(before), len(after))
    while low < high:  # comparing prefixes is a fast comparison of memory
        middle = (low + high + 1) // 2
        low, high = (middle, high) if before[:middle] == after[:middle] else (low, middle - 1)
    return max(low - BEFORE_DIFFERENCE, 0)


def iter_changes(event: Any, keys: MaskedKeys) -> list[Change]:
    """The rows of a parsed event (see exact_json.parse_json); none if it has no diff. Odd entries are shown as they are."""
    diff = _diff(event)
    if isinstance(diff, dict):
        return [_row(pointer, entry, keys) for pointer, entry in diff.items()]
    return [_change("", diff, keys)] if diff else []


def changed_pointers(event: Any) -> frozenset[str]:
    """Pointers into the event to the fields in its diff. The diff's own pointers are relative to `data`."""
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
    kind = _kind(previous, changed_to)
    if keys.matches_pointer(pointer):
        return Change(pointer, kind, _masked(previous), _masked(changed_to), is_masked=True)
    if isinstance(previous, list) and isinstance(changed_to, list):
        return _change_of_list(pointer, previous, changed_to, keys)
    return Change(pointer, kind, *display_pair(previous, changed_to, keys))


def _change_of_list(pointer: str, previous: list[Any], changed_to: list[Any], keys: MaskedKeys) -> Change:
    before, after = _items_of(previous), _items_of(changed_to)
    texts = display_texts(before | after, keys)
    if before.keys() == after.keys():
        kept_before, kept_after = (
            [texts[to_json(item, sort_keys=True)] for item in items] for items in (previous, changed_to)
        )
    else:
        kept_before = [texts[item] for item in before if item in after]
        kept_after = [texts[item] for item in after if item in before]
    return Change(
        pointer,
        "changed",
        display_text(previous, keys),
        display_text(changed_to, keys),
        added_items=[texts[item] for item in after if item not in before],
        removed_items=[texts[item] for item in before if item not in after],
        kept_before=kept_before,
        kept_after=kept_after,
        is_list=True,
    )


def _kind(previous: Any, changed_to: Any) -> str:
    for nothings in ((_MISSING,), (_MISSING, None)):
        had, has = (not any(value is nothing for nothing in nothings) for value in (previous, changed_to))
        if had is not has:
            return "added" if has else "removed"
    return "changed"


def _is_nothing(value: Any) -> bool:
    return value is None or value is _MISSING


def _masked(value: Any) -> str:
    return "" if value == "" or _is_nothing(value) else MASK


def _items_of(array: list[Any]) -> dict[str, Any]:
    """The distinct items in order, by the text by which they are compared."""
    return {to_json(item, sort_keys=True): item for item in array}


def display_texts(items: dict[str, Any], keys: MaskedKeys) -> dict[str, str]:
    """The text shown for each item. If two of them would look alike, all are shown as JSON."""
    texts = {item: display_text(value, keys) for item, value in items.items()}
    if len({_look(text) for text in texts.values()}) == len(texts):
        return texts
    as_json_texts = {item: _shown_as_json(value, keys) for item, value in items.items()}
    if len({_look(text, blanks=True) for text in as_json_texts.values()}) == len(items):
        return as_json_texts
    return {item: _escaped(text) for item, text in as_json_texts.items()}


def display_pair(before: Any, after: Any, keys: MaskedKeys) -> tuple[str, str]:
    """Both as in `display_text`; as JSON if they would look alike."""
    texts = display_text(before, keys), display_text(after, keys)
    if not (texts[0] and texts[1]) or _look(texts[0]) != _look(texts[1]):
        return texts
    texts = _shown_as_json(before, keys), _shown_as_json(after, keys)
    return (
        texts
        if _look(texts[0], blanks=True) != _look(texts[1], blanks=True)
        else (_escaped(texts[0]), _escaped(texts[1]))
    )


def _look(text: str, *, blanks: bool = False) -> str:
    """Equal for texts that look alike. Readers don't see leading or trailing blanks, nor how many blanks there are.

    `blanks`: they do see them, because the text has quotation marks.
    """
    text = unicodedata.normalize("NFKC", text)
    return text if blanks else " ".join(text.split())


def _escaped(text: str) -> str:
    """JSON with escapes such as \\u00a0 for characters that may look like others."""
    return "".join(letter if letter.isascii() or letter in MASK else f"\\u{ord(letter):04x}" for letter in text)


def display_text(value: Any, keys: MaskedKeys) -> str:
    """A string as it is; an empty string and every other value as JSON. Masked values are masked. "" for a missing value."""
    if value is _MISSING:
        return ""
    if value == "":
        return EMPTY
    return mask_embedded_json(value, keys) if isinstance(value, str) else _shown_as_json(value, keys)


def _shown_as_json(value: Any, keys: MaskedKeys) -> str:
    if isinstance(value, str) and not isinstance(value, RawNumber):
        return to_json(mask_embedded_json(value, keys))
    return mask_json(to_json(value), keys)
