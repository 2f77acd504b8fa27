"""JSON that PostgreSQL and every receiver accept. It rejects what Python's parser accepts by mistake or can't handle.

Rejected: NaN and Infinity, numbers beyond a double, integers of thousands of digits, duplicate keys, bytes that aren't UTF-8, and
nesting deeper than 100 levels. Escapes that no text can hold are read as placeholders; the text itself keeps them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from django.utils.translation import gettext as _

from ..payloads.escapes import with_placeholders

MAX_DEPTH = 100
MAX_DIGITS = 308  # the limit of a double; Python stops at 4,300 digits, PostgreSQL's jsonb at 16,383 decimals
_ZERO = re.compile(r"-?0(?:\.0+)?(?:[eE][+-]?\d{1,3})?")


class NotStrictJSON(ValueError):
    """`reason`: what is wrong. `offset`: where in the text, in characters; None if unknown."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def strict_loads(data: bytes | str) -> Any:
    """The value of a JSON text; raises NotStrictJSON."""
    text = _decode(data) if isinstance(data, bytes) else data
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)
    try:
        return _decoder.decode(with_placeholders(text))
    except json.JSONDecodeError as error:
        raise NotStrictJSON(_("not JSON: %(reason)s") % {"reason": error.msg}, error.pos) from error
    except RecursionError as error:
        raise NotStrictJSON(_too_deep()) from error


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotStrictJSON(_("not UTF-8 at byte %(number)s") % {"number": error.start}) from error


def _too_deep() -> str:
    return _("nested deeper than %(number)s levels") % {"number": MAX_DEPTH}


def _check_depth(text: str) -> None:
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', text, re.DOTALL):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotStrictJSON(_too_deep(), match.start())
        elif bracket in "]}":
            depth -= 1


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise NotStrictJSON(_("the key '%(key)s' occurs twice in one object") % {"key": key[:60]})
            seen.add(key)
    return result


def _finite(number: str) -> float:
    value = float(number)
    is_lost = math.isinf(value) or (value == 0 and not _ZERO.fullmatch(number))
    if is_lost or len(number) > MAX_DIGITS:
        raise NotStrictJSON(_out_of_range(number))
    return value


def _integer(number: str) -> int:
    if len(number) > MAX_DIGITS:
        raise NotStrictJSON(_out_of_range(number))
    return int(number)


def _out_of_range(number: str) -> str:
    if len(number) <= 40:
        return _("the number %(number)s is out of range") % {"number": number}
    values = {"number": number[:20], "count": len(number)}
    return _("the number %(number)s…, of %(count)s digits, is out of range") % values


def _constant(name: str) -> None:
    raise NotStrictJSON(_("%(text)s is not JSON") % {"text": name})


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_float=_finite, parse_int=_integer, parse_constant=_constant
)
