"""The custom request headers of a subscription, as lines "Name: value" that a person enters. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from ..payloads.masking import MASK

Header = tuple[str, str]
MAX_HEADERS = 20
MAX_HEADER_BYTES = 4 * 1024  # of all lines, as sent
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
RESERVED_HEADERS = {
    "host",
    "content-length",
    "content-type",
    "accept",
    "accept-encoding",
    "user-agent",
    "expect",
    "cookie",
}

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


class InvalidHeaders(ValueError):
    """`reasons` lists the problems; one with a single line starts with the line's number."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class _BadLine(ValueError):
    pass


def parse_headers(text: str, stored: Iterable[Header] = ()) -> list[Header]:
    """The headers in order, without empty lines. A masked value stands for the stored value of that name.

    Raises InvalidHeaders with all problems.
    """
    stored_values = {name.lower(): value for name, value in stored}
    headers: list[Header] = []
    reasons: list[str] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            name, value = _parse_line(line, stored_values)
            if first := line_of.get(name.lower()):
                raise _BadLine(_("%(name)s is already on line %(first)s.") % {"name": name, "first": first})
            line_of[name.lower()] = number
            headers.append((name, value))
        except _BadLine as error:
            reasons.append(_("Line %(number)s: %(reason)s") % {"number": number, "reason": error})
    reasons += _limit_errors(headers)
    if reasons:
        raise InvalidHeaders(reasons)
    return headers


def masked_lines(headers: Sequence[Header]) -> str:
    """The lines for a form: the names, never the values."""
    return "\n".join(f"{name}: {MASK}" for name, _value in headers)


def has_values(text: str) -> bool:
    """Whether any line has a value other than a mask."""
    return any(line.strip() and not line.rstrip().endswith(MASK) for line in text.splitlines())


def _parse_line(line: str, stored_values: dict[str, str]) -> Header:
    name, colon, value = line.partition(":")
    if not colon:
        raise _BadLine(_("there is no colon between the name and the value."))
    if not _NAME.fullmatch(name):
        raise _BadLine(
            _("a name can contain only letters, digits and symbols such as - and _, with no spaces around it.")
        )
    if reason := _reserved(name.lower()):
        raise _BadLine(reason % {"name": name})
    value = value.strip(" \t")
    if value == MASK:
        if name.lower() not in stored_values:
            raise _BadLine(_("there is no saved value of %(name)s to keep.") % {"name": name})
        return name, stored_values[name.lower()]
    if not value:
        raise _BadLine(_("%(name)s has no value.") % {"name": name})
    if not _VALUE.fullmatch(value):
        raise _BadLine(_("the value of %(name)s contains characters that are not visible ASCII.") % {"name": name})
    return name, value


def _reserved(name: str) -> str:
    """Why the header of this name can't be set, with a placeholder for the name; "" if it can."""
    if name in HOP_BY_HOP or name.startswith("proxy-"):
        return _("%(name)s applies to the connection, not to the request.")
    if name in RESERVED_HEADERS or name.startswith("webhook-"):
        return _("%(name)s cannot be set here: cotadmin sets it or never sends it.")
    return ""


def _limit_errors(headers: Sequence[Header]) -> list[str]:
    reasons = []
    if len(headers) > MAX_HEADERS:
        reasons.append(
            _("There are %(count)s headers; at most %(most)s are allowed.")
            % {"count": len(headers), "most": MAX_HEADERS}
        )
    size = sum(len(f"{name}: {value}\r\n") for name, value in headers)
    if size > MAX_HEADER_BYTES:
        reasons.append(
            _("The headers are %(size)s bytes long; at most %(most)s are allowed.")
            % {"size": size, "most": MAX_HEADER_BYTES}
        )
    return reasons
