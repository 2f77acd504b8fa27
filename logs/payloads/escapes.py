r"""Escapes that JSON allows and no text can hold: \u0000, and one half of a surrogate pair.

Stored and sent JSON keeps them unchanged. JSON that is parsed to be shown, searched or put into a column has placeholders.
"""

from __future__ import annotations

import json
import re
from typing import Any

NUL_PLACEHOLDER, SURROGATE_PLACEHOLDER = (
    r"\u2400",
    r"\ufffd",
)  # ␀ and �, as escapes of the same length, so that every offset in the text stays the same
_UNSHOWABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_PAIR}|(?P<nul>\\u0000)|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{{2}})|\\.", re.DOTALL)
_HALVES = re.compile("[\ud800-\udfff]")


def with_placeholders(text: str) -> str:
    """The JSON text with a placeholder for each such escape; its length stays the same."""
    return _ESCAPE.sub(_placeholder, text) if may_be_unshowable(text) else text


def is_unshowable(text: str) -> bool:
    """Whether the JSON text has such an escape."""
    return with_placeholders(text) != text


def may_be_unshowable(text: str) -> bool:
    """A quick check; also true for whole surrogate pairs."""
    return "\\u" in text and _UNSHOWABLE.search(text) is not None


def quote_json(value: Any) -> str:
    """A string as JSON, with non-ASCII characters as they are, except those that no text can hold."""
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False))


def _placeholder(escape: re.Match[str]) -> str:
    if escape["nul"]:
        return NUL_PLACEHOLDER
    return SURROGATE_PLACEHOLDER if escape["half"] else escape[0]
