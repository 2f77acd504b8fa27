"""Whether two JSON texts have the same value. Blanks, the order of keys and the spelling of numbers and letters don't count."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from .json_tree import RawNumber, to_json


def is_same_json(text: str, other: str) -> bool:
    """Whether two texts that `strict_json` accepted are equal."""
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
