"""What the search box suggests while somebody types: completions of the term at the caret.

Pure: a `CompletionSource` supplies the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from ..payloads.tokens import fold_accents
from .field_help import FIELD_HELP
from .fields import ALIASES, PATH_ROOTS, parse_path, resolve_field
from .query_language import tokenize

MAX_COMPLETIONS = 10
MIN_VALUE_LENGTH = 3  # letters, before a value is offered without its field
_NEEDS_QUOTES = re.compile(r"[\s,]|^//|^$")
_REST = re.compile(r'[^\s",]*"?')
_REST_OF_QUOTED = re.compile(r'[^"]*"|[^\s",]*')


class ValueCompletion(NamedTuple):
    """A possible value of a field: as typed, and in words."""

    spelling: str
    meaning: str


class CompletionSource(Protocol):
    def values(self, name: str) -> Iterable[ValueCompletion]:
        """The values of a field, in the order they're offered, without quotation marks; none if they can't be listed."""

    def named_values(self) -> Iterable[tuple[str, ValueCompletion]]:
        """Values that are known by their word alone, each with its field."""

    def paths(self, beginning: str) -> Iterable[str]:
        """Paths in payloads that begin with this text, written with dots."""


@dataclass(frozen=True)
class Completion:
    """`before` and `after`: the new text of the box, up to the caret and after it. `label`: the suggestion as shown."""

    before: str
    after: str
    label: str
    meaning: str


class _Offer(NamedTuple):
    """`is_whole`: the term needs nothing more."""

    label: str
    meaning: str
    is_whole: bool = True


@dataclass(frozen=True)
class _Unfinished:
    """The part of a term that is being typed: `written` up to the caret. The completion replaces `start` to `end`.

    `name`: the field or path whose value is being typed; "" while the name itself is being typed.
    """

    start: int
    end: int
    written: str
    name: str = ""


def completions(text: str, caret: int, source: CompletionSource) -> list[Completion]:
    """At most `MAX_COMPLETIONS`, best first, without those that change nothing. `caret`: an offset in the text, in characters."""
    caret = min(max(caret, 0), len(text))
    unfinished = _at_caret(text, caret)
    offers = _values(unfinished, source) if unfinished.name else _names(unfinished.written, source)
    candidates = (_completed(text, unfinished, offer) for offer in offers)
    changing = (each for each in candidates if (each.before + each.after).strip() != text.strip())
    return list(islice(changing, MAX_COMPLETIONS))


def _at_caret(text: str, caret: int) -> _Unfinished:
    for piece in tokenize(text):
        if piece.start() < caret <= piece.end():
            return _in_piece(piece, caret)
    return _Unfinished(caret, caret, "")


def _in_piece(piece: re.Match[str], caret: int) -> _Unfinished:
    text = piece.string
    start = piece.end("minus") if piece["minus"] else piece.start()
    if piece["name"] is None:
        return _Unfinished(start, piece.end(), text[start:caret])
    if caret <= piece.end("name"):
        return _Unfinished(start, piece.end("name") + 1, text[start:caret])
    value_start = piece.end("name") + 1
    item_start = value_start + _last_item(text[value_start:caret])
    written = text[item_start:caret]
    rest = re.match(_REST_OF_QUOTED if written.count('"') % 2 else _REST, text[caret : piece.end()])
    return _Unfinished(item_start, caret + (rest.end() if rest else 0), written, piece["name"])


def _last_item(value: str) -> int:
    """Where the last item of a list begins. A comma in quotation marks is part of an item."""
    is_quoted, start = False, 0
    for place, letter in enumerate(value):
        if letter == '"':
            is_quoted = not is_quoted
        elif letter == "," and not is_quoted:
            start = place + 1
    return start


def _names(written: str, source: CompletionSource) -> Iterator[_Offer]:
    """Fields, then values that are known without their field, then paths in payloads."""
    prefix = fold_accents(written)
    for name, meaning, _examples in FIELD_HELP:
        aliases = [alias for alias, same in ALIASES.items() if same == name]
        if any(spelling.startswith(prefix) for spelling in (name, *aliases)):
            yield _Offer(f"{name}." if name in PATH_ROOTS else f"{name}:", str(meaning), is_whole=False)
    if len(prefix) >= MIN_VALUE_LENGTH:
        for name, value in source.named_values():
            if fold_accents(value.spelling).startswith(prefix):
                yield _Offer(f"{name}:{value.spelling}", value.meaning)
    if parse_path(f"{written}x"):
        yield from (_Offer(f"{path}:", "", is_whole=False) for path in source.paths(written))


def _values(unfinished: _Unfinished, source: CompletionSource) -> Iterator[_Offer]:
    """Values that begin with the typed text, then values in which a word begins with it."""
    prefix = fold_accents(unfinished.written.strip('"'))
    values = list(source.values(resolve_field(unfinished.name)))
    first = [value for value in values if fold_accents(value.spelling).startswith(prefix)]
    others = [value for value in values if value not in first and _has_word(value, prefix)]
    for spelling, meaning in [*first, *others]:
        yield _Offer(f'"{spelling}"' if _NEEDS_QUOTES.search(spelling) else spelling, meaning)


def _has_word(value: ValueCompletion, prefix: str) -> bool:
    return any(
        word.startswith(prefix) for word in re.split(r"[\W_]+", fold_accents(f"{value.spelling} {value.meaning}"))
    )


def _completed(text: str, unfinished: _Unfinished, offer: _Offer) -> Completion:
    """A space follows a whole term, so that the next one can be typed."""
    after = text[unfinished.end :]
    blank = " " if offer.is_whole and not after.startswith((" ", ",")) else ""
    return Completion(text[: unfinished.start] + offer.label + blank, after, offer.label, offer.meaning)
