"""What the search box asks for, read: terms, or what is wrong and where. Places count from the beginning of its text, in
characters. How it is read: `parsing.py`; the fields and their values: `fields.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..payloads.tokens import WORD_LENGTH, folded, indexed


@dataclass(frozen=True)
class Term:
    """`start` and `end`: its place in the text."""

    start: int
    end: int
    is_negated: bool


@dataclass(frozen=True, kw_only=True)
class Wording:
    """`tokens`: the words of `text`, which stand one after the other in one value. Where it `is_quoted` they are whole, and
    stand there as in `text`, its punctuation included; else three letters are enough of the last one.
    """

    text: str
    tokens: tuple[str, ...]
    is_quoted: bool = False

    @property
    def index_words(self) -> tuple[str, ...]:
        """What an index can be asked for: as `search.tsquery` takes it. Necessary for the text to occur."""
        *before, last = self.tokens
        ends = [f"={word}" if self.is_quoted else word for word in indexed([last])]
        return (*(f"={word}" for word in indexed(before)), *ends)

    @property
    def is_index_enough(self) -> bool:
        """Whether the index decides; else the texts have to be read."""
        [first, *others] = self.tokens
        if others or not self.index_words or len(first) >= WORD_LENGTH:
            return False
        return not self.is_quoted or folded(self.text).strip() == first


@dataclass(frozen=True)
class Word(Wording, Term):
    """A word, or some next to each other, anywhere in the event or the response."""

    only_response: bool = False


@dataclass(frozen=True)
class Path(Wording, Term):
    """The same in the value at a place of the event."""

    steps: tuple[str, ...]


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
