"""Whether a term occurs in an event or a response: consistent with the search index, and more exact."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logs.db.search_vectors import tsquery
from logs.logsearch.matching import term_matches
from logs.logsearch.query_language import PathTerm, TextTerm, parse_search
from logs.models import Payload
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MaskedKeys, mask_text
from logs.payloads.tokens import search_tokens

from ..factories import import_logs, log_document, make_subscription

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)
PK = "62742b759d46b3000797f1fc"
EVENT = {
    "type": "COTTask",
    "data": {
        "name": "Bomba P-118 · mecánico",
        "cost": 48213,
        "ratio": 1.5,
        "none": 0,
        "isActive": True,
        "url": f"https://x.example/t/{PK}?y=1",
        "asset": PK,
        "password": "hidden treasure",
        "body": '{"secret": "hidden treasure", "note": "shown to all"}',
        "list": [{"name": "first pump"}, {"name": "second valve", "tags": ["old", "red"]}, "third thing"],
        "1": {"name": "a key that is a number"},
    },
    "diff": {
        "/name": {"previous": "Bomba P-117", "changedTo": "Bomba P-118"},
        "/profile/phone": {"previous": "555-1", "changedTo": "555-2"},
        "/data/password": {"previous": "hidden treasure", "changedTo": "hidden pearl"},
    },
}
RESPONSE = mask_text('{"error": "bad gateway", "token": "hidden treasure"}', KEYS)


def term_of(text: str) -> TextTerm | PathTerm:
    (term,) = parse_search(text, KEYS).terms
    assert isinstance(term, TextTerm | PathTerm)
    return term


def found(text: str, event=EVENT, response: str = RESPONSE) -> bool:
    return term_matches(term_of(text), event, response, KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "118",
        "P-118",
        "mecanico",
        "MECÁNICO",
        "bom",
        PK,
        PK[:-1],
        "48213",
        "1.5",
        "0",
        "P-118/mecánico",
        "gateway",
        '"bomba P-118"',
        '"p 118 mecánico"',
        '"bad gateway"',
        "bad.gate",
        '"p-118"',
        '"P-118 ·"',
        '"a key that is a number"',
        '"a"',
        '"/t/"',
        "/t/",
        "t/62742b75",
        '"shown to all"',
        '"1.5"',
        "response:gateway",
        'response:"bad gateway"',
        "data.name:118",
        'data.name:"bomba p-118"',
        f"data.asset:{PK}",
        f"data.url:{PK}",
        "data.cost:48213",
        "data.none:0",
        "data:pump",
        "data.list:valve",
        "data.list.name:valve",
        "data.list.1.name:valve",
        "data.list.tags:red",
        "data.list.1.tags.1:red",
        "data.list.2:third",
        "/data/list/1/name:valve",
        "data.1.name:number",
        "data.body:shown",
        "data.isActive:true",
        "/diff/~1name/previous:117",
        "diff:117",
        "diff./name.changedTo:118",
        "diff.name.changedTo:118",
        "diff.name:118",
        "diff.profile.phone.previous:1",
        "/diff/profile/phone:2",
        "true",
    ],
)
def test_a_term_is_found(text):
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "11",
        "bo",
        '"bad gate"',
        '"bom"',
        '"p-11"',
        "p-11",
        "q-118",
        '"P.118"',
        '"1,5"',
        '"1 . 5"',
        "bomba-118",
        "1.7",
        '"b"',
        '"a key a number"',
        "omba",
        f"{PK}0",
        "name",
        "false",
        "data.isActive:false",
        "diff.phone:555",
        "treasure",
        "pearl",
        '"hidden treasure"',
        '"hidden pearl"',
        '"118 bomba"',
        '"pump second"',
        '"token hidden"',
        "response:bomba",
        'response:"hidden treasure"',
        "data.name:117",
        "data.name:valve",
        "data.list.0.name:valve",
        "data.list.3:third",
        "data.list.name:red",
        "data.nowhere:118",
        "data.name.deeper:118",
        "data:treasure",
        "data.body:treasure",
        "diff:treasure",
        'data.name:"118 bomba"',
        "extraData:118",
    ],
)
def test_a_term_is_not_found(text):
    assert not found(text)


@pytest.mark.parametrize(
    "steps", [("data", "password"), ("diff", "/data/password"), ("diff", "/data/password", "previous")]
)
@pytest.mark.parametrize("is_quoted", [True, False])
def test_a_term_finds_nothing_under_a_masked_key(steps, is_quoted):
    term = PathTerm(
        0, 1, False, text="hidden treasure", tokens=("hidden", "treasure"), is_quoted=is_quoted, steps=steps
    )
    assert not term_matches(term, EVENT, "", KEYS)


def test_without_an_event_only_the_response_is_searched():
    assert found("gateway", event=None)
    assert found('"bad gateway"', event=None)
    assert not found("118", event=None)
    assert not found("data:118", event=None)


# Any event and any words: what occurs is in the index, and a single word that is in the index occurs.
_texts = st.one_of(
    st.sampled_from(
        ["Bomba P-118", "mecánico", "a b c", "x", f"/t/{PK}", "ñandú ½ ﬁn", '{"token": "perla", "n": "plata"}']
    ),
    st.text(max_size=12),
)
_scalars = st.one_of(_texts, st.integers(-10, 10**6), st.floats(allow_nan=False), st.booleans(), st.none())
_keys = st.sampled_from(["name", "list", "0", "password", "api_key", "/data/token"])
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
    max_leaves=8,
)
_queries = st.one_of(
    st.sampled_from(["118", "bom", "mecanico", "perla", "plata", '"p 118"', '"a b"', PK, PK[:8], "fin", '"b c"']),
    st.text(max_size=12),
    st.text(max_size=12).map(lambda text: f'"{text}"'),
)


@settings(deadline=None)
@given(st.fixed_dictionaries({"data": _values}), _queries)
def test_matching_terms_are_in_the_index_and_indexed_words_match(event, text):
    words = search_tokens(event, KEYS)
    for term in parse_search(text, KEYS).terms:
        if isinstance(term, TextTerm):
            in_index = all(any(_matches_token(word, token) for word in words) for token in term.index_words)
            does = term_matches(term, event, "", KEYS)
            assert does == in_index if term.is_index_enough else not does or in_index
            wording = {"text": term.text, "tokens": term.tokens, "is_quoted": term.is_quoted}
            assert term_matches(PathTerm(0, 1, False, steps=("data",), **wording), event, "", KEYS) == does


def _matches_token(word: str, token: str) -> bool:
    """As PostgreSQL reads the tsquery of a single token."""
    return word.startswith(token) if tsquery([token]).endswith(":*") else word == token.lstrip("=")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["118", "mecanico", "bom", '"bom"', '"bomba"', PK, PK[:-1], "treasure", "48213", "0", "true", "false"]
)
def test_the_index_of_the_database_gives_the_same_result(text):
    make_subscription()
    import_logs(log_document(event=EVENT))
    stored = {**log_document()["event"], **EVENT}
    term = term_of(text)
    is_in_index = Payload.objects.filter(search__matches=tsquery(term.index_words)).exists()
    assert term_matches(term, stored, "", KEYS) == is_in_index
