"""JSON as it was written: numbers keep their spelling, and keys their order. Parsed, written, indented, and compared by value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from .escapes import may_be_unshowable, quote_json, with_placeholders


class RawNumber(str):
    """A number as it was written: 1.10, 1e5, 12345678901234567890."""


def parse_json(text: str) -> Any:
    """The value of a stored payload, with every number as a `RawNumber`, and placeholders for what can't be shown."""
    return parse_exact(with_placeholders(text))


def parse_exact(text: str) -> Any:
    """The same without placeholders, to be written again by `to_json` or `indent_json`. Its strings may hold what no page can."""
    return json.loads(text, parse_int=RawNumber, parse_float=RawNumber)


def to_json(value: Any, *, sort_keys: bool = False) -> str:
    """Compact JSON that keeps the spelling of numbers; with `sort_keys`, equal values have equal texts."""
    if isinstance(value, RawNumber):
        return value
    if isinstance(value, dict):
        items = sorted(value.items()) if sort_keys else value.items()
        return "{" + ",".join(f"{quote_json(key)}:{to_json(item, sort_keys=sort_keys)}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(to_json(item, sort_keys=sort_keys) for item in value) + "]"
    return quote_json(value)


def format_value(text: str) -> str:
    """A JSON text for people to read. Numbers, escapes and the order of keys stay as they are."""
    if may_be_unshowable(text):
        return indent_json(parse_exact(text))
    return msgspec.json.format(text, indent=2)


def indent_json(value: Any, margin: str = "") -> str:
    """The same for a parsed value: a line for each value, for people to read and edit."""
    if not value or not isinstance(value, dict | list):
        return to_json(value)
    inside = f"{margin}  "
    if isinstance(value, dict):
        lines = [f"{inside}{quote_json(key)}: {indent_json(item, inside)}" for key, item in value.items()]
    else:
        lines = [f"{inside}{indent_json(item, inside)}" for item in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n" + ",\n".join(lines) + f"\n{margin}{last}"


def is_same_json(text: str, other: str) -> bool:
    """Whether two texts that `strict_json` accepted have the same value.

    Blanks, the order of keys and the spelling of numbers and letters don't count.
    """
    return _canonical(text) == _canonical(other)


def _canonical(text: str) -> str:
    return to_json(_parsed(text), sort_keys=True)


def _parsed(text: str) -> Any:
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> RawNumber:
    """The exact number without trailing zeros: 1.0 is 1, and 0.1 isn't the double nearest to it."""
    sign, digits, exponent = Decimal(text).as_tuple()
    figures = "".join(map(str, digits)).lstrip("0")
    kept = figures.rstrip("0")
    return RawNumber(f"{'-' * sign}{kept}e{int(exponent) + len(figures) - len(kept)}" if kept else "0")
