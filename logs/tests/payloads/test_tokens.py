"""The words by which payloads are found."""

import json

import pytest

from logs.db import search_vectors
from logs.db.search_vectors import event_vectors
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MaskedKeys
from logs.payloads.tokens import MAX_TOKEN_LENGTH, index_tokens, parse_keeping_numbers, search_tokens, words_of

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
        ({"t": True, "f": False, "n": None, "e": "", "l": [], "o": {}}, ["true", "false", "null"]),
        ({"key_is_no_value": "x"}, []),
        ({"password": "hidden", "deep": {"tokens": ["hidden"]}, "diff": {"/password": {"previous": "hidden"}}}, []),
        ({"body": '{"secret":"hidden","name":"shown"}'}, ["secret", "name", "shown"]),
        ({"body": ' {"secret":"hidden","name":"shown"}'}, ["secret", "name", "shown"]),
        ({"a": "same same SAME"}, ["same"]),
        ("a text", ["text"]),
        (
            {"62742b759d46b3000797f1fc": 1, "/tags/62742B759D46B3000797F1FD": 2},
            ["62742b759d46b3000797f1fc", "1", "tags", "62742b759d46b3000797f1fd", "2"],
        ),
        (
            "a%2F62742b759d46b3000797f1fc%3Fq%3dmec%C3%A1nico",
            ["2f62742b759d46b3000797f1fc", "3fq", "3dmec", "c3", "a1nico", "62742b759d46b3000797f1fc", "mecanico"],
        ),
        ("?to=%2F%3Ffrom%3D%252Fpump", ["to", "2f", "3ffrom", "3d", "252fpump", "from", "2fpump", "pump"]),
        ("50%de 100% 7%%20", ["50", "de", "100", "7", "20"]),
        ({"body": r'{"a":"one\ntwo","b":"mec\u00e1nico"}'}, ["one", "ntwo", "mec", "u00e1nico", "two", "mecanico"]),
        ({"body": r'Error: {"a":"one\ntwo"'}, ["error", "one", "ntwo", "two"]),
        (r'"{\"a\":\"one\\ntwo\"}"', ["one", "ntwo", "two"]),
        ({"body": r'{"a":{"password":"hid\nden"},"b":"x%20"}'}, ["password", "20"]),
        ("%7B%22password%22%3A%22hidden%22%7D shown", ["password", "shown"]),
    ],
)
def test_only_words_of_values_are_indexed(value, words):
    assert search_tokens(value, KEYS) == words


@pytest.mark.parametrize(
    "text",
    [
        "%7B%22password%22%3A%22hidden%22%7D",
        '\ufeff{"password": "hidden"}',
        "pass%77ord%3Dhidden",
        "%257B%2522password%2522%253A%2522hidden%2522%257D",
        '{"x": "%7B%22password%22%3A%22hidden%22%7D"}',
        r'"{\"password\": \"hidden\"}"',
        r'"{\"x\": \"{\\\"password\\\": \\\"hidden\\\"}\"}"',
        r'Error: {"x": "{\"password\": \"hidden\"}"}',
        "https://x.example/?next=%2F%3Fpassword%3Dhidden",
        '{"password": "other", "x": "%7B%22password%22%3A%22hidden%22%7D"}',
    ],
)
@pytest.mark.parametrize("wrap", [str, lambda text: {"data": {"body": text}}, lambda text: json.dumps({"body": text})])
def test_masked_values_are_not_found_in_encoded_json(text, wrap):
    words = search_tokens(wrap(text), KEYS)
    assert [word for word in words if "hidden" in word] == []
    assert "password" in words


def test_fractions_are_found_as_written():
    assert search_tokens(parse_keeping_numbers('{"a": 1.50, "b": 1e20, "c": -0.25, "d": 7}'), KEYS) == [
        "1",
        "50",
        "1e20",
        "0",
        "25",
        "7",
    ]


def test_vectors_and_events_have_a_limit_of_words(monkeypatch):
    monkeypatch.setattr(search_vectors, "MAX_VECTOR_BYTES", 12)
    texts = ("four four four five", "four fives жжж x ж1 a1", "a1 " * 9)
    vectors = [event_vectors(json.dumps(text.split()), KEYS) for text in texts]
    assert vectors == [
        ["four five", None, None, None],
        ["four fives", "жжж ж1 a1", None, None],
        ["a1", None, None, None],
    ]
    many = event_vectors(json.dumps([f"number{number}" for number in range(10, 20)]), KEYS)
    assert many == ["number10 '+'", "number11", "number12", "number13"]
    assert event_vectors(json.dumps([f"number{number}" for number in range(10, 14)]), KEYS)[0] == "number10"


def test_a_long_word_is_cut():
    assert search_tokens("x" * 1000, KEYS) == ["x" * MAX_TOKEN_LENGTH]


@pytest.mark.parametrize(
    ("query", "words", "in_index"),
    [
        ("P-118", ["p", "118"], ["118"]),
        ("1.50", ["1", "50"], ["1", "50"]),
        ("mecánico", ["mecanico"], ["mecanico"]),
        ("62742B75", ["62742b75"], ["62742b75"]),
        ("x", ["x"], []),
        ("--", [], []),
        ("a@b.cl", ["a", "b", "cl"], ["cl"]),
        ("x" * 100, ["x" * 100], ["x" * MAX_TOKEN_LENGTH]),
    ],
)
def test_a_query_has_all_its_words_and_an_index_nearly_all(query, words, in_index):
    assert words_of(query) == words
    assert index_tokens(words) == in_index
