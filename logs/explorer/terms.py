"""The language of the search box: words, "phrases", field:value, ranges, -exclusions. Out come terms, or what is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from .. import objectid
from ..delivery.policy import Cause
from ..payloads.masking import MaskedKeys, is_under_masked_key
from ..payloads.tokens import query_tokens

MOST_TERMS = 20
MOST_CHARACTERS = 500
STATES = ("pending", "retrying", "succeeded", "failed", "skipped")
CHOICES: dict[str, dict[str, str]] = {
    "state": {state: state for state in STATES} | {"delivered": "succeeded"},
    "result": {"success": "SUCCESS", "failed": "FAILED"},
    "cause": {cause.value: cause.value for cause in Cause},
    "type": {
        spelling: name
        for name in ("COTUser", "COTTask", "COTSurvey", "COTProperty", "COTNote", "Auth", "other")
        for spelling in (name.lower(), name.removeprefix("COT").lower())
    }
    | {"element": "COTProperty", "login": "Auth"},
    "action": {action: action for action in ("create", "edit", "delete", "logout", "other")},
    "status": {name: name for name in ("success", "2xx", "3xx", "4xx", "5xx", "none", "other")},
    "test": {"yes": "yes", "no": "no"},
}
RANGES = ("duration", "tries", "status")
IDS = ("id", "object")
TEXTS = ("sub", "company", "response", "fingerprint")
SAME = {"subscription": "sub"}
FIELDS = tuple(dict.fromkeys([*CHOICES, *RANGES, *IDS, *TEXTS]))
PATH_ROOTS = ("data", "extraData", "diff")

_PIECE = re.compile(r'(?P<minus>-(?=\S))?(?:(?P<name>[^\s":]+):(?!//)(?=\S))?(?P<value>"[^"]*"?|[^\s"]+)')
_LOOKS_LIKE_A_FIELD = re.compile(r"[A-Za-z_]+")
_RANGE = re.compile(r"(?P<sign>[<>]=?)(?P<edge>.+)|(?P<low>.*?)\.\.(?P<high>.*)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)?")
_UNITS = {None: 1, "ms": 1, "s": 1000, "min": 60_000}


@dataclass(frozen=True)
class Term:
    """`start` and `end`: its place in the text."""

    start: int
    end: int
    is_negated: bool


@dataclass(frozen=True)
class Word(Term):
    """Words that must all occur, one after the other in one value where it `is_phrase`."""

    text: str
    tokens: tuple[str, ...]
    is_phrase: bool = False
    only_response: bool = False


@dataclass(frozen=True)
class Path(Term):
    """Words in the value at a place of the event."""

    steps: tuple[str, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Choice(Term):
    """One of the values, as the filters and the columns spell them. `name` is one of CHOICES, IDS or TEXTS."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Range(Term):
    """`name` is one of RANGES; durations are in ms. None: without an end. The ends belong to it unless it says otherwise."""

    name: str
    low: float | None
    high: float | None
    is_low_out: bool = False
    is_high_out: bool = False


@dataclass(frozen=True)
class Problem:
    start: int
    end: int
    message: str


@dataclass(frozen=True)
class Query:
    text: str = ""
    terms: list[Term] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Wrong(Exception):
    """Says what is wrong with a term."""


def parse(text: str, masked_keys: MaskedKeys) -> Query:
    """Never raises. Places count from the beginning of the text, in characters."""
    found = Query(text)
    for piece in _PIECE.finditer(text[:MOST_CHARACTERS]):
        try:
            if len(found.terms) == MOST_TERMS:
                raise _Wrong(_("These are more than %(number)s terms.") % {"number": MOST_TERMS})
            if term := _term(piece, masked_keys):
                found.terms.append(term)
        except _Wrong as wrong:
            found.problems.append(Problem(piece.start(), piece.end(), str(wrong)))
    return found


def _term(piece: re.Match[str], masked_keys: MaskedKeys) -> Term | None:
    base = {"start": piece.start(), "end": piece.end(), "is_negated": bool(piece["minus"])}
    value, is_quoted = _unquoted(piece["value"])
    name = piece["name"]
    if name is None:
        return _word(value, is_quoted, base)
    known = SAME.get(name.lower(), name.lower())
    if known in FIELDS:
        return _field(known, value, is_quoted, base)
    if steps := _steps(name):
        return _path(steps, value, masked_keys, base)
    if _LOOKS_LIKE_A_FIELD.fullmatch(name):
        raise _Wrong(_unknown(name))
    return _word(f"{name}:{value}", is_quoted, base)  # an address, a time


def _unquoted(value: str) -> tuple[str, bool]:
    if not value.startswith('"'):
        return value, False
    if len(value) < 2 or not value.endswith('"'):
        raise _Wrong(_("The closing quotation mark is missing."))
    return value[1:-1], True


def _word(text: str, is_quoted: bool, base: dict, *, only_response: bool = False) -> Word | None:
    tokens = tuple(query_tokens(text))
    if not tokens:
        return None  # a dash, a bracket
    return Word(**base, text=text, tokens=tokens, is_phrase=is_quoted and len(tokens) > 1, only_response=only_response)


def _field(name: str, value: str, is_quoted: bool, base: dict) -> Term | None:
    if not value.strip():
        raise _Wrong(_("Write a value behind the colon."))
    if name == "response":
        return _word(value, is_quoted, base, only_response=True)
    if name in RANGES and (span := _range(name, value, base)):
        return span
    if name in IDS:
        return Choice(**base, name=name, values=tuple(_id(one) for one in value.split(",")))
    if name in CHOICES:
        return Choice(**base, name=name, values=tuple(_choice(name, one) for one in value.split(",")))
    return Choice(**base, name=name, values=(value,) if is_quoted or name == "fingerprint" else tuple(value.split(",")))


def _choice(name: str, value: str) -> str:
    allowed = CHOICES[name]
    if name == "status" and value.isascii() and value.isdigit() and 100 <= int(value) <= 999:
        return value
    if found := allowed.get(value.lower()):
        return found
    names = ", ".join(dict.fromkeys(allowed.values() if name != "state" else allowed))
    raise _Wrong(_("“%(value)s” is none of: %(names)s.") % {"value": value, "names": names})


def _id(value: str) -> str:
    try:
        return objectid.parse(value)
    except ValueError as error:
        raise _Wrong(_("An id has 24 digits, 0 to 9 and a to f.")) from error


def _range(name: str, value: str, base: dict) -> Range | None:
    """None where it is no range; a single duration or number is one of one value."""
    read = _READ[name]
    match = _RANGE.fullmatch(value)
    if match is None:
        if name == "status":
            return None
        return Range(**base, name=name, low=read(value), high=read(value))
    if sign := match["sign"]:
        edge, is_out = read(match["edge"]), not sign.endswith("=")
        if sign[0] == ">":
            return Range(**base, name=name, low=edge, high=None, is_low_out=is_out)
        return Range(**base, name=name, low=None, high=edge, is_high_out=is_out)
    low, high = (read(edge) if edge else None for edge in (match["low"], match["high"]))
    if low is None and high is None:
        raise _Wrong(_("A range needs a beginning or an end: 100..200."))
    if low is not None and high is not None and low > high:
        raise _Wrong(_("The range ends before it begins."))
    return Range(**base, name=name, low=low, high=high)


def _milliseconds(text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise _Wrong(_("Write a duration as 800ms, 2s or 1min."))
    return float(match[1]) * _UNITS[match[2]]


def _number(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _Wrong(_("“%(value)s” is not a whole number.") % {"value": text})
    return int(text)


_READ: dict[str, Callable[[str], float]] = {"duration": _milliseconds, "tries": _number, "status": _number}


def _steps(name: str) -> tuple[str, ...]:
    """The keys of a path, written with dots or as a JSON Pointer; none where it is no path."""
    if name.startswith("/"):
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in name[1:].split("/"))
    else:
        steps = tuple(name.split("."))
    return steps if steps[0] in PATH_ROOTS and all(steps) else ()


def _path(steps: tuple[str, ...], value: str, masked_keys: MaskedKeys, base: dict) -> Path:
    if is_under_masked_key("/".join(steps), masked_keys):
        raise _Wrong(_("Values under this key are masked, and cannot be searched."))
    tokens = tuple(query_tokens(value))
    if not tokens:
        raise _Wrong(_("Write a value behind the colon."))
    return Path(**base, steps=steps, tokens=tokens)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*FIELDS, *PATH_ROOTS], n=1)
    if near:
        return _("There is no field “%(name)s”. Is it “%(near)s”? Put quotation marks around it to search for the words.") % {
            "name": name,
            "near": near[0],
        }
    return _("There is no field “%(name)s”. Put quotation marks around it to search for the words.") % {"name": name}
