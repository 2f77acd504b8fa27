"""Finding in one payload: which keys and values hold a text.

Case and accents do not count; masked values are never looked into.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from .json_tree import PointerError, pointer_to, resolve_pointer, to_json
from .masking import MASK, MaskedKeys, is_under_masked_key, mask_embedded_json
from .tokens import fold_accents

MAX_HITS = 100
EXCERPT_LENGTH = 40  # characters that are shown on each side of what was found
_CONTAINERS = (dict, list)
_WORDS = f"true false null {MASK}"  # what stands on the screen without being a text in the payload

_folded_key = lru_cache(maxsize=4096)(fold_accents)  # an event has few keys, and each of them many times


@dataclass(frozen=True, slots=True)
class Hit:
    """`match`: what was found in the value, between what is around it; all are "" where only the key holds it."""

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
        """Which hit the place is, counted from 1, and those before and after it; 0 and the first hit where it is none."""
        number = next((number for number, hit in enumerate(self.hits, 1) if hit.pointer == pointer), 0)
        before = self.hits[number - 2] if number > 1 else None
        return number, before, self.hits[number] if number < len(self.hits) else None


def find_in_payload(event: Any, needle: str, keys: MaskedKeys, limit: int = MAX_HITS) -> FindResult:
    """The first `limit` places of a parsed event (see tree.parse) that have `needle` in their key or their value.

    Before them goes the place itself that it is the pointer of.
    """
    wanted = fold_accents(needle)
    hits = [Hit(needle)] if _is_place(event, needle, keys) else []
    hits += islice(_hits_in(event, "", wanted, keys), limit + 1) if wanted else []
    return FindResult(hits[:limit], len(hits) > limit)


def _is_place(event: Any, pointer: str, keys: MaskedKeys) -> bool:
    if not pointer.startswith("/") or is_under_masked_key(pointer, keys):
        return False
    try:
        resolve_pointer(event, pointer)
    except PointerError:
        return False
    return True


def _hits_in(container: dict | list, pointer: str, wanted: str, keys: MaskedKeys) -> Iterator[Hit]:
    is_object = isinstance(container, dict)
    may_hold = _may_hold(container, wanted)
    for step, item in container.items() if isinstance(container, dict) else enumerate(container):
        is_container = isinstance(item, _CONTAINERS)
        if not (may_hold or is_container):
            continue
        key = step if is_object else ""  # the number of an item is no key to be found
        is_masked = keys.matches(key)
        text = "" if is_masked or is_container else _text(item, keys)
        if may_hold and (wanted in fold_accents(text) or wanted in _folded_key(key)):
            yield Hit(pointer_to(pointer, step), *_excerpt(text, wanted))
        if is_container and not is_masked:
            yield from _hits_in(item, pointer_to(pointer, step), wanted, keys)


def _may_hold(container: dict | list, wanted: str) -> bool:
    """Whether a close look at the children is worth while: all texts at once are looked through far quicker than each."""
    texts = [*container, *container.values()] if isinstance(container, dict) else container
    return wanted in _WORDS or wanted in fold_accents("\n".join([text for text in texts if isinstance(text, str)]))


def _text(value: Any, keys: MaskedKeys) -> str:
    """What is shown of a scalar."""
    return mask_embedded_json(value, keys) if isinstance(value, str) else to_json(value)


def _excerpt(text: str, wanted: str) -> tuple[str, str, str]:
    comparable = fold_accents(text)
    start = comparable.find(wanted)
    if start < 0:
        return text[: 2 * EXCERPT_LENGTH] + ("…" if len(text) > 2 * EXCERPT_LENGTH else ""), "", ""
    if len(comparable) != len(text):  # folding made another text of it: ﬁ becomes fi
        text = comparable
    end = start + len(wanted)
    first, last = max(start - EXCERPT_LENGTH, 0), end + EXCERPT_LENGTH
    before = f"{'…' if first else ''}{text[first:start]}"
    return before, text[start:end], f"{text[end:last]}{'…' if last < len(text) else ''}"
