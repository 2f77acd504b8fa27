"""A payload as a tree that people open node by node, a chunk of children at a time.

Long strings are cut, and masked values are never included. Nodes are identified by JSON Pointers (RFC 6901). Numbers stay as they
were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .exact_json import RawNumber, to_json
from .masking import MASK, MaskedKeys, is_under_masked_key, mask_embedded_json, mask_json

CHILDREN_PER_CHUNK = 100
MAX_STRING_SHOWN = 500
MAX_CHUNK_LENGTH = 23_000  # characters on the page after which a chunk ends: it must stay below 30 KB
OPENED_LEVELS = 12  # deeper nodes open on a page of their own
SIBLINGS_BEFORE = 5  # siblings shown above the requested node
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901 allows no leading zeros


class PointerError(LookupError):
    """The pointer leads nowhere in this payload; the message says at which step."""


@dataclass(frozen=True, slots=True)
class Node:
    """`text`: what is shown of a scalar, cut at 500 characters unless it was revealed. `size`: the number of children.

    `inside`: some of the children, if the node is open.
    """

    key: str
    pointer: str
    kind: str  # object, array, string, number, boolean, null, masked
    text: str = ""
    is_cut: bool = False
    length: int = 0
    size: int = 0
    is_changed: bool = False
    has_changes_below: bool = False
    inside: Chunk | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of the `total` children of a node. `start`: the number of the first one."""

    nodes: list[Node]
    start: int
    total: int

    @property
    def next_start(self) -> int | None:
        """None if these are the last."""
        end = self.start + len(self.nodes)
        return end if end < self.total else None


def pointer_to(parent: str, key: str | int) -> str:
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def resolve_pointer(value: Any, pointer: str) -> Any:
    """The value at the pointer; raises PointerError."""
    for step in _steps(pointer):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            raise PointerError(f"{pointer[:200]} has no {step[:100]!r}")
    return value


def child_chunk(
    value: Any,
    pointer: str,
    *,
    keys: MaskedKeys,
    revealed: frozenset[str] = frozenset(),
    changed: frozenset[str] = frozenset(),
    start: int = 0,
    before: int | None = None,
) -> Chunk:
    """Children of the container at `pointer`: from number `start` on, or with `before`, the last ones below that number.

    At most 100, and fewer if they are long; nothing below a masked key. Raises PointerError.
    """
    if is_under_masked_key(pointer, keys) and not _is_revealed(pointer, revealed):
        raise PointerError(f"{pointer[:200]} is masked")
    container = resolve_pointer(value, pointer)
    if not isinstance(container, dict | list):
        raise PointerError(f"{pointer[:200]} has no children")
    names = list(container) if isinstance(container, dict) else range(len(container))
    end = len(names) if before is None else min(before, len(names))
    numbers = (
        range(start, min(start + CHILDREN_PER_CHUNK, end))
        if before is None
        else range(end - 1, max(end - CHILDREN_PER_CHUNK, 0) - 1, -1)
    )
    touched = _below(pointer, changed)
    nodes: list[Node] = []
    length = 0
    for number in numbers:
        name = names[number]
        child = _node(str(name), container[name], pointer_to(pointer, name), keys, revealed, touched)
        length += _length_on_page(child)
        if nodes and length > MAX_CHUNK_LENGTH:
            break
        nodes.append(child)
    if before is None:
        return Chunk(nodes, start, len(names))
    return Chunk(nodes[::-1], end - len(nodes), len(names))


def _length_on_page(child: Node) -> int:
    """About how many characters the markup of a node has: its text, and the pointers in its actions."""
    return 550 + 4 * len(child.pointer) if child.size else 200 + len(child.pointer) + 2 * len(child.text)


def expanded(value: Any, at: str = "", pointer: str = "", *, keys: MaskedKeys, **options: Any) -> Chunk:
    """The children at `pointer`, with `data` and all nodes down to the pointer `at` open. If `at` doesn't exist, fewer are open.

    `options`: `revealed` and `changed`, as for `child_chunk`.
    """
    start = 0
    if at.startswith(f"{pointer}/"):
        start = max(
            0, _number_of(resolve_pointer(value, pointer), at[len(pointer) + 1 :].partition("/")[0]) - SIBLINGS_BEFORE
        )
    chunk = child_chunk(value, pointer, keys=keys, start=start, **options)
    nodes = [
        replace(child, inside=expanded(value, at, child.pointer, keys=keys, **options))
        if _is_opened(child, at)
        else child
        for child in chunk.nodes
    ]
    return replace(chunk, nodes=nodes)


def _is_opened(child: Node, at: str) -> bool:
    is_on_the_way = f"{at}/".startswith(f"{child.pointer}/") and child.pointer.count("/") < OPENED_LEVELS
    return child.size > 0 and (child.pointer == "/data" or is_on_the_way)


def _number_of(container: dict | list, step: str) -> int:
    """The number of a child among its siblings, 0 if there is none with that name."""
    if isinstance(container, dict):
        name = _unescaped(step)
        return next((number for number, key in enumerate(container) if key == name), 0)
    return min(int(step), len(container) - 1) if _INDEX.fullmatch(step) else 0


def build_node(value: Any, pointer: str, *, keys: MaskedKeys, revealed: frozenset[str] = frozenset()) -> Node:
    """The node at `pointer`; raises PointerError."""
    target = resolve_pointer(value, pointer)
    steps = list(_steps(pointer))
    if is_under_masked_key(pointer, keys) and _is_revealed(pointer, revealed) and isinstance(target, dict | list):
        return Node(steps[-1], pointer, "string", to_json(target))
    return _node(steps[-1] if steps else "", target, pointer, keys, revealed, _Touched())


def value_text(value: Any, pointer: str, keys: MaskedKeys) -> str:
    """The value at the pointer, for copying: a string as it is, everything else as JSON, with masked values masked.

    Raises PointerError, also if the value is masked: not even the existence of nodes under a masked key is shown.
    """
    if is_under_masked_key(pointer, keys):
        raise PointerError(f"{pointer[:200]} is masked")
    target = resolve_pointer(value, pointer)
    return mask_embedded_json(target, keys) if _kind(target) == "string" else mask_json(to_json(target), keys)


def _node(key: str, value: Any, pointer: str, keys: MaskedKeys, revealed: frozenset[str], touched: _Touched) -> Node:
    kind, is_revealed = _kind(value), _is_revealed(pointer, revealed)
    if kind != "null" and value != "" and is_under_masked_key(pointer, keys) and not is_revealed:
        return Node(key, pointer, "masked", MASK)
    is_changed, is_below = pointer in touched.places, pointer in touched.ways
    if kind in ("object", "array"):
        return Node(key, pointer, kind, size=len(value), is_changed=is_changed, has_changes_below=is_below)
    text = value if is_revealed and kind == "string" else _text(value, keys)
    shown = text if is_revealed else text[:MAX_STRING_SHOWN]
    return Node(key, pointer, kind, shown, len(shown) < len(text), len(text), is_changed=is_changed)


def _text(value: Any, keys: MaskedKeys) -> str:
    """The text shown for a scalar; "" for a container."""
    if isinstance(value, dict | list):
        return ""
    return mask_embedded_json(value, keys) if _kind(value) == "string" else to_json(value)


@dataclass(frozen=True, slots=True)
class _Touched:
    """`places`: pointers to changes. `ways`: pointers to children with a change below them."""

    places: frozenset[str] = frozenset()
    ways: frozenset[str] = frozenset()


def _below(pointer: str, changed: frozenset[str]) -> _Touched:
    """Computed once for all children: a diff may have thousands of pointers."""
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
    return "number" if isinstance(value, RawNumber) else "string"


def _steps(pointer: str) -> Iterator[str]:
    if pointer and not pointer.startswith("/"):
        raise PointerError(f"{pointer[:200]!r} is not a JSON Pointer")
    for step in pointer.split("/")[1:]:
        yield _unescaped(step)


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
