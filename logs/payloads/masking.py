"""Masks the values under secret-looking keys wherever something stored is shown. What is sent is never masked.

Pure functions; everything but the masked values stays as it was, byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_plus, urlsplit, urlunsplit

MASK = "••••••••"
DEFAULT_MASKED_KEYS = (
    "password",
    "passwd",
    "passphrase",
    "contraseña",
    "token",
    "secret",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "cookie",
    "signature",
    "sessionid",
)
ALWAYS_MASKED_HEADERS = {"set-cookie", "cookie", "authorization", "proxy-authorization", "webhook-signature"}

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)
_FRAGMENT = re.compile(
    r"""(?P<key>[\w.-]{1,100})(?P<between>\\?["']?\s{0,5}[:=]\s{0,5})"""
    r"""(?P<value>\\?"(?:[^"\\]|\\.)*+\\?"?|'[^']*'?|[^\s,;&"'<>{}\[\]]++)"""
)
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)(\s+)[\w.~+/=-]{4,}", re.IGNORECASE)


class MaskedKeys:
    """The words that make a key secret. Hashable; equal where the words are."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(filter(None, (_plain(word) for word in words)))
        self.matches = lru_cache(maxsize=4096)(self._matches)

    def _matches(self, key: str) -> bool:
        """Whether the key, in any spelling (accessToken, access_token, X-Access-Token), contains a masked word."""
        plain = _plain(key)
        return any(word in plain for word in self.words)

    def matches_pointer(self, pointer: str) -> bool:
        """Whether any step of a JSON Pointer matches; diffs have pointers as keys."""
        return any(self.matches(step) for step in pointer.split("/") if step)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaskedKeys) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)


def _plain(key: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", key).lower()


def mask_json(text: str, keys: MaskedKeys) -> str:
    """The JSON text with every value under a masked key replaced; null and "" stay, for they tell nothing.

    A string that holds JSON itself is masked inside.
    """
    pieces: list[str] = []
    done = 0
    for start, end, replacement in _masked_places(text, keys):
        pieces += (text[done:start], replacement)
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _masked_places(text: str, keys: MaskedKeys) -> Iterator[tuple[int, int, str]]:
    """Where values have to be replaced, in order: start, end, and what comes there."""
    masked = json.dumps(MASK, ensure_ascii=False)
    key = last = ""
    secret_from, depth = -1, 0  # the place where a masked value began, and the brackets open inside it
    for match in _TOKEN.finditer(text):
        token = match[0]
        if secret_from >= 0:
            depth += (token in ("{", "[")) - (token in ("}", "]"))
            if depth == 0:
                yield secret_from, match.end(), masked
                secret_from = -1
        elif token == ":":
            key = last
        elif last == ":" and keys.matches(_unquoted(key)):
            if token in ("{", "["):
                secret_from, depth = match.start(), 1
            elif token not in ("null", '""'):
                yield match.start(), match.end(), masked
        elif token[0] == '"' and last != "" and _may_hold_json(token):
            inside = _unquoted(token)
            if (hidden := mask_json(inside, keys)) != inside:
                yield match.start(), match.end(), json.dumps(hidden, ensure_ascii=False)
        last = token
    if secret_from >= 0:  # a text that was cut off
        yield secret_from, len(text), masked


def _may_hold_json(token: str) -> bool:
    return token[1:100].lstrip()[:1] in ("{", "[") and '\\"' in token


def _unquoted(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        return json.loads(token)
    except ValueError:
        return token[1:-1]


def mask_text(text: str, keys: MaskedKeys) -> str:
    """A receiver's answer: JSON, a form, or words; `key=value`, `key: value` and credentials are found in any text."""
    if not text:
        return text
    if text.lstrip()[:1] in ("{", "["):
        text = mask_json(text, keys)
        if _is_json(text):
            return text  # else it is cut off, or no JSON after all: look for fragments
    text = _FRAGMENT.sub(lambda match: _mask_fragment(match, keys), text)
    return _CREDENTIALS.sub(lambda match: f"{match[1]}{match[2]}{MASK}", text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _mask_fragment(match: re.Match[str], keys: MaskedKeys) -> str:
    if not keys.matches(match["key"]):
        return match[0]
    value = match["value"]
    if value.lower() in ("bearer", "basic"):
        return match[0]  # the credentials behind it are masked next
    quote = re.match(r"\\?[\"']", value)
    shown = f"{quote[0]}{MASK}{quote[0]}" if quote else MASK
    return f"{match['key']}{match['between']}{shown}"


def mask_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]], keys: MaskedKeys) -> list[tuple[str, str]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [
        (name, MASK if name.lower() in ALWAYS_MASKED_HEADERS or keys.matches(name) else mask_text(value, keys))
        for name, value in pairs
    ]


def mask_url(url: str, keys: MaskedKeys) -> str:
    """The password and the values of masked names in the query are masked."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return mask_text(url, keys)
    host = parts.netloc
    if "@" in host:
        user, _at, place = host.rpartition("@")
        host = f"{user.split(':')[0]}:{MASK}@{place}" if ":" in user else host
    query = "&".join(_mask_query(pair, keys) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit(parts._replace(netloc=host, query=query))


def _mask_query(pair: str, keys: MaskedKeys) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={MASK}" if equals and value and keys.matches(unquote_plus(name)) else pair
