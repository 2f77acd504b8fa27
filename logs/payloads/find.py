"""Finds a text in the keys and values of one payload.

Case and accents don't count; masked values are never searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from .exact_json import to_json
from .json_tree import PointerError, pointer_to, resolve_pointer
from .masking import MASK, MaskedKeys, is_under_masked_key, mask_embedded_json
from .tokens import fold_accents

MAX_HITS = 100
EXCERPT_LENGTH = 40  # characters shown on each side of a match
_CONTAINERS = (dict, list)
_WORDS = f"true false null {MASK}"  # texts on the screen that aren't strings in the payload

_folded_key = lru_cache(maxsize=4096)(fold_accents)  # an event has few distinct keys, each many times


@dataclass(frozen=True, slots=True)
class Hit:
    """`match`: the match in the value, `before` and `after`: the text around it. All are "" if only the key matches."""

    pointer: str
    before: str = ""
    match: str = ""
    after: str = ""

    @property
    def excerpt(self) -> str:
        return self.before + self.match + self.after


@dataclass(frozen=True, slots=True)
class FindResult:
    """`is_more`: there are more hits than these."""

    hits: list[Hit]
    is_more: bool

    def around(self, pointer: str) -> tuple[int, Hit | None, Hit | None]:
        """The number of the hit at `pointer`, from 1, and the hits before and after it.

        If there is no hit at `pointer`: 0, None and the first hit.
        """
        number = next((number for number, hit in enumerate(self.hits, 1) if hit.pointer == pointer), 0)
        before = self.hits[number - 2] if number > 1 else None
        return number, before, self.hits[number] if number < len(self.hits) else None


def find_in_payload(event: Any, needle: str, keys: MaskedKeys, limit: int = MAX_HITS) -> FindResult:
    """The first `limit` nodes of a parsed event (see exact_json.parse_json) with `needle` in their key or value.

    If `needle` is itself a pointer to a node, that node is the first hit.
    """
    folded_needle = fold_accents(needle)
    hits = [Hit(needle)] if _is_place(event, needle, keys) else []
    hits += islice(_hits_in(event, "", folded_needle, keys), limit + 1) if folded_needle else []
    return FindResult(hits[:limit], len(hits) > limit)


def _is_place(event: Any, pointer: str, keys: MaskedKeys) -> bool:
    if not pointer.startswith("/") or is_under_masked_key(pointer, keys):
        return False
    try:
        resolve_pointer(event, pointer)
    except PointerError:
        return False
    return True


def _hits_in(container: dict | list, pointer: str, folded_needle: str, keys: MaskedKeys) -> Iterator[Hit]:
    is_object = isinstance(container, dict)
    may_hold = _may_hold(container, folded_needle)
    for step, item in container.items() if isinstance(container, dict) else enumerate(container):
        is_container = isinstance(item, _CONTAINERS)
        if not (may_hold or is_container):
            continue
        key = step if is_object else ""  # the number of an array item isn't searched
        is_masked = keys.matches(key)
        text = "" if is_masked or is_container else _text(item, keys)
        if may_hold and (folded_needle in fold_accents(text) or folded_needle in _folded_key(key)):
            yield Hit(pointer_to(pointer, step), *_excerpt(text, folded_needle))
        if is_container and not is_masked:
            yield from _hits_in(item, pointer_to(pointer, step), folded_needle, keys)


def _may_hold(container: dict | list, folded_needle: str) -> bool:
    """Whether the children are worth a closer look: searching all texts at once is far quicker than one by one."""
    texts = [*container, *container.values()] if isinstance(container, dict) else container
    strings = "\n".join([text for text in texts if isinstance(text, str)])
    return folded_needle in _WORDS or folded_needle in fold_accents(strings)


def _text(value: Any, keys: MaskedKeys) -> str:
    """The text shown for a scalar."""
    return mask_embedded_json(value, keys) if isinstance(value, str) else to_json(value)


def _excerpt(text: str, folded_needle: str) -> tuple[str, str, str]:
    comparable = fold_accents(text)
    start = comparable.find(folded_needle)
    if start < 0:
        return text[: 2 * EXCERPT_LENGTH] + ("…" if len(text) > 2 * EXCERPT_LENGTH else ""), "", ""
    if len(comparable) != len(text):  # folding changed the length: ﬁ becomes fi
        text = comparable
    end = start + len(folded_needle)
    first, last = max(start - EXCERPT_LENGTH, 0), end + EXCERPT_LENGTH
    before = f"{'…' if first else ''}{text[first:start]}"
    return before, text[start:end], f"{text[end:last]}{'…' if last < len(text) else ''}"
