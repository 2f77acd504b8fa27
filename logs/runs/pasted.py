"""Ids of logs out of whatever somebody pastes: lines, commas, quotes, JSON, documents of Cotalker, lines of a receiver's log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..payloads.escapes import with_placeholders

# Also what was an id before a digit got lost or mistyped: it is looked for, not found, and so told of.
_ID_LIKE = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{20,28}|[0-9A-Za-z]{24})(?![0-9A-Za-z])")


def ids_in(text: str) -> list[str]:
    """In their order, each once. Of a JSON document its `_id` or `id`; anything else that is not like an id is passed over."""
    parts = _strings_of_json(text)
    found = (match.lower() for part in ([text] if parts is None else parts) for match in _ID_LIKE.findall(part))
    return list(dict.fromkeys(found))


def _strings_of_json(text: str) -> list[str] | None:
    """None where the text is no JSON, neither as a whole nor line by line."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    for pieces in ([text], [line for line in text.splitlines() if line.strip()]):
        try:
            return [string for piece in pieces for string in _strings(json.loads(with_placeholders(piece)))]
        except (ValueError, RecursionError):
            continue
    return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, dict):
        own = value.get("_id", value.get("id"))
        for one in value.values() if own is None else [own]:
            yield from _strings(one)
