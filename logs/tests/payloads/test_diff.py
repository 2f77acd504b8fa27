"""An edit's diff as rows."""

import json

import pytest

from logs.payloads.diff import Change, changed_pointers, iter_changes
from logs.payloads.exact_json import parse_json
from logs.payloads.json_tree import resolve_pointer
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MASK, MaskedKeys

from ..factories import SAMPLES

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)


def rows(diff) -> list[Change]:
    return iter_changes(parse_json(json.dumps({"diff": diff})), KEYS)


def test_the_published_edit_is_listed():
    event = parse_json((SAMPLES / "event_user_edit.json").read_text())
    names, last_name, properties = iter_changes(event, KEYS)
    assert (names.pointer, names.kind, names.previous, names.changed_to) == (
        "/name/names",
        "changed",
        "Mechanic Profile I",
        "Thomas",
    )
    assert (last_name.kind, last_name.previous, last_name.changed_to) == ("changed", '""', "Gardner")
    assert (len(properties.added_items), len(properties.removed_items)) == (3, 3)
    assert properties.kept_before == properties.kept_after == []
    assert changed_pointers(event) == {"/data/name/names", "/data/name/lastName", "/data/properties"}


@pytest.mark.parametrize(
    ("entry", "kind", "previous", "changed_to"),
    [
        ({"previous": None, "changedTo": "x"}, "added", "null", "x"),
        ({"changedTo": "x"}, "added", "", "x"),
        ({"previous": "x", "changedTo": None}, "removed", "x", "null"),
        ({"previous": "x"}, "removed", "x", ""),
        ({"previous": 1, "changedTo": {"a": [1, "é"]}}, "changed", "1", '{"a":[1,"é"]}'),
        ({}, "changed", "", ""),
        ({"previous": None, "changedTo": None}, "changed", "null", "null"),
        ({"previous": "null", "changedTo": None}, "removed", '"null"', "null"),
        ({"previous": "1", "changedTo": 1}, "changed", '"1"', "1"),
        ({"previous": "true", "changedTo": True}, "changed", '"true"', "true"),
        ({"previous": "a\nb", "changedTo": "a b"}, "changed", r'"a\nb"', '"a b"'),
        ({"previous": "a", "changedTo": " a"}, "changed", '"a"', '" a"'),
        ({"previous": "a b", "changedTo": "a\u00a0b"}, "changed", '"a b"', r'"a\u00a0b"'),
        ({"previous": "\u00e9", "changedTo": "e\u0301"}, "changed", r'"\u00e9"', r'"e\u0301"'),
        ("odd", "added", "", "odd"),
        (None, "added", "", "null"),
    ],
)
def test_every_change_is_listed_in_any_shape(entry, kind, previous, changed_to):
    [row] = rows({"/x": entry})
    assert (row.kind, row.previous, row.changed_to) == (kind, previous, changed_to)


def test_arrays_are_compared_as_sets():
    [row] = rows({"/list": {"previous": ["a", 1, {"x": 2}], "changedTo": [{"x": 2}, "b", "a"]}})
    assert (row.added_items, row.removed_items) == (["b"], ["1"])
    assert (row.kept_before, row.kept_after) == (["a", '{"x":2}'], ['{"x":2}', "a"])


@pytest.mark.parametrize(
    ("previous", "changed_to", "items"),
    [
        ([1], ["1"], (['"1"'], ["1"], [])),
        (["a", "a "], ["a"], ([], ['"a "'], ['"a"'])),
        (["a b"], ["a\u00a0b"], ([r'"a\u00a0b"'], ['"a b"'], [])),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], ([], [], ['{"b":2,"a":1}'])),
        ([{"token": "old"}], [{"token": "new"}], ([f'{{"token":"{MASK}"}}'], [f'{{"token":"{MASK}"}}'], [])),
        ([None, "null", True, "x", "x"], ["x", None], ([], ['"null"', "true"], ['"x"', "null"])),
    ],
)
def test_items_are_compared_by_value_and_not_by_notation(previous, changed_to, items):
    [row] = rows({"/list": {"previous": previous, "changedTo": changed_to}})
    assert (row.added_items, row.removed_items, row.kept_after) == items


@pytest.mark.parametrize("changed_to", [["b", "a"], ["a", "b", "b"]])
def test_a_changed_order_or_number_of_items_is_marked_as_such(changed_to):
    [row] = rows({"/list": {"previous": ["a", "b"], "changedTo": changed_to}})
    assert row.is_reordered
    assert (row.kept_before, row.kept_after) == (["a", "b"], changed_to)


def test_long_values_are_folded_around_their_difference():
    start = "x" * 5000
    [row] = rows({"/note": {"previous": start + "old" + start, "changedTo": start + "new" + start}})
    assert row.folded_from == 4940
    [row] = rows({"/note": {"previous": "old" + start, "changedTo": "new" + start}})
    assert row.folded_from == 0


def test_each_value_has_its_place_in_the_event():
    text = '{"diff":{"/a/b":{"previous":"x","changedTo":"y"},"odd":"z"}}'
    pair, odd = iter_changes(parse_json(text), KEYS)
    assert resolve_pointer(parse_json(text), pair.previous_place) == "x"
    assert resolve_pointer(parse_json(text), pair.changed_to_place) == "y"
    assert resolve_pointer(parse_json(text), odd.changed_to_place) == "z"


def test_masked_fields_are_masked_in_both_columns():
    password, inner = rows(
        {
            "/user/password": {"previous": "old", "changedTo": "new"},
            "/login": {"previous": None, "changedTo": {"token": "new"}},
        }
    )
    assert (password.previous, password.changed_to, password.is_masked) == (MASK, MASK, True)
    assert inner.changed_to == f'{{"token":"{MASK}"}}'


def test_json_in_a_string_is_masked_despite_leading_spaces():
    [row] = rows({"/note": {"previous": None, "changedTo": ' {"password":"hidden"}'}})
    assert row.changed_to == f' {{"password":"{MASK}"}}'


@pytest.mark.parametrize(
    ("diff", "shown"), [("x", "x"), (["x", {"token": "hidden"}], f'["x",{{"token":"{MASK}"}}]'), (7, "7")]
)
def test_a_diff_of_another_shape_is_one_row(diff, shown):
    assert rows(diff) == [Change("", "added", "", shown)]
    assert changed_pointers({"diff": diff}) == frozenset()


def test_a_diff_of_the_whole_object_and_one_without_a_slash_have_their_places():
    assert changed_pointers({"diff": {"": {}, "name": {}}}) == {"/data", "/data/name"}


@pytest.mark.parametrize("event", [None, [], {}, {"diff": None}, {"diff": []}, {"diff": {}}])
def test_an_event_without_a_diff_has_no_changes(event):
    assert iter_changes(event, KEYS) == []
    assert changed_pointers(event) == frozenset()


def test_numbers_keep_their_notation():
    [row] = iter_changes(parse_json('{"diff":{"/n":{"previous":1.10,"changedTo":[2e3]}}}'), KEYS)
    assert (row.previous, row.changed_to) == ("1.10", "[2e3]")
