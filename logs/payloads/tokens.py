"""The words by which search finds an event or a response. Accents are folded, case doesn't count, masked values are left out."""

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
MAX_ENCODING_DEPTH = 5  # a URL in the query of a URL in the query of a URL; JSON in JSON in JSON

_WORD = re.compile(r"[^\W_]+")
_HAS_OBJECTID = re.compile("[0-9a-f]{24}", re.IGNORECASE)
_decoder = msgspec.json.Decoder(float_hook=str)
_ESCAPE = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|(?P<letter>[nrtbf\"\\/]))")
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " ", '"': '"', "\\": "\\", "/": "/"}
_LATIN_ACCENTS = re.compile("[\u0300-\u034e\u0350-\u036f]+")


def search_tokens(value: Any, keys: MaskedKeys) -> list[str]:
    """The distinct words of a text, or of all values in a parsed JSON value. Keys count only if they contain an ObjectId."""
    return list(dict.fromkeys(index_tokens(words_of(" ".join(indexable_texts(value, keys))))))


def index_tokens(words: Iterable[str]) -> list[str]:
    """The words as an index stores them: without single letters, and long words cut."""
    return [word[:MAX_TOKEN_LENGTH] for word in words if len(word) > 1 or word.isdigit()]


def words_of(text: str) -> list[str]:
    """All words of a text in order, uncut, including single letters."""
    return _WORD.findall(fold_accents(text))


def parse_keeping_numbers(text: str) -> Any:
    """The parsed JSON text, with fractions as texts: people search for 1.50 as they saw it. Raises msgspec.DecodeError."""
    return _decoder.decode(with_placeholders(text))


def indexable_texts(value: Any, keys: MaskedKeys) -> list[str]:
    """The texts that words are taken from. Encoded texts, as in a URL or as JSON in a string, are also included decoded."""
    texts: list[str] = []
    _collect(value, keys, texts)
    return texts


def fold_accents(text: str) -> str:
    """The text without case and accents, for comparing words."""
    if text.isascii():
        return text.lower()
    plain = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    if plain.isascii():  # Latin scripts needn't check each letter
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
    """The text as it is, and decoded: %2F in a URL, \\n and \\u00e1 in JSON. If decoding uncovers more values to mask, the text
    itself is left out.
    """
    shown = mask_embedded_json(text, keys)
    if "%" not in shown and "\\" not in shown:
        return [shown]
    decoded_text = shown
    readings: list[str] = []
    for _time in range(MAX_ENCODING_DEPTH):
        if (decoded := _ESCAPE.sub(_unescaped, unquote(decoded_text))) == decoded_text:
            break
        decoded_text = mask_text_deep(decoded, keys)
        readings.append(decoded_text)
    hides = decoded_text.count(MASK) > shown.count(MASK)
    return [decoded_text] if hides else [shown, *readings]


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape["code"], 16)) if escape["code"] else _ESCAPED[escape["letter"]]
