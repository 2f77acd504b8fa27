"""Converts what documents have beyond JSON into the plain JSON of Cotalker's API: MongoDB extended JSON, as mongoexport writes
it, and what people write: comments and trailing commas.

Wrappers ({"$oid": …}, {"$date": …}, {"$numberLong": …}) and whole numbers written as fractions (409.0) are replaced in the text
itself, so everything else keeps its bytes. Text inside a string never looks like a wrapper: its quotes are escaped there.
Source: the MongoDB Extended JSON (v1, v2) specifications; dates and numbers as JavaScript's JSON.stringify writes them.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_OID = re.compile(rb'\{\s*"\$oid"\s*:\s*("[0-9a-fA-F]{24}")\s*\}')
_DATE = re.compile(
    rb'\{\s*"\$date"\s*:\s*(?:"(?P<text>[^"\\]*)"|(?P<ms>-?\d{1,16})'
    rb'|\{\s*"\$numberLong"\s*:\s*"(?P<long>-?\d{1,16})"\s*\})\s*\}'
)
_NUMBER = re.compile(
    rb'\{\s*"\$number(?P<kind>Int|Long|Double|Decimal)"\s*:\s*"(?:(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)'
    rb'|-?Infinity|NaN)"\s*\}'
)
# It matches strings only to skip them.
_FRACTION = re.compile(rb'"(?:[^"\\]|\\.)*+"|(?P<fraction>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))', re.DOTALL)
_HAS_FRACTION = re.compile(rb"\d(?:\.\d|[eE][+-]?\d)")
_WRAPPERS = {"$oid", "$date", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE = 400  # years after which the calendar repeats
_CYCLE_MS = 146_097 * 24 * 3600 * 1000
_LAST_MS = 8_640_000_000_000_000  # JavaScript's dates end there
_STRING = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENT = re.compile(rf"{_STRING}|(?P<comment>//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|(?P<comma>,)(?=\s*[}}\]])", re.DOTALL)


def is_extended(value: Any) -> bool:
    """Whether a parsed document is in extended JSON: at least one of its top-level fields is wrapped."""
    return isinstance(value, dict) and any(
        isinstance(item, dict) and len(item) == 1 and not _WRAPPERS.isdisjoint(item) for item in value.values()
    )


def to_plain_json(data: bytes) -> bytes:
    """The same document with every wrapper replaced by its value; dates in ISO-8601 with milliseconds and Z."""
    if _HAS_FRACTION.search(data):
        data = _FRACTION.sub(_plain_fraction, data)
    return _NUMBER.sub(_number, _DATE.sub(_iso_date, _OID.sub(rb"\1", data)))


def iso_date(milliseconds: int) -> str | None:
    """A datetime as JavaScript writes it, 2022-05-05T20:04:40.084Z; None if it is outside JavaScript's range."""
    if abs(milliseconds) > _LAST_MS:
        return None
    cycles = milliseconds // _CYCLE_MS  # the remainder is always a datetime in 1970 to 2369
    moment = _EPOCH + timedelta(milliseconds=milliseconds - cycles * _CYCLE_MS)
    year = moment.year + cycles * _CYCLE
    written = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    return f"{written}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _iso_date(match: re.Match[bytes]) -> bytes:
    number = match["ms"] or match["long"]
    written = _of_text(match["text"].decode()) if number is None else iso_date(int(number))
    return match[0] if written is None else f'"{written}"'.encode()  # a wrapper left as it is fails the field's check


def _of_text(text: str) -> str:
    """mongoexport omits zeros (.1Z, Z), and older versions write an offset. Text that isn't a datetime is returned unchanged."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    return iso_date((moment - _EPOCH) // timedelta(milliseconds=1)) or text


def _number(match: re.Match[bytes]) -> bytes:
    number = match["number"] or b"null"  # as JSON.stringify does with NaN
    return javascript_number(number.decode()).encode() if match["kind"] == b"Double" and number != b"null" else number


def _plain_fraction(match: re.Match[bytes]) -> bytes:
    fraction = match["fraction"]
    return match[0] if fraction is None else javascript_number(fraction.decode()).encode()


def javascript_number(number: str) -> str:
    """A double as JSON.stringify writes it: 409.0 as 409, 1E-07 as 1e-7. A number beyond a double stays, to be rejected later."""
    value = float(number)
    if math.isinf(value) or (value == 0 and Decimal(number) != 0):
        return number
    shortest = Decimal(repr(value)).normalize()
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{abs(shortest) if value == 0 else shortest:f}"
    sign, digits, _exponent = shortest.as_tuple()
    mantissa = "".join(map(str, digits))
    mantissa = mantissa[0] + (f".{mantissa[1:]}" if mantissa[1:] else "")
    return f"{'-' if sign else ''}{mantissa}e{shortest.adjusted():+d}"


def strip_comments(text: str) -> str:
    """The text without comments and without commas before a closing bracket. Everything else keeps its bytes."""
    without = _COMMENT.sub(lambda match: "" if match["comment"] else match[0], text)
    return _LAST_COMMA.sub(lambda match: "" if match["comma"] else match[0], without)
