"""The words by which an event or a response is found. Accents are folded, case does not count, masked values are left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec

from .escapes import with_placeholders
from .masking import MASK, MaskedKeys, mask_embedded_json, mask_text_deep

MAX_TOKEN_LENGTH = 64
MAX_ENCODING_DEPTH = 5  # an address in the query of an address in the query of an address; JSON in JSON in JSON

_WORD = re.compile(r"[^\W_]+")
_HAS_OBJECTID = re.compile("[0-9a-f]{24}", re.IGNORECASE)
_decoder = msgspec.json.Decoder(float_hook=str)
_ESCAPE = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>[nrtbf\"\\/]))")
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " ", '"': '"', "\\": "\\", "/": "/"}
_LATIN_ACCENTS = re.compile("[\u0300-\u034e\u0350-\u036f]+")


def search_tokens(value: Any, keys: MaskedKeys) -> list[str]:
    """The distinct words of all values of a parsed JSON value, or of a text; of keys, only of those that hold an ObjectId."""
    return list(dict.fromkeys(index_tokens(words_of(" ".join(indexable_texts(value, keys))))))


def index_tokens(words: Iterable[str]) -> list[str]:
    """What an index has of the words: no single letters, and of long ones the beginning."""
    return [word[:MAX_TOKEN_LENGTH] for word in words if len(word) > 1 or word.isdigit()]


def words_of(text: str) -> list[str]:
    """All words of a text in their order, whole; single letters, too."""
    return _WORD.findall(fold_accents(text))


def parse_keeping_numbers(text: str) -> Any:
    """The parsed JSON text, its fractions as texts: who looks for 1.50 has seen 1.50. Raises msgspec.DecodeError."""
    return _decoder.decode(with_placeholders(text))


def indexable_texts(value: Any, keys: MaskedKeys) -> list[str]:
    """The texts of which words are made. Of what is encoded, as in a URL or as JSON in a string, what it says, too."""
    texts: list[str] = []
    _collect(value, keys, texts)
    return texts


def fold_accents(text: str) -> str:
    """The text without case and accents, as words are compared."""
    if text.isascii():
        return text.lower()
    plain = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    if plain.isascii():  # which spares Latin scripts the look at each letter
        return plain
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _collect(value: Any, keys: MaskedKeys, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.extend(_readings(value, keys))
    elif isinstance(value, dict):
        for key, item in value.items():
            if len(key) >= 24 and _HAS_OBJECTID.search(key):
                texts.append(key)
            if not keys.matches(key):
                _collect(item, keys, texts)
    elif isinstance(value, list):
        for item in value:
            _collect(item, keys, texts)
    elif value is None:
        texts.append("null")
    else:
        texts.append(str(value))


def _readings(text: str, keys: MaskedKeys) -> list[str]:
    """The text as it stands, and what it says: %2F in an address, \\n and \\u00e1 in JSON. Where that has something to hide, the
    text itself is left out.
    """
    shown = mask_embedded_json(text, keys)
    if "%" not in shown and "\\" not in shown:
        return [shown]
    said = shown
    found: list[str] = []
    for _time in range(MAX_ENCODING_DEPTH):
        if (decoded := _ESCAPE.sub(_unescaped, unquote(said))) == said:
            break
        said = mask_text_deep(decoded, keys)
        found.append(said)
    hides = said.count(MASK) > shown.count(MASK)
    return [said] if hides else [shown, *found]


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape["code"], 16)) if escape["code"] else _ESCAPED[escape["letter"]]
