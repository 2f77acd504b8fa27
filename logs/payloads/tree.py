"""A payload as a tree that is opened node by node: 100 children at a time, long strings cut, masked values never inside.

Nodes are named by JSON Pointers (RFC 6901). Numbers stay as they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .masking import MASK, MaskedKeys, is_under_masked_key, mask_inside
from .tokens import folded

CHUNK = 100
CUT = 500
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901 knows no leading zeros


class Number(str):
    """A number as it was written: 1.10, 1e5, 12345678901234567890."""


class PointerError(LookupError):
    """The pointer leads nowhere in this payload; the message says where it ends."""


@dataclass(frozen=True, slots=True)
class Node:
    """`text` is what is shown of a scalar, cut at 500 characters unless it was revealed; `size` counts children."""

    key: str
    pointer: str
    kind: str  # object, array, string, number, boolean, null, masked
    text: str = ""
    is_cut: bool = False
    length: int = 0
    size: int = 0
    is_changed: bool = False
    has_changes_below: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """`next_start` is None where these are the last of the `total` children."""

    nodes: list[Node]
    next_start: int | None
    total: int


def parse(text: str) -> Any:
    """The value of a stored payload, with every number as a Number."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def pointer_to(parent: str, key: str | int) -> str:
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def resolve(value: Any, pointer: str) -> Any:
    """The value at the pointer; raises PointerError."""
    for step in _steps(pointer):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            raise PointerError(f"{pointer[:200]} has no {step[:100]!r}")
    return value


def children(
    value: Any,
    pointer: str,
    *,
    keys: MaskedKeys,
    revealed: frozenset[str] = frozenset(),
    start: int = 0,
    limit: int = CHUNK,
    changed: frozenset[str] = frozenset(),
) -> Chunk:
    """`limit` children of the container at `pointer`, from number `start` on; none of what is masked. Raises PointerError."""
    container = resolve(value, pointer)
    if not isinstance(container, dict | list):
        raise PointerError(f"{pointer[:200]} has no children")
    if is_under_masked_key(pointer, keys) and not _is_revealed(pointer, revealed):
        raise PointerError(f"{pointer[:200]} is masked")
    total = len(container)
    names = (
        list(container)[start : start + limit]
        if isinstance(container, dict)
        else range(start, min(start + limit, total))
    )
    touched = _below(pointer, changed)
    nodes = [_node(str(name), container[name], pointer_to(pointer, name), keys, revealed, touched) for name in names]
    return Chunk(nodes, start + limit if start + limit < total else None, total)


def node(value: Any, pointer: str, *, keys: MaskedKeys, revealed: frozenset[str] = frozenset()) -> Node:
    """The node at `pointer`; raises PointerError."""
    found = resolve(value, pointer)
    steps = list(_steps(pointer))
    if is_under_masked_key(pointer, keys) and _is_revealed(pointer, revealed) and isinstance(found, dict | list):
        return Node(steps[-1], pointer, "string", as_json(found))
    return _node(steps[-1] if steps else "", found, pointer, keys, revealed, _Touched())


def full_string(value: Any, pointer: str, keys: MaskedKeys, revealed: frozenset[str] = frozenset()) -> str:
    """A string that was cut, whole; raises PointerError, also where it is masked and not revealed."""
    text = resolve(value, pointer)
    is_revealed = _is_revealed(pointer, revealed)
    if _kind(text) != "string" or (is_under_masked_key(pointer, keys) and not is_revealed):
        raise PointerError(f"{pointer[:200]} is no string to be shown")
    return text if is_revealed else mask_inside(text, keys)


def find(value: Any, needle: str, keys: MaskedKeys, limit: int = 200) -> list[str]:
    """Pointers to what has `needle` in its key or its text, in order; case and accents do not count.

    Masked values are never looked into.
    """
    wanted = folded(needle)
    return list(islice(_places_of(wanted, "", value, "", keys), limit)) if wanted else []


def _places_of(wanted: str, key: str, value: Any, pointer: str, keys: MaskedKeys) -> Iterator[str]:
    is_masked = keys.matches(key)
    if wanted in folded(key) or (not is_masked and wanted in folded(_text(value, keys))):
        yield pointer
    if isinstance(value, dict | list) and not is_masked:
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            step = name if isinstance(name, str) else ""  # the number of an item is no key to be found
            yield from _places_of(wanted, step, item, pointer_to(pointer, name), keys)


def _node(key: str, value: Any, pointer: str, keys: MaskedKeys, revealed: frozenset[str], touched: _Touched) -> Node:
    kind, is_revealed = _kind(value), _is_revealed(pointer, revealed)
    if kind != "null" and value != "" and is_under_masked_key(pointer, keys) and not is_revealed:
        return Node(key, pointer, "masked", MASK)
    is_changed, is_below = pointer in touched.places, pointer in touched.ways
    if kind in ("object", "array"):
        return Node(key, pointer, kind, size=len(value), is_changed=is_changed, has_changes_below=is_below)
    text = value if is_revealed and kind == "string" else _text(value, keys)
    shown = text if is_revealed else text[:CUT]
    return Node(key, pointer, kind, shown, len(shown) < len(text), len(text), is_changed=is_changed)


def _text(value: Any, keys: MaskedKeys) -> str:
    """What is shown of a scalar; nothing of a container."""
    if isinstance(value, dict | list):
        return ""
    return mask_inside(value, keys) if _kind(value) == "string" else as_json(value)


@dataclass(frozen=True, slots=True)
class _Touched:
    """The children that are changed, and those on the way to a change."""

    places: frozenset[str] = frozenset()
    ways: frozenset[str] = frozenset()


def _below(pointer: str, changed: frozenset[str]) -> _Touched:
    """Found once for all children: a diff may name thousands of places."""
    start = len(pointer) + 1
    deeper = (place for place in changed if place.startswith(pointer + "/") and "/" in place[start:])
    return _Touched(changed, frozenset(place[: place.index("/", start)] for place in deeper))


def _is_revealed(pointer: str, revealed: frozenset[str]) -> bool:
    return any(pointer == place or pointer.startswith(place + "/") for place in revealed)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, Number) else "string"


def _steps(pointer: str) -> Iterator[str]:
    if pointer and not pointer.startswith("/"):
        raise PointerError(f"{pointer[:200]!r} is not a JSON Pointer")
    for step in pointer.split("/")[1:]:
        yield step.replace("~1", "/").replace("~0", "~")


def as_json(value: Any, *, sort_keys: bool = False) -> str:
    """Compact JSON that keeps the spelling of numbers; with `sort_keys`, equal values have equal texts."""
    if isinstance(value, Number):
        return value
    if isinstance(value, dict):
        items = sorted(value.items()) if sort_keys else value.items()
        return "{" + ",".join(f"{_quoted(key)}:{as_json(item, sort_keys=sort_keys)}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(as_json(item, sort_keys=sort_keys) for item in value) + "]"
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
