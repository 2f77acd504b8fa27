"""The language of the search box: words, "phrases", field:value, ranges, -exclusions. Text in, terms out, or what is wrong.

Terms and problems have offsets in the text, in characters. The fields and their values are in `fields.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from django.utils.translation import gettext as _

from ..payloads.masking import MaskedKeys
from ..payloads.tokens import MAX_TOKEN_LENGTH, fold_accents, index_tokens, words_of
from .fields import (
    CHOICE_FIELDS,
    ID_FIELDS,
    PATH_ROOTS,
    RANGE_FIELDS,
    SEARCH_FIELDS,
    TIME_FIELDS,
    InvalidTerm,
    parse_choice,
    parse_id,
    parse_path,
    parse_span,
    resolve_field,
)
from .search_times import TimeSpan, parse_time_span


@dataclass(frozen=True)
class Term:
    """`start` and `end`: its offsets in the text."""

    start: int
    end: int
    is_negated: bool


@dataclass(frozen=True, kw_only=True)
class Wording:
    """`tokens`: the words of `text`, which follow one another in one value.

    If it `is_quoted`, they are whole words and appear as in `text`, including its punctuation. Otherwise three letters of the
    last word are enough.
    """

    text: str
    tokens: tuple[str, ...]
    is_quoted: bool = False

    @property
    def index_words(self) -> tuple[str, ...]:
        """The words to query an index for, as `db.search_vectors.tsquery` takes them. Necessary for the text to occur."""
        *before, last = self.tokens
        ends = [f"={word}" if self.is_quoted else word for word in index_tokens([last])]
        return (*(f"={word}" for word in index_tokens(before)), *ends)

    @property
    def is_index_enough(self) -> bool:
        """Whether the index decides; otherwise the texts must be read."""
        [first, *others] = self.tokens
        if others or not self.index_words or len(first) >= MAX_TOKEN_LENGTH:
            return False
        return not self.is_quoted or fold_accents(self.text).strip() == first


@dataclass(frozen=True)
class TextTerm(Wording, Term):
    """A word, or several adjacent ones, anywhere in the event or the response."""

    only_response: bool = False


@dataclass(frozen=True)
class PathTerm(Wording, Term):
    """The same in the value at a path of the event."""

    steps: tuple[str, ...]


@dataclass(frozen=True)
class ChoiceTerm(Term):
    """One of the values, as the filters and the columns spell them. `name` is one of CHOICE_FIELDS, ID_FIELDS or TEXT_FIELDS."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class RangeTerm(Term):
    """`name` is one of RANGE_FIELDS; durations are in ms. None: no end. The ends are included unless `is_low_out` or
    `is_high_out`.
    """

    name: str
    low: float | None
    high: float | None
    is_low_out: bool = False
    is_high_out: bool = False


@dataclass(frozen=True)
class TimeTerm(Term):
    """From `since` to before `until`; None: no end. `name` is one of TIME_FIELDS."""

    name: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class ParseError:
    start: int
    end: int
    message: str


@dataclass(frozen=True)
class SearchQuery:
    text: str = ""
    terms: list[Term] = field(default_factory=list)
    problems: list[ParseError] = field(default_factory=list)


MAX_TERMS = 20
MAX_SEARCH_LENGTH = 500

_ITEM = r'(?:"[^"]*"?|[^\s",]+)'
_ITEMS = re.compile(_ITEM)
_PIECE = re.compile(
    rf"""(?P<minus>-(?=\S)(?!\d+[.,]\d))?  # -33.45 is a number
    (?:(?P<name>[^\s":]+):(?!//)(?P<value>{_ITEM}(?:,{_ITEM})*)?  # https:// begins an address
    |(?P<word>"[^"]*"?|[^\s"]+))""",
    re.VERBOSE,
)
_QUOTATION_MARKS = str.maketrans(dict.fromkeys("“”„‟«»", '"'))  # phones type these, and texts contain them
_LOOKS_LIKE_A_FIELD = re.compile(r"[A-Za-z_]+")


class _Place(TypedDict):
    start: int
    end: int
    is_negated: bool


def parse_search(text: str, masked_keys: MaskedKeys) -> SearchQuery:
    """Never raises. Anything beyond a limit is a problem: ignoring it would find too much."""
    if len(text) > MAX_SEARCH_LENGTH:
        message = _("The search is too long: it can have at most %(number)s characters.") % {
            "number": MAX_SEARCH_LENGTH
        }
        return SearchQuery(text, problems=[ParseError(MAX_SEARCH_LENGTH, len(text), message)])
    query = SearchQuery(text)
    for piece in tokenize(text):
        try:
            if not (term := _term(piece, masked_keys)):
                continue
        except InvalidTerm as error:
            query.problems.append(ParseError(piece.start(), piece.end(), str(error)))
            continue
        if len(query.terms) == MAX_TERMS:
            message = _("The search is too long: it can have at most %(number)s terms.") % {"number": MAX_TERMS}
            query.problems.append(ParseError(piece.start(), len(text), message))
            break
        query.terms.append(term)
    if text.strip() and not query.terms and not query.problems:  # otherwise it would find everything
        query.problems.append(ParseError(0, len(text), _("The search contains no word or number.")))
    _drop_letters(query)
    return query


def tokenize(text: str) -> Iterator[re.Match[str]]:
    """The terms as typed, with any kind of quotation marks."""
    return _PIECE.finditer(text.translate(_QUOTATION_MARKS))


def time_spans(text: str) -> Iterator[tuple[slice, TimeSpan]]:
    """The times that terms search for, and where in the text they are written. Without those that can't be read."""
    for piece in tokenize(text):
        if piece["value"] and resolve_field(piece["name"]) in TIME_FIELDS:
            with suppress(InvalidTerm):
                yield slice(*piece.span("value")), parse_time_span(_whole(piece["value"])[0])


def _drop_letters(query: SearchQuery) -> None:
    """Single letters are in no index. Unquoted, they are searched for only if there is nothing else."""
    of_letters = [term for term in query.terms if isinstance(term, TextTerm) and _is_letter(term)]
    if len(of_letters) < len(query.terms):
        query.terms[:] = [term for term in query.terms if term not in of_letters]


def _is_letter(term: TextTerm) -> bool:
    return len(term.tokens) == 1 and not term.is_quoted and not index_tokens(term.tokens)


def _term(piece: re.Match[str], masked_keys: MaskedKeys) -> Term | None:
    place: _Place = {"start": piece.start(), "end": piece.end(), "is_negated": bool(piece["minus"])}
    name, value = piece["name"], piece["value"]
    if name is None:
        return _word(*_unquoted(piece["word"]), place)
    if field := resolve_field(name):
        return _of_field(field, _given(value), place)
    if steps := parse_path(name):
        return _path(steps, _given(value), masked_keys, place)
    if value and re.split(r"[./]", name.removeprefix("/"))[0] in PATH_ROOTS:
        raise InvalidTerm(_("The path is incomplete: write it as data.asset or /data/asset."))
    if value and _LOOKS_LIKE_A_FIELD.fullmatch(name):
        raise InvalidTerm(_unknown(name))
    return _word(f"{name}:{value or ''}", False, place)  # a URL, a time


def _given(value: str | None) -> str:
    if value is None or not value.strip('" \t'):
        raise InvalidTerm(_("Write a value right after the colon."))
    return value


def _searchable(value: str) -> str:
    if not words_of(value):
        raise InvalidTerm(_("Write a word or a number after the colon."))
    return value


def _unquoted(value: str) -> tuple[str, bool]:
    """The value, and whether it was in quotation marks; raises InvalidTerm if the closing one is missing."""
    if not value.startswith('"'):
        return value, False
    if len(value) < 2 or not value.endswith('"'):
        raise InvalidTerm(_("The closing quotation mark is missing."))
    return value[1:-1], True


def _of_field(name: str, value: str, place: _Place) -> Term | None:
    items = [_unquoted(item)[0] for item in _ITEMS.findall(value)]
    if name == "response":
        return _word(*_whole(_searchable(value)), place, only_response=True)
    if name in RANGE_FIELDS and (span := parse_span(name, value)):
        return RangeTerm(**place, name=name, **span._asdict())
    if name in TIME_FIELDS:
        return TimeTerm(**place, name=name, **parse_time_span(_whole(value)[0])._asdict())
    if name in ID_FIELDS:
        return ChoiceTerm(**place, name=name, values=tuple(parse_id(name, item) for item in items))
    if name in CHOICE_FIELDS:
        return ChoiceTerm(**place, name=name, values=tuple(parse_choice(name, item) for item in items))
    return ChoiceTerm(**place, name=name, values=(_whole(value)[0],) if name == "fingerprint" else tuple(items))


def _path(steps: tuple[str, ...], value: str, masked_keys: MaskedKeys, place: _Place) -> PathTerm:
    if any(masked_keys.matches(step) for step in steps):
        raise InvalidTerm(_("Values under this key are masked and can’t be searched."))
    text, is_quoted = _whole(_searchable(value))
    return PathTerm(**place, steps=steps, text=text, tokens=tuple(words_of(text)), is_quoted=is_quoted)


def _whole(value: str) -> tuple[str, bool]:
    """A value that isn't a list: a comma is part of it."""
    items = [_unquoted(item) for item in _ITEMS.findall(value)]
    return items[0] if len(items) == 1 else (value, False)


def _word(text: str, is_quoted: bool, place: _Place, *, only_response: bool = False) -> TextTerm | None:
    """None for a dash or a bracket."""
    tokens = tuple(words_of(text))
    if not tokens:
        return None
    return TextTerm(**place, text=text, tokens=tokens, is_quoted=is_quoted, only_response=only_response)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*SEARCH_FIELDS, *PATH_ROOTS], n=1, cutoff=0.7)
    if near:
        return _(
            "There is no field “%(name)s”. Did you mean “%(near)s”? To search for the words, put "
            "quotation marks around them."
        ) % {
            "name": name,
            "near": near[0],
        }
    return _("There is no field “%(name)s”. To search for the words, put quotation marks around them.") % {"name": name}
