"""A stand-in until the language of the search box is here (helper h1 overwrites this file)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Word:
    text: str
    tokens: tuple[str, ...]
    is_negated: bool = False
    is_phrase: bool = False
    only_response: bool = False


@dataclass(frozen=True)
class Path:
    tokens: tuple[str, ...]
    is_negated: bool = False


@dataclass(frozen=True)
class Query:
    terms: list = field(default_factory=list)
    problems: list = field(default_factory=list)


def parse(text, keys=None):
    from ..payloads.tokens import query_tokens

    words = [Word(word, tuple(query_tokens(word))) for word in text.split()]
    return Query([word for word in words if word.tokens])
