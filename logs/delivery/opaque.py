"""Takes out of a text what machines make up: request ids, trace ids, hashes, keys. Each would make a failure one of its kind.

A token is taken out where its name tells ("requestId":"…"), or by its letters: such tokens change between capitals, small
letters and digits all the time, which words, also BigOnesLikeThis, do more rarely. A pure function.
"""

from __future__ import annotations

import re

_NAMES = "id|uuid|guid|trace|span|ref|reference|nonce|ticket|incident|hash|ray"
_CAMEL_NAMES = "I[dD]|[UG]?UID|[UG]uid|Trace|Span|Ref|Reference|Hash"
_NAMED = re.compile(
    rf"""(?P<name>(?:(?<![A-Za-z])(?i:{_NAMES})|(?<=[a-z])(?:{_CAMEL_NAMES}))(?![A-Za-z])["']?)"""
    r"""(?P<sign>\s?[:=#]\s?|\s)(?P<quote>["']?)(?P<token>[A-Za-z0-9+/_-][A-Za-z0-9+/_.=-]{3,})"""
)
_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}=*")  # base64, in both alphabets, and ids with dashes
_PIECE = re.compile(r"[A-Za-z0-9]{6,}")
_CHUNK = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_NUMBERED = re.compile(r"([A-Za-z]+)[0-9]{3,}")
# Log4, AES, 10000ms, oauth2client; numbers have a rule of their own.
_WORD = re.compile(
    r"[A-Za-z]+[0-9]{0,2}|[0-9]+(?:ms|s|m|h|d|k|b|kb|mb|gb|px)?|[A-Za-z]{3,}[0-9][A-Za-z]{3,}", re.IGNORECASE
)
_HEX = re.compile(r"(?=[a-f]*[0-9])[0-9a-f]{8,}", re.IGNORECASE)


def without_opaque(text: str) -> str:
    """`{id}` for each opaque token; `order{n}` for a word with a number of three digits or more behind it."""
    text = _NAMED.sub(_of_named, text)
    text = _RUN.sub(lambda run: "{id}" if _mean_chunk(run[0]) < 2.6 else run[0], text)
    return _PIECE.sub(lambda piece: _of_piece(piece[0]), text)


def _of_named(found: re.Match[str]) -> str:
    """No number, and no word; without a colon the name may mean something else, and only a digit tells."""
    token = found["token"]
    is_clear = not found["sign"].isspace() and (token.isupper() or _mean_chunk(token) < 3.2)
    if token.isdigit() or not (is_clear or any(map(str.isdigit, token))):
        return found[0]
    return f"{found['name']}{found['sign']}{found['quote']}{{id}}"


def _mean_chunk(token: str) -> float:
    """How many letters or digits of one sort follow each other, on average."""
    chunks = _CHUNK.findall(token)
    return sum(map(len, chunks)) / max(len(chunks), 1)


def _of_piece(token: str) -> str:
    if (mean := _mean_chunk(token)) < 3.2 and (len(token) >= 16 or (len(token) >= 12 and mean < 2.6)):
        return "{id}"
    if _HEX.fullmatch(token) and not token.isdigit():
        return "{id}"
    if numbered := _NUMBERED.fullmatch(token):
        return f"{numbered[1]}{{n}}"
    if _WORD.fullmatch(token):
        return token
    return "{id}" if len(token) >= 8 or len(_CHUNK.findall(token)) >= 5 else token
