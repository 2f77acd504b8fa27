"""What the search box asks for, read: terms, or what is wrong and where. Places count from the beginning of its text, in
characters. How it is read: `parsing.py`; the fields and their values: `fields.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """Words in the value at a place of the event; one after the other where it `is_phrase`."""

    steps: tuple[str, ...]
    tokens: tuple[str, ...]
    is_phrase: bool = False


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
