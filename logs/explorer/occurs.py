"""Whether a term occurs in an event or a response. It agrees with the index: values count, not keys, and masked ones never."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .. import objectid
from ..payloads.masking import MaskedKeys
from ..payloads.tokens import folded, query_tokens, searched_texts
from ..search import SHORTEST_BEGINNING
from .terms import Path, Word


def occurs(term: Word | Path, event: Any, response: str, keys: MaskedKeys) -> bool:
    """`event`: parsed, None where there is none. `response`: masked already."""
    if isinstance(term, Path):
        values = list(_at(event, term.steps, keys))
    else:
        values = [response] if term.only_response else [response, event]
    if term.is_phrase:
        texts = (text for value in values for text in searched_texts(value, keys))
        return any(_may_hold(text, term.tokens) and _follow(_words(text), term.tokens) for text in texts)
    return any(_holds_all(" ".join(searched_texts(value, keys)), term.tokens) for value in values)


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


def _words(text: str) -> list[str]:
    """The words in their order; single letters are in no index."""
    return [word for word in query_tokens(text) if len(word) > 1 or word.isdigit()]


def _may_hold(text: str, tokens: Sequence[str]) -> bool:
    """Megabytes are looked through far quicker than cut into words."""
    plain = folded(text)
    return all(token in plain for token in tokens)


def _holds_all(text: str, tokens: Sequence[str]) -> bool:
    if not _may_hold(text, tokens):
        return False
    words = set(_words(text))
    return all(any(_is_word(word, token) for word in words) for token in tokens)


def _follow(words: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether the tokens stand in the words one after the other."""
    last = len(words) - len(tokens)
    return any(
        all(_is_word(words[start + index], token) for index, token in enumerate(tokens)) for start in range(last + 1)
    )


def _is_word(word: str, token: str) -> bool:
    """As `search.tsquery` asks: three letters are enough of a word; of an id it takes them all."""
    return word == token or (SHORTEST_BEGINNING <= len(token) < objectid.LENGTH and word.startswith(token))
