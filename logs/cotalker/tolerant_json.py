"""JSON as people write it: with comments and trailing commas. Both are removed; everything else keeps its bytes."""

from __future__ import annotations

import re

_STRING = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENT = re.compile(rf"{_STRING}|(?P<comment>//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|(?P<comma>,)(?=\s*[}}\]])", re.DOTALL)


def strip_comments(text: str) -> str:
    """The text without comments and without commas before a closing bracket."""
    without = _COMMENT.sub(lambda match: "" if match["comment"] else match[0], text)
    return _LAST_COMMA.sub(lambda match: "" if match["comma"] else match[0], without)
