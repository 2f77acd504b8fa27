r"""Escapes that JSON allows and no text can hold: \u0000, and one half of a surrogate pair.

What is stored and sent keeps them to the letter. What is parsed, to be shown, searched or put into a column, has a placeholder.
"""

from __future__ import annotations

import json
import re
from typing import Any

NUL_PLACEHOLDER, SURROGATE_PLACEHOLDER = (
    r"\u2400",
    r"\ufffd",
)  # ␀ and �, as escapes of the same length: every place in the text stays the same
_UNSHOWABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_PAIR}|(?P<nul>\\u0000)|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{{2}})|\\.", re.DOTALL)
_HALVES = re.compile("[\ud800-\udfff]")


def with_placeholders(text: str) -> str:
    """The JSON text with a placeholder for each such escape; as long as it was."""
    return _ESCAPE.sub(_placeholder, text) if may_be_unshowable(text) else text


def is_unshowable(text: str) -> bool:
    """Whether the JSON text holds such an escape."""
    return with_placeholders(text) != text


def may_be_unshowable(text: str) -> bool:
    """Quick, and true of whole pairs as well."""
    return "\\u" in text and _UNSHOWABLE.search(text) is not None


def quote_json(value: Any) -> str:
    """A string as JSON, its letters as they are, but for what no text can hold."""
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False))


def _placeholder(escape: re.Match[str]) -> str:
    if escape["nul"]:
        return NUL_PLACEHOLDER
    return SURROGATE_PLACEHOLDER if escape["half"] else escape[0]
