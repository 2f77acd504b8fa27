"""The payload as a tree, opened node by node."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.payloads.escapes import with_placeholders
from logs.payloads.exact_json import RawNumber, parse_json, to_json
from logs.payloads.json_tree import (
    PointerError,
    build_node,
    child_chunk,
    pointer_to,
    resolve_pointer,
    value_text,
)
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MASK, MaskedKeys

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)
NAMES = st.text() | st.sampled_from(["a/b", "~", "~1", "", "0"])
DOCUMENTS = st.recursive(
    st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=15
)


@pytest.mark.parametrize("text", ["1.10", "1e5", "12345678901234567890", "-0.0", "1E+2"])
def test_numbers_are_shown_as_they_were_written(text):
    [shown] = child_chunk(parse_json(f'{{"n": {text}}}'), "", keys=KEYS).nodes
    assert (shown.kind, shown.text) == ("number", text)


def test_each_kind_of_value_has_its_node():
    value = parse_json('{"o":{"a":1},"l":[1,2],"s":"x","t":true,"z":null,"e":{},"password":"p"}')
    shown = {node.key: (node.kind, node.text, node.size) for node in child_chunk(value, "", keys=KEYS).nodes}
    assert shown == {
        "o": ("object", "", 1),
        "l": ("array", "", 2),
        "s": ("string", "x", 0),
        "t": ("boolean", "true", 0),
        "z": ("null", "null", 0),
        "e": ("object", "", 0),
        "password": ("masked", MASK, 0),
    }


def test_a_page_has_a_hundred_children():
    value = parse_json("[" + ",".join(map(str, range(250))) + "]")
    first, second, last = (child_chunk(value, "", keys=KEYS, start=start) for start in (0, 100, 200))
    assert [chunk.next_start for chunk in (first, second, last)] == [100, 200, None]
    assert [len(chunk.nodes) for chunk in (first, second, last)] == [100, 100, 50]
    assert last.nodes[-1].pointer == "/249"
    assert first.total == 250


def test_a_long_string_is_cut_and_complete_on_request():
    value = parse_json('{"s": "' + "x" * 501 + '"}')
    [shown] = child_chunk(value, "", keys=KEYS).nodes
    assert (len(shown.text), shown.is_cut, shown.length) == (500, True, 501)
    assert value_text(value, "/s", KEYS) == "x" * 501


@given(DOCUMENTS)
def test_every_node_is_found_by_its_pointer(document):
    def walk(value, pointer):
        assert resolve_pointer(document, pointer) == value
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            walk(item, pointer_to(pointer, key))

    walk(document, "")


@pytest.mark.parametrize(
    "pointer", ["x", "/nothing", "/list/2", "/list/-1", "/list/01", "/list/01x", "/list/²", "/s/0", "/list/" + "9" * 30]
)
def test_a_pointer_that_leads_nowhere_is_an_error(pointer):
    with pytest.raises(PointerError):
        resolve_pointer(parse_json('{"list":[1,2],"s":"x"}'), pointer)


def test_values_under_a_masked_key_cannot_be_reached():
    value = parse_json(
        '{"token":{"deep":{"x":"hidden"}},"diff":{"/a/password":{"previous":"hidden"}},"j":"{\\"secret\\":\\"hidden\\"}"}'
    )
    for pointer in ("/token", "/token/deep", "/diff/~1a~1password"):
        with pytest.raises(PointerError, match="masked"):
            child_chunk(value, pointer, keys=KEYS)
    for pointer in ("/token", "/token/deep/x", "/token/not-there"):
        with pytest.raises(PointerError, match="masked"):
            value_text(value, pointer, KEYS)
    shown = child_chunk(value, "", keys=KEYS).nodes + child_chunk(value, "/diff", keys=KEYS).nodes
    assert "hidden" not in repr(shown)


def test_revealing_shows_only_the_requested_value():
    value = parse_json('{"token":{"a":1.10},"password":"p"}')
    revealed = build_node(value, "/token", keys=KEYS, revealed=frozenset(["/token"]))
    assert revealed.text == '{"a":1.10}'
    assert build_node(value, "/password", keys=KEYS, revealed=frozenset(["/token"])).text == MASK


@pytest.mark.parametrize("number", ["1e400", "1" * 5000])
def test_a_number_beyond_any_limit_is_revealed_as_it_was_written(number):
    value = parse_json(f'{{"token":[{number}]}}')
    assert build_node(value, "/token", keys=KEYS, revealed=frozenset(["/token"])).text == f"[{number}]"


def test_a_long_string_is_revealed_whole():
    value, revealed = parse_json('{"privateKey":"' + "x" * 501 + '"}'), frozenset(["/privateKey"])
    shown = build_node(value, "/privateKey", keys=KEYS, revealed=revealed)
    assert (shown.text, shown.is_cut) == ("x" * 501, False)


def test_json_in_a_string_is_masked_despite_leading_spaces():
    value = parse_json('{"s":" \\n{\\"password\\":\\"hidden\\"}"}')
    [shown] = child_chunk(value, "", keys=KEYS).nodes
    assert shown.text == value_text(value, "/s", KEYS) == f' \n{{"password":"{MASK}"}}'


@given(DOCUMENTS)
def test_a_value_is_written_as_its_original_json(document):
    """With ␀ for NUL, which no text can hold."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    shown = json.dumps(json.loads(with_placeholders(text)), ensure_ascii=False, separators=(",", ":"))
    assert to_json(parse_json(text)) == shown


def test_changed_places_and_their_parents_are_marked():
    value = parse_json('{"data":{"name":{"names":"x"},"other":1}}')
    changed = frozenset(["/data/name/names"])
    [data] = child_chunk(value, "", keys=KEYS, changed=changed).nodes
    name, other = child_chunk(value, "/data", keys=KEYS, changed=changed).nodes
    [names] = child_chunk(value, "/data/name", keys=KEYS, changed=changed).nodes
    assert (data.has_changes_below, name.has_changes_below, other.has_changes_below) == (True, True, False)
    assert (names.is_changed, other.is_changed) == (True, False)


def test_a_number_is_not_read_as_a_string():
    assert isinstance(parse_json("1"), RawNumber)
