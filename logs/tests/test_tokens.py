"""The words by which payloads are found."""

import pytest

from logs.payloads.masking import DEFAULT_MASKED_KEYS, MaskedKeys
from logs.payloads.tokens import WORD_LENGTH, WORDS_LIMIT, query_tokens, search_tokens

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": "Bomba P-118"}, ["bomba", "118"]),
        ({"a": ["Mecánico", "ÑANDÚ"]}, ["mecanico", "nandu"]),
        (
            {"url": "https://x.example/t/62742b759d46b3000797f1fc?y=1"},
            ["https", "example", "62742b759d46b3000797f1fc", "1"],
        ),
        ({"n": 48213, "f": 1.5, "z": 0}, ["48213", "1", "5", "0"]),
        ({"t": True, "f": False, "n": None, "e": "", "l": [], "o": {}}, []),
        ({"key_is_no_value": "x"}, []),
        ({"password": "hidden", "deep": {"tokens": ["hidden"]}, "diff": {"/password": {"previous": "hidden"}}}, []),
        ({"body": '{"secret":"hidden","name":"shown"}'}, ["secret", "name", "shown"]),
        ({"body": ' {"secret":"hidden","name":"shown"}'}, ["secret", "name", "shown"]),
        ({"a": "same same SAME"}, ["same"]),
        ("a text", ["text"]),
    ],
)
def test_words_of_values_are_found_and_nothing_else(value, words):
    assert search_tokens(value, KEYS).words == words


def test_there_is_a_limit_to_words_and_it_is_told():
    tokens = search_tokens([f"word{number}" for number in range(WORDS_LIMIT + 1)], KEYS)
    assert (len(tokens.words), tokens.is_capped) == (WORDS_LIMIT, True)
    assert search_tokens("x" * 1000, KEYS).words == ["x" * WORD_LENGTH]


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        ("P-118", ["118"]),
        ("mecánico", ["mecanico"]),
        ("62742B75", ["62742b75"]),
        ("x", ["x"]),
        ("--", []),
        ("a@b.cl", ["cl"]),
    ],
)
def test_a_query_is_read_by_the_same_rule(query, tokens):
    assert query_tokens(query) == tokens
