"""Whether a term occurs in an event or a response. It agrees with the index: values count, not keys, and masked ones never."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from ..db.search_vectors import is_beginning
from ..payloads.masking import MaskedKeys
from ..payloads.tokens import folded, searched_texts
from .terms import Path, Word, Wording

_LETTER = r"[^\W_]"
_BETWEEN_WORDS = r"[\W_]+"


def occurs(term: Word | Path, event: Any, response: str, keys: MaskedKeys) -> bool:
    """`event`: parsed, None where there is none. `response`: masked already."""
    if isinstance(term, Path):
        values = list(_at(event, term.steps, keys))
    else:
        values = [response] if term.only_response or event is None else [response, event]
    texts = (text for value in values for text in searched_texts(value, keys))
    pattern = _pattern(term.text if term.is_quoted else "", term.tokens)
    return any(_holds(folded(text), term, pattern) for text in texts)


def _holds(plain: str, term: Wording, pattern: re.Pattern[str]) -> bool:
    """Megabytes are looked through far quicker for a text than for a pattern."""
    return all(token in plain for token in term.tokens) and bool(pattern.search(plain))


@lru_cache(maxsize=256)
def _pattern(quoted: str, tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Of folded texts. `quoted`: what stands there, white space being anything between words; "" for the words alone."""
    if quoted:
        parts = re.split(rf"({_LETTER}+)", folded(quoted).strip())
        written = "".join(_between(part) if number % 2 == 0 else part for number, part in enumerate(parts))
        return re.compile((_START if not parts[0] else "") + written + (_END if not parts[-1] else ""))
    return re.compile(_START + _BETWEEN_WORDS.join(tokens) + ("" if is_beginning(tokens[-1]) else _END))


_START, _END = rf"(?<!{_LETTER})", rf"(?!{_LETTER})"


def _between(part: str) -> str:
    """What stands between two words, or around them."""
    if part.isspace():
        return _BETWEEN_WORDS
    return r"\s+".join(map(re.escape, re.split(r"\s+", part)))


def _at(value: Any, steps: Sequence[str], keys: MaskedKeys) -> Iterator[Any]:
    """The values at a place; where a step is no index of an array it leads into all of its elements."""
    if not steps:
        yield value
    elif isinstance(value, list):
        step = steps[0]
        if step.isascii() and step.isdigit():
            if int(step) < len(value):
                yield from _at(value[int(step)], steps[1:], keys)
        else:
            for one in value:
                yield from _at(one, steps, keys)
    elif isinstance(value, dict):
        for key, rest in _keys(steps):
            if key in value and not keys.matches(key):
                yield from _at(value[key], rest, keys)


def _keys(steps: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """The key that is meant, and the steps behind it. The keys of Cotalker's diffs are pointers: /name, /profile/phone."""
    yield steps[0], steps[1:]
    for number in range(1, len(steps) + 1):
        yield "/" + "/".join(steps[:number]), steps[number:]
