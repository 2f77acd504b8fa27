"""MongoDB extended JSON, as mongoexport writes it, turned into the plain JSON that Cotalker's API gives.

Only the wrappers ({"$oid": …}, {"$date": …}, {"$numberLong": …}) are replaced, in the text itself, so everything else keeps
its bytes. A wrapper cannot be mistaken inside a string: there its quotes would be escaped.
Source: the MongoDB Extended JSON (v2) specification.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_OID = re.compile(rb'\{\s*"\$oid"\s*:\s*("[0-9a-fA-F]{24}")\s*\}')
_DATE = re.compile(
    rb'\{\s*"\$date"\s*:\s*(?:"(?P<text>[^"\\]*)"|(?P<ms>-?\d{1,15})'
    rb'|\{\s*"\$numberLong"\s*:\s*"(?P<long>-?\d{1,15})"\s*\})\s*\}'
)
_NUMBER = re.compile(
    rb'\{\s*"\$number(?:Int|Long|Double|Decimal)"\s*:\s*"(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"\s*\}'
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_extended(value: Any) -> bool:
    """Whether a parsed document is in extended JSON: its own id is wrapped then."""
    return isinstance(value, dict) and isinstance(value.get("_id"), dict) and "$oid" in value["_id"]


def to_plain_json(data: bytes) -> bytes:
    """The same document with every wrapper replaced by what it wraps; dates in ISO-8601 with milliseconds and Z."""
    return _NUMBER.sub(rb"\1", _DATE.sub(_iso_date, _OID.sub(rb"\1", data)))


def _iso_date(match: re.Match[bytes]) -> bytes:
    milliseconds = match["ms"] or match["long"]
    if milliseconds is None:
        return b'"' + _with_milliseconds(match["text"]) + b'"'
    try:
        moment = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        return match[0]  # left wrapped; the check of the field says so
    return f'"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"'.encode()


def _with_milliseconds(text: bytes) -> bytes:
    """mongoexport leaves ".000" out of a whole second, which Cotalker writes."""
    return text[:-1] + b".000Z" if re.fullmatch(rb"[\d-]{10}T[\d:]{8}Z", text) else text
