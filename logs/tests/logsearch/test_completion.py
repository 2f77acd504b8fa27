"""Completions at the caret of the search box. `|` is the caret."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logs.logsearch.completion import MAX_COMPLETIONS, ValueCompletion, completions
from logs.logsearch.fields import resolve_field
from logs.logsearch.query_language import parse_search
from logs.payloads.masking import MaskedKeys

VALUES = {
    "state": [
        ValueCompletion("failed", "Failed"),
        ValueCompletion("delivered", "Delivered"),
        ValueCompletion("retrying", "Retrying"),
    ],
    "cause": [ValueCompletion("timeout", "No answer in time"), ValueCompletion("tls", "TLS error")],
    "status": [ValueCompletion("409", "Conflict"), ValueCompletion("4xx", "4xx")],
    "sub": [
        ValueCompletion("Work Orders Update", "wo_update"),
        ValueCompletion("Mecánicos", "mec"),
        ValueCompletion("Orders, open", "oo"),
        ValueCompletion("Users:HR", "hr"),
        ValueCompletion("//x", "x"),
    ],
    "test": [ValueCompletion(f"value{number}", "") for number in range(20)],
}


class FakeSource:
    def values(self, name: str) -> list[ValueCompletion]:
        return VALUES.get(name, [])

    def named_values(self):
        return [(name, value) for name in ("state", "cause") for value in VALUES[name]]

    def paths(self, beginning: str) -> list[str]:
        return [path for path in ("data.name", "data.asset", "data.asset.code") if path.startswith(beginning)]


def offered(marked: str) -> list[str]:
    """The offered texts, with the caret marked in each."""
    caret = marked.index("|")
    offers = completions(marked.replace("|", "", 1), caret, FakeSource())
    return [f"{completion.before}|{completion.after}" for completion in offers]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("sta|", ["state:|", "status:|"]),
        ("STA|", ["state:|", "status:|"]),
        ("subs|", ["sub:|"]),
        ("bomba sta| azul", ["bomba state:| azul", "bomba status:| azul"]),
        ("-sta|", ["-state:|", "-status:|"]),
        ("st|ate:failed", ["status:|failed"]),
        ("fai|", ["failed:|", "state:failed |"]),
        ("wa|", ["was:|"]),
        ("-time|", ["-cause:timeout |"]),
        ("ti|", []),
        ("state:|", ["state:failed |", "state:delivered |", "state:retrying |"]),
        ("state:f|", ["state:failed |"]),
        ("State:F|", ["State:failed |"]),
        ("-state:f|", ["-state:failed |"]),
        ("state:failed,d|", ["state:failed,delivered |"]),
        ("state:f|,delivered", ["state:failed|,delivered"]),
        ("state:fa|xx azul", ["state:failed| azul"]),
        ("state:failed|", []),
        ("cause:answer|", ["cause:timeout |"]),
        ("cause:t|", ["cause:timeout |", "cause:tls |"]),
        ("status:conf|", ["status:409 |"]),
        (
            "sub:|",
            ['sub:"Work Orders Update" |', "sub:Mecánicos |", 'sub:"Orders, open" |', "sub:Users:HR |", 'sub:"//x" |'],
        ),
        ("subscription:hr|", ["subscription:Users:HR |"]),
        ("sub:mecan|", ["sub:Mecánicos |"]),
        ("sub:wo_u|", []),
        ("sub:update|", ['sub:"Work Orders Update" |']),
        ('sub:"Work Or|', ['sub:"Work Orders Update" |']),
        ('sub:"Work Or| state:failed', ['sub:"Work Orders Update"| state:failed']),
        ('sub:"Wo|rk Orders" x', ['sub:"Work Orders Update"| x']),
        ('sub:"Orders, o|', ['sub:"Orders, open" |']),
        ("dat|", ["data.|"]),
        ("data.|", ["data.name:|", "data.asset:|", "data.asset.code:|"]),
        ("data.as|", ["data.asset:|", "data.asset.code:|"]),
        ("-data.n|:118", ["-data.name:|118"]),
        ("data.name:1|", []),
        ("colour:r|", []),
        ('"sta|', []),
        ("https://sta|", []),
        ("🚚𝔸 sta|", ["🚚𝔸 state:|", "🚚𝔸 status:|"]),
        ("bomba|", []),
    ],
)
def test_the_term_at_the_caret_is_completed(marked, expected):
    assert offered(marked) == expected


def test_an_empty_box_offers_the_most_common_fields_first():
    assert offered("|")[:4] == ["state:|", "status:|", "cause:|", "sub:|"]
    assert offered("bomba |")[:2] == ["bomba state:|", "bomba status:|"]
    assert len(offered("|")) == len(offered("test:|")) == MAX_COMPLETIONS


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from('astedu:.,"- /|🚚'), max_size=20), st.integers(0, 25))
def test_completions_keep_the_text_around_the_term_and_can_be_parsed(text, caret):
    text = text.replace("|", "")
    keys = MaskedKeys([])
    for completion in completions(text, caret, FakeSource()):
        assert text.endswith(completion.after)
        assert completion.label in completion.before
        if resolve_field(completion.label.partition(":")[0]) and not completion.label.endswith(":"):
            assert parse_search(completion.label, keys).problems == []
