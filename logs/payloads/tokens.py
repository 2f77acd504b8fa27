"""The words by which an event or a response is found. Accents are folded, case does not count, masked values are left out."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

from .masking import MaskedKeys, mask_inside

WORD_LENGTH = 64
WORDS_LIMIT = 4000  # of one event; in UTF-8 they stay below the 1 MB that PostgreSQL takes

_WORD = re.compile(r"[^\W_]+")
_LATIN_ACCENTS = re.compile("[\u0300-\u034e\u0350-\u036f]+")


class Tokens(NamedTuple):
    """`is_capped`: there were more words than are kept."""

    words: list[str]
    is_capped: bool


def search_tokens(value: Any, keys: MaskedKeys) -> Tokens:
    """The distinct words of all values (not keys) of a parsed JSON value, or of a text."""
    texts: list[str] = []
    _collect(value, keys, texts)
    words = _words(" ".join(texts))
    found = list(dict.fromkeys(word[:WORD_LENGTH] for word in words if len(word) > 1 or word.isdigit()))
    return Tokens(found[:WORDS_LIMIT], len(found) > WORDS_LIMIT)


def query_tokens(query: str) -> list[str]:
    """The words of what a person looks for, by the same rule; a single letter is kept where there is nothing else."""
    words = [word[:WORD_LENGTH] for word in _words(query)]
    return [word for word in words if len(word) > 1 or word.isdigit()] or words


def _words(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def folded(text: str) -> str:
    """The text without case and accents, as words are compared."""
    if text.isascii():
        return text.lower()
    plain = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    if plain.isascii():  # which spares Latin scripts the look at each letter
        return plain
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _collect(value: Any, keys: MaskedKeys, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(mask_inside(value, keys))
    elif isinstance(value, dict):
        for key, item in value.items():
            if item and not keys.matches(key):
                _collect(item, keys, texts)
            elif item == 0 and item is not False and not keys.matches(key):
                texts.append("0")
    elif isinstance(value, list):
        for item in value:
            _collect(item, keys, texts)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        texts.append(str(value))
