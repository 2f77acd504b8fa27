import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.cotalker.strict_json import MAX_DEPTH, NotStrictJSON, strict_loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_json_written_by_python_is_read_equally_except_nul(value, ensure_ascii):
    shown = json.loads(json.dumps(value).replace("\\\\", "\\\\ ").replace("\\u0000", "␀").replace("\\\\ ", "\\\\"))
    assert strict_loads(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not JSON"),
        ("[Infinity]", "Infinity is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ("1e400", "the number 1e400 is out of range"),
        ("-1e400", "the number -1e400 is out of range"),
        ("1e-400", "the number 1e-400 is out of range"),
        ("0e-99999", "the number 0e-99999 is out of range"),
        ("0." + "1" * 400, "is out of range"),
        ("1" * 5000, "of 5000 digits, is out of range"),
        ("1" * 309, "of 309 digits, is out of range"),
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' occurs twice"),
        ('[{"x": {"a": 1, "\\u0061": 2}}]', "the key 'a' occurs twice"),
        ('"a\x00b"', "not JSON: Invalid control character"),
        ('"\t"', "not JSON: Invalid control character"),
        ("", "not JSON"),
        ("{} {}", "not JSON: Extra data"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1,}', "not JSON"),
    ],
)
def test_values_that_postgresql_or_a_receiver_cannot_take_are_rejected(text, reason):
    with pytest.raises(NotStrictJSON) as caught:
        strict_loads(text.encode())
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e308", 1e308),
        ("0.0", 0.0),
        ("-0e-10", 0.0),
        ("0E+2", 0.0),
        ("5e-324", 5e-324),
        ("1" * 308, int("1" * 308)),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\\\u0000"', "\\u0000"),
        ('{"a": ["x\\u0000"]}', {"a": ["x␀"]}),
        ('{"b\\u0000": 1}', {"b␀": 1}),
        ('{"a": "\\ud83d"}', {"a": "�"}),
        ('["\\uDE00\\ud83d", "\\ud83d\\ud83d\\ude00", "\\\\\\ud83d"]', ["��", "�😀", "\\�"]),
    ],
)
def test_unusual_but_valid_json_is_read(text, value):
    assert strict_loads(text.encode()) == value


def test_bytes_that_are_not_utf_8_are_rejected_with_their_place():
    with pytest.raises(NotStrictJSON, match="not UTF-8 at byte 7"):
        strict_loads(b'{"a": "\xe9"}')


def test_the_place_of_broken_text_is_given():
    with pytest.raises(NotStrictJSON) as caught:
        strict_loads('{"é": 1 "b": 2}'.encode())
    assert caught.value.offset == 8


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_ends_at_the_limit(opening, closing):
    def nested(depth):
        return (opening * depth + "1" + closing * depth).encode()

    assert strict_loads(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(NotStrictJSON, match="nested deeper than 100 levels"):
            strict_loads(nested(depth))


def test_brackets_in_strings_and_side_by_side_are_not_nesting():
    text = json.dumps(["[{" * 200, '\\"[' * 200, [[] for _ in range(200)]])
    assert strict_loads(text) == json.loads(text)


def test_unclosed_brackets_are_rejected():
    with pytest.raises(NotStrictJSON):
        strict_loads(b"[" * 100_000)


def test_unclosed_quotes_do_not_take_long():
    with pytest.raises(NotStrictJSON):
        strict_loads(b'["' + b'\\"' * 500_000 + b"[" * 101)
