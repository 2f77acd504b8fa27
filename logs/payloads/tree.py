"""A payload as a tree that is opened node by node: 100 children at a time, long strings cut, masked values never inside.

Nodes are named by JSON Pointers (RFC 6901). Numbers stay as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .masking import MASK, MaskedKeys, mask_json

CHUNK = 100
CUT = 500


class Number(str):
    """A number as it was written: 1.10, 1e5, 12345678901234567890."""


class PointerError(LookupError):
    """The pointer leads nowhere in this payload; the message says where it ends."""


@dataclass(frozen=True, slots=True)
class Node:
    """`text` is what is shown of a scalar, cut at 500 characters; `size` counts the children of a container."""

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
        elif (
            isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 10 and int(step) < len(value)
        ):
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
    if _is_masked(pointer, keys) and not _is_revealed(pointer, revealed):
        raise PointerError(f"{pointer[:200]} is masked")
    total = len(container)
    names = (
        list(container)[start : start + limit]
        if isinstance(container, dict)
        else range(start, min(start + limit, total))
    )
    nodes = [_node(str(name), container[name], pointer_to(pointer, name), keys, revealed, changed) for name in names]
    return Chunk(nodes, start + limit if start + limit < total else None, total)


def node(value: Any, pointer: str, *, keys: MaskedKeys, revealed: frozenset[str] = frozenset()) -> Node:
    """The node at `pointer`; raises PointerError."""
    found = resolve(value, pointer)
    steps = list(_steps(pointer))
    if _is_masked(pointer, keys) and _is_revealed(pointer, revealed) and isinstance(found, dict | list):
        return Node(steps[-1], pointer, "string", json.dumps(_plain_numbers(found), ensure_ascii=False))
    return _node(steps[-1] if steps else "", found, pointer, keys, revealed, frozenset())


def full_string(value: Any, pointer: str, keys: MaskedKeys) -> str:
    """A string that was cut, whole; raises PointerError, also where it is masked."""
    text = resolve(value, pointer)
    if not isinstance(text, str) or _is_masked(pointer, keys):
        raise PointerError(f"{pointer[:200]} is no string to be shown")
    return _with_json_masked(text, keys)


def _node(
    key: str, value: Any, pointer: str, keys: MaskedKeys, revealed: frozenset[str], changed: frozenset[str]
) -> Node:
    kind = _kind(value)
    if kind != "null" and value != "" and _is_masked(pointer, keys) and not _is_revealed(pointer, revealed):
        return Node(key, pointer, "masked", MASK)
    if kind in ("object", "array"):
        is_below = any(place.startswith(pointer + "/") for place in changed)
        return Node(key, pointer, kind, size=len(value), is_changed=pointer in changed, has_changes_below=is_below)
    text = {"boolean": str(value).lower(), "null": "null"}.get(kind) or str(value)
    if kind == "string" and not _is_revealed(pointer, revealed):
        text = _with_json_masked(text, keys)
    return Node(key, pointer, kind, text[:CUT], len(text) > CUT, len(text), is_changed=pointer in changed)


def _with_json_masked(text: str, keys: MaskedKeys) -> str:
    return mask_json(text, keys) if text[:1] in ("{", "[") else text


def _is_masked(pointer: str, keys: MaskedKeys) -> bool:
    """A key of the way matches; a key of `diff` is a pointer itself, which the words are looked for in as well."""
    return any(keys.matches_pointer(step) for step in _steps(pointer))


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


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value
