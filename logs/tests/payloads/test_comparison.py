"""Differences between two events of one object."""

import json

import pytest

from logs.payloads.comparison import Difference, compare_payloads
from logs.payloads.exact_json import parse_json
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MASK, MaskedKeys

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)


def differences(this, that, **limit):
    events = (parse_json(json.dumps({"data": data})) for data in (this, that))
    return compare_payloads(*events, KEYS, **limit)


@pytest.mark.parametrize(
    ("this", "that", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, [("/a", "changed", "1", "2")]),
        ({"a": 1}, {"a": "1"}, [("/a", "changed", "1", '"1"')]),
        ({"a": "x y"}, {"a": "x  y "}, [("/a", "changed", '"x y"', '"x  y "')]),
        ({"a": ["x", "y"]}, {"a": ["x", "y"]}, []),
        ({"a": None}, {}, [("/a", "removed", "null", "")]),
        ({}, {"a/b": {"c": "é"}}, [("/a~1b", "added", "", '{"c":"é"}')]),
        ({"a": {"b": {"c": "x"}}}, {"a": {"b": {"c": "y"}}}, [("/a/b/c", "changed", "x", "y")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("/a", "changed", '{"b":1}', "[1]")]),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, [("/a/1/b", "changed", "2", "3")]),
        (None, {"a": 1}, [("", "changed", "null", '{"a":1}')]),
        ("x", "x", []),
    ],
)
def test_each_difference_has_a_row(this, that, expected):
    comparison = differences(this, that)
    assert [(row.pointer, row.kind, row.this, row.that) for row in comparison.differences] == expected
    assert not comparison.is_more


def test_arrays_of_different_lengths_are_compared_as_sets():
    [row] = differences({"a": ["x", "y", "x"]}, {"a": ["y", {"b": 1}]}).differences
    assert (row.kind, row.removed_items, row.added_items) == ("changed", ("x",), ('{"b":1}',))
    assert (row.is_list, row.this_length, row.that_length) == (True, 3, 2)


@pytest.mark.parametrize(
    ("this", "that", "removed", "added"),
    [
        (["x", "y"], ["y", "z"], ("x",), ("z",)),
        (["x", 1], [1, "x"], (), ()),
        (["x", "x", "y"], ["x", "y", "y"], (), ()),
        ([1, "2"], ["1", "2"], ("1",), ('"1"',)),
    ],
)
def test_arrays_of_plain_values_are_compared_as_sets(this, that, removed, added):
    [row] = differences({"a": this}, {"a": that}).differences
    assert (row.removed_items, row.added_items, row.is_reordered) == (removed, added, not removed)


def test_masked_values_are_not_counted_as_differences():
    assert differences({"password": "a", "b": 1}, {"password": "a", "b": 2}).number == 1


@pytest.mark.parametrize("other", ["old", "new", {"deep": 1}, [1]])
def test_different_and_equal_masked_values_look_the_same(other):
    same = differences({"password": "old"}, {"password": "old"})
    assert same == differences({"password": "old"}, {"password": other})
    assert same.differences == [Difference("/password", "masked", MASK, MASK)]


@pytest.mark.parametrize(
    ("this", "that"),
    [
        ({"a": ["x", {"token": "old"}]}, {"a": ["x", {"token": "new"}]}),
        ({"a": '{"token":"old"}'}, {"a": '{"token":"new"}'}),
        ({"a": ' [{"token":"old"}]'}, {"a": ' [{"token":"new"}]'}),
        ({"a": [{"token": "old"}, 1]}, {"a": [{"token": "new"}]}),
        ({"a": {"token": "old"}}, {"a": "x"}),
        ({}, {"a": [{"token": "new"}]}),
    ],
)
def test_masked_parts_of_a_value_reveal_nothing(this, that):
    comparison = differences(this, that)
    equal = differences(json.loads(json.dumps(this).replace("old", "new")), that)
    assert comparison == equal
    assert "old" not in repr(comparison)
    assert "new" not in repr(comparison)


def test_masked_keys_without_a_value_are_not_listed():
    assert differences({"password": ""}, {"password": None}).differences == []
    [row] = differences({}, {"password": "new"}).differences
    assert (row.this, row.that, row.kind) == ("", MASK, "masked")


def test_differences_beyond_the_limit_are_mentioned():
    this, that = {str(n): n for n in range(501)}, {str(n): -n - 1 for n in range(501)}
    comparison = differences(this, that)
    assert (len(comparison.differences), comparison.is_more) == (500, True)
    assert not differences(this, that, limit=501).is_more


@pytest.mark.parametrize(("this", "that"), [(None, None), ([], {}), ({}, {"data": None})])
def test_events_without_data_do_not_differ(this, that):
    assert compare_payloads(this, that, KEYS).differences == []
