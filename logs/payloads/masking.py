"""Masks the values under secret-looking keys wherever stored data is shown. Sent data is never masked.

Pure functions; everything but the masked values stays the same, byte for byte.

An installation masks the built-in list of keys and those of the setting MASKED_KEYS.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from django.conf import settings

from .escapes import quote_json

MASK = "••••••••"
DEFAULT_MASKED_KEYS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "contraseña",
    "token",
    "jwt",
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

# These may follow a masked word without a word break: passwords, token2, secretkey. But secretaria is another word.
_ENDINGS = r"(?:s|es|[0-9]+|hash|salt|digest|key|value|text|confirm|confirmation|old|new)?(?![^ /])"
# A key with such a prefix is a yes/no question, and has no secret: needPasswordChange, has_token. The match ends with the path
# step.
_ASKS_WHETHER = re.compile(r"(^|/)(?:is|has|needs?|must|should|can|requires?) [^/]*")
_BREAK_OF_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BREAK_OF_STEPS = re.compile(r"[./]+")
_NOT_ALPHANUMERIC = re.compile(r"(?:~[01]|[\W_])+")  # with the escapes of JSON Pointers, which are keys in a diff
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)
# A name is matched only from its start: a million letters in a row must not cost a million attempts to match.
_NAME = re.compile(
    r"""(?<![\w.%-])(?P<name>[\w.%-]++)[\\"'\]]{0,20}\s{0,20}(?P<sign>=>?|:)\s{0,20}(?:(?:Bearer|Basic)\s{1,20})?""",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""(?P<quote>\\*(?:"|'))(?:(?<=")(?:[^"\\]|\\.)*+"?|(?<=')(?:[^'\\]|\\.)*+'?)""", re.DOTALL)
_BARE = re.compile(r"""[^\s&"'<>]*[^\s&"'<>,;})\]]""")
_REST_OF_LINE = re.compile(r"[^\r\n]+")
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)(\s+)[\w.~+/=-]{4,}", re.IGNORECASE)


class MaskedKeys:
    """The words that make a key secret. Hashable; equal if the words are equal."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(filter(None, (_plain(word) for word in words)))
        self._letters = re.compile("|".join(map(re.escape, self.words)) or "(?!)")
        self._word = re.compile(f"(?:{'|'.join('[ /]?'.join(map(re.escape, word)) for word in self.words)}){_ENDINGS}")
        self.matches = lru_cache(maxsize=4096)(self._matches)

    def _matches(self, key: str) -> bool:
        """Whether the key has a masked word, in any spelling (accessToken, access_token, X-Access-Token, accesstoken).

        It must end where a word of the key ends: secretaria doesn't match. Nor does a yes/no question: needPasswordChange.
        """
        if not self._letters.search(_plain(key)):  # most keys
            return False
        return bool(self._word.search(_ASKS_WHETHER.sub(r"\1", _words(key))))

    def matches_pointer(self, pointer: str) -> bool:
        """Whether a key of a diff, a JSON Pointer, contains a masked word, in one step or across steps (/api/key).

        It uses the rule of `matches`, so that the changes hide the same values as masked JSON.
        """
        return self.matches(pointer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaskedKeys) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)


def _plain(key: str) -> str:
    if key.isascii() and key.isalnum():  # most keys; an event may have 100,000 of them
        return key.lower()
    return _NOT_ALPHANUMERIC.sub("", unicodedata.normalize("NFKD", key)).lower()


def _words(key: str) -> str:
    """The key in lower case and without accents, with a blank between words and a slash between the steps of a path."""
    text = "".join(letter for letter in unicodedata.normalize("NFKD", key) if not unicodedata.combining(letter))
    steps = _BREAK_OF_STEPS.split(_BREAK_OF_WORDS.sub(" ", text))
    return "/".join(_NOT_ALPHANUMERIC.sub(" ", step).strip() for step in steps).lower()


def is_under_masked_key(pointer: str, keys: MaskedKeys) -> bool:
    """Whether a key on the path of `pointer`, a JSON Pointer into a payload, is masked."""
    return any(keys.matches(step) for step in pointer.split("/"))


def mask_json(text: str, keys: MaskedKeys) -> str:
    """The JSON text with every value under a masked key replaced; null and "" stay, because they reveal nothing.

    A string that contains JSON is masked inside.
    """
    return mask_json_prefix(text, keys, len(text))


def mask_json_prefix(text: str, keys: MaskedKeys, length: int) -> str:
    """The beginning of the masked text: the first `length` characters, masked. The text itself must be complete.

    Masking a text that was already cut isn't the same: a string with JSON that is cut in two isn't recognised as JSON.
    """
    pieces: list[str] = []
    done = 0
    for start, end, replacement in _masked_places(text, keys, length):
        pieces += (text[done:start], replacement)
        done = end
    return "".join([*pieces, text[done:length]])


def _masked_places(text: str, keys: MaskedKeys, length: int) -> Iterator[tuple[int, int, str]]:
    """Replacements for the masked values that start before `length`, in order: start, end, new text."""
    masked = json.dumps(MASK, ensure_ascii=False)
    key = last = ""
    secret_from, depth = -1, 0  # where a masked value starts, and the brackets open inside it
    for match in _TOKEN.finditer(text):
        token = match[0]
        if secret_from < 0 and match.start() >= length:
            return
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
        elif token[0] == '"' and "\\" in token:
            inside = _decoded(token)
            if inside is not None and (hidden := mask_embedded_json(inside, keys)) != inside:
                yield match.start(), match.end(), quote_json(hidden)
        last = token
    if secret_from >= 0:  # a text that was cut off
        yield secret_from, len(text), masked


def mask_embedded_json(text: str, keys: MaskedKeys) -> str:
    """The value of a string; masked if it is an object or an array as JSON."""
    return mask_json(text, keys) if _begins_as_json(text) else text


def _begins_as_json(text: str) -> bool:
    return text.lstrip().removeprefix("\ufeff").lstrip()[:1] in ("{", "[")


def _unquoted(token: str) -> str:
    decoded = _decoded(token) if "\\" in token else None
    return token[1:-1] if decoded is None else decoded


def _decoded(token: str) -> str | None:
    """None if the string is cut off or broken: looking into it anyway would recurse without end."""
    try:
        return json.loads(token)
    except ValueError:
        return None


def mask_text(text: str, keys: MaskedKeys) -> str:
    """Mask a receiver's response: JSON, a form, or plain text. It finds `key=value`, `key: value` and credentials in any text."""
    if not text:
        return text
    is_whole = _begins_as_json(text) and _is_json(text)  # neither plain text nor JSON that was cut off
    return _mask_credentials(mask_json(text, keys)) if is_whole else mask_text_deep(text, keys)


def mask_text_deep(text: str, keys: MaskedKeys) -> str:
    """Like `mask_text`, but `key=value` is also found in the strings of JSON."""
    return _mask_credentials(_mask_fragments(mask_embedded_json(text, keys), keys))


def _mask_credentials(text: str) -> str:
    return _CREDENTIALS.sub(lambda match: f"{match[1]}{match[2]}{MASK}", text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _mask_fragments(text: str, keys: MaskedKeys) -> str:
    pieces: list[str] = []
    done = place = 0
    while match := _NAME.search(text, place):
        place = match.end()
        if not keys.matches(unquote_plus(match["name"])):
            continue  # the next name may start right here: error: password=x
        end, shown = _fragment_value(text, match)
        pieces += (text[done:place], shown)
        done = place = end
    return "".join([*pieces, text[done:]])


def _fragment_value(text: str, name: re.Match[str]) -> tuple[int, str]:
    """The offset at which the value after a masked name ends, and the text to show instead."""
    start = name.end()
    if quoted := _QUOTED.match(text, start):
        is_empty = quoted[0] == quoted["quote"] * 2
        return quoted.end(), quoted[0] if is_empty else f"{quoted['quote']}{MASK}{quoted['quote']}"
    if text[start : start + 1] in ("{", "["):
        return _bracket_end(text, start), MASK
    is_header = name["sign"] == ":" and name["name"].lower() in ALWAYS_MASKED_HEADERS
    bare = (_REST_OF_LINE if is_header else _BARE).match(text, start)
    if bare is None:
        return start, ""
    return bare.end(), "null" if bare[0] == "null" else MASK


def _bracket_end(text: str, start: int) -> int:
    depth = 0
    for match in _TOKEN.finditer(text, start):
        depth += (match[0] in ("{", "[")) - (match[0] in ("}", "]"))
        if depth == 0:
            return match.end()
    return len(text)


def mask_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]], keys: MaskedKeys) -> list[tuple[str, str]]:
    """The headers in order. A value is masked as a whole if its name is secret, otherwise like any text."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [
        (name, MASK if name.lower() in ALWAYS_MASKED_HEADERS or keys.matches(name) else mask_text(value, keys))
        for name, value in pairs
    ]


# The secret of an inbound endpoint: 256 bits in base64. Cotalker posts to that URL once cotadmin delivers, so it's also the URL
# in Cotalker's subscription.
_INBOUND_SECRET = re.compile(r"(?<=/in/)[\w-]{43}$")
_URL = re.compile(
    r"(?P<scheme>[^/?#]*//)?(?P<host>(?(scheme)[^/?#]*))(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>\#.*)?",
    re.DOTALL,
)


def mask_url(url: str, keys: MaskedKeys) -> str:
    """Mask the password, the secret of an inbound endpoint, and the values of masked names in the query and the fragment.

    The rest stays the same, byte for byte: people compare it with what was configured and what was sent.
    """
    parts = _URL.fullmatch(url)
    assert parts is not None  # each part may be empty, and together they take any text
    host = parts["host"]
    if "@" in host:
        user, _at, place = host.rpartition("@")
        host = f"{user.split(':')[0]}:{MASK}@{place}" if ":" in user else host
    query, fragment = (_mask_query(parts[name] or "", keys) for name in ("query", "fragment"))
    return "".join([parts["scheme"] or "", host, _INBOUND_SECRET.sub(MASK, parts["path"]), query, fragment])


def _mask_query(query: str, keys: MaskedKeys) -> str:
    """`query` starts with `?` or `#`, or is empty."""
    return query[:1] + "&".join(_mask_pair(pair, keys) for pair in query[1:].split("&"))


def _mask_pair(pair: str, keys: MaskedKeys) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={MASK}" if equals and value and keys.matches(unquote_plus(name)) else pair


def masked_keys() -> MaskedKeys:
    return _masked_keys(tuple(settings.MASKED_KEYS))


@lru_cache(maxsize=8)
def _masked_keys(more: tuple[str, ...]) -> MaskedKeys:
    return MaskedKeys([*DEFAULT_MASKED_KEYS, *more])
