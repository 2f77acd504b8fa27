"""The search language: how a text is parsed, and which mistakes are reported where."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path as FilePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logs.logsearch.field_help import FIELD_HELP
from logs.logsearch.fields import CHOICE_FIELDS, SEARCH_FIELDS
from logs.logsearch.query_language import (
    MAX_SEARCH_LENGTH,
    MAX_TERMS,
    ChoiceTerm,
    ParseError,
    PathTerm,
    RangeTerm,
    SearchQuery,
    Term,
    TextTerm,
    TimeTerm,
    parse_search,
)
from logs.payloads.masking import DEFAULT_MASKED_KEYS, MaskedKeys

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)
PK = "62742dd824c886d54e60f02b"


def read(text: str) -> SearchQuery:
    return parse_search(text, KEYS)


def said(term: Term) -> dict:
    """A term without its place."""
    return {name: value for name, value in asdict(term).items() if name not in ("start", "end")}


def word(text: str, *tokens: str, no: bool = False, quoted: bool = False, response: bool = False) -> TextTerm:
    return TextTerm(0, 0, no, text=text, tokens=tokens or (text,), is_quoted=quoted, only_response=response)


def path(*steps: str, text: str, of: tuple[str, ...] = (), no: bool = False, quoted: bool = False) -> PathTerm:
    return PathTerm(0, 0, no, text=text, tokens=of or (text,), is_quoted=quoted, steps=steps)


def choice(name: str, *values: str, no: bool = False) -> ChoiceTerm:
    return ChoiceTerm(0, 0, no, name, values)


def span(name: str, low: float | None, high: float | None, *, out: bool = False, no: bool = False) -> RangeTerm:
    return RangeTerm(0, 0, no, name, low, high, out and low is not None, out and high is not None)


def times(since: datetime | None, until: datetime | None, *, no: bool = False) -> TimeTerm:
    return TimeTerm(0, 0, no, "failed", since, until)


EIGHT, NINE = datetime(2026, 11, 30, 8, tzinfo=UTC), datetime(2026, 11, 30, 9, 15, tzinfo=UTC)
WORDS = {
    "bomba": [word("bomba")],
    "P-118": [word("P-118", "p", "118")],
    "Mecánico": [word("Mecánico", "mecanico")],
    PK.upper(): [word(PK.upper(), PK)],
    "two words": [word("two"), word("words")],
    "-bomba": [word("bomba", no=True)],
    "--bomba": [word("-bomba", "bomba", no=True)],
    '"bomba azul"': [word("bomba azul", "bomba", "azul", quoted=True)],
    '-"bomba azul"': [word("bomba azul", "bomba", "azul", no=True, quoted=True)],
    '"bomba"': [word("bomba", quoted=True)],
    '"P-118"': [word("P-118", "p", "118", quoted=True)],
    '"B" plan': [word("B", "b", quoted=True), word("plan")],
    "A-B plan": [word("A-B", "a", "b"), word("plan")],
    "“bomba azul”": [word("bomba azul", "bomba", "azul", quoted=True)],
    "«bomba azul»": [word("bomba azul", "bomba", "azul", quoted=True)],
    '"state:failed"': [word("state:failed", "state", "failed", quoted=True)],
    'bomba"azul"': [word("bomba"), word("azul", quoted=True)],
    "https://x.example:80/t/118": [word("https://x.example:80/t/118", "https", "x", "example", "80", "t", "118")],
    "www.server.com:443": [word("www.server.com:443", "www", "server", "com", "443")],
    "67.225.146.248:443": [word("67.225.146.248:443", "67", "225", "146", "248", "443")],
    "10:30": [word("10:30", "10", "30")],
    "2026-04-13T22:30": [word("2026-04-13T22:30", "2026", "04", "13t22", "30")],
    "Error: refused": [word("Error:", "error"), word("refused")],
    '{"error":"timeout"}': [word("error", quoted=True), word("timeout", quoted=True)],
    "plan B": [word("plan")],
    "B": [word("B", "b")],
    "a b": [word("a"), word("b")],
    "x state:failed": [choice("state", "failed")],
    "": [],
    " \t\n ": [],
    "- () — … bomba": [word("bomba")],
    '"" bomba': [word("bomba")],
    "-33.45": [word("-33.45", "33", "45")],
    "-33": [word("33", no=True)],
}
FIELD_VALUES = {
    "state:failed": [choice("state", "failed")],
    "STATE:Failed": [choice("state", "failed")],
    "state:delivered": [choice("state", "delivered")],
    "state:failed,retrying": [choice("state", "failed", "retrying")],
    'state:"failed"': [choice("state", "failed")],
    "-state:failed": [choice("state", "failed", no=True)],
    "result:success": [choice("result", "SUCCESS")],
    "cause:timeout": [choice("cause", "timeout")],
    "cause:HTTP_4XX": [choice("cause", "http_4xx")],
    "type:COTTask": [choice("type", "COTTask")],
    "type:task,user": [choice("type", "COTTask", "COTUser")],
    "type:element": [choice("type", "COTProperty")],
    "type:login": [choice("type", "Auth")],
    "action:edit": [choice("action", "edit")],
    "test:yes": [choice("test", "yes")],
    "was:failed": [choice("was", "failed")],
    "-was:failed": [choice("was", "failed", no=True)],
    "failed:2026-11-30T08:00Z..2026-11-30T09:15Z": [times(EIGHT, NINE)],
    'failed:"2026-11-30 08:00Z..30/11/2026 09:15"': [times(EIGHT, NINE)],
    "-failed:2026-11-30T08:00Z..": [times(EIGHT, None, no=True)],
    "failed:..2026-11-30T09:15Z": [times(None, NINE)],
    "failed:30/11/2026": [times(datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))],
    "status:409": [choice("status", "409")],
    "status:409,5xx,none": [choice("status", "409", "5xx", "none")],
    "status:400..499": [span("status", 400, 499)],
    "status:>=500": [span("status", 500, None)],
    "duration:>2s": [span("duration", 2000, None, out=True)],
    "duration:<=800ms": [span("duration", None, 800)],
    "duration:1.5s..1min": [span("duration", 1500, 60_000)],
    "duration:250ms": [span("duration", 250, 250)],
    "-duration:<1s": [span("duration", None, 1000, out=True, no=True)],
    "attempts:3": [span("attempts", 3, 3)],
    "attempts:2..": [span("attempts", 2, None)],
    "attempts:..2": [span("attempts", None, 2)],
    f"id:{PK.upper()}": [choice("id", PK)],
    "incident:12,7": [choice("incident", "12", "7")],
    f"object:{PK},{PK[::-1]}": [choice("object", PK, PK[::-1])],
    "sub:wo_update": [choice("sub", "wo_update")],
    "subscription:wo_update": [choice("sub", "wo_update")],
    'sub:"Work Orders Update"': [choice("sub", "Work Orders Update")],
    'sub:"Orders, open",wo_update': [choice("sub", "Orders, open", "wo_update")],
    "company:Austral": [choice("company", "Austral")],
    "response:ETIMEDOUT": [word("ETIMEDOUT", "etimedout", response=True)],
    'response:"bad gateway"': [word("bad gateway", "bad", "gateway", quoted=True, response=True)],
    "response:a,502": [word("a,502", "a", "502", response=True)],
    'fingerprint:"502 Bad, {n}"': [choice("fingerprint", "502 Bad, {n}")],
    "fingerprint:a,b": [choice("fingerprint", "a,b")],
}
PATHS = {
    "data.asset:62742b": [path("data", "asset", text="62742b")],
    "-data.asset:62742b": [path("data", "asset", text="62742b", no=True)],
    "data:118": [path("data", text="118")],
    "DATA.Asset:118": [path("data", "Asset", text="118")],
    "extradata.userId:118": [path("extraData", "userId", text="118")],
    "data.list.0.name:bomba": [path("data", "list", "0", "name", text="bomba")],
    "/data/list/0:bomba": [path("data", "list", "0", text="bomba")],
    "/diff/~1data~1name~0/previous:x9": [path("diff", "/data/name~", "previous", text="x9")],
    'data.name:"bomba azul"': [path("data", "name", text="bomba azul", of=("bomba", "azul"), quoted=True)],
    "data.url:https://x.example": [path("data", "url", text="https://x.example", of=("https", "x", "example"))],
    "data.at:10:30": [path("data", "at", text="10:30", of=("10", "30"))],
    "data.names:ana,eva": [path("data", "names", text="ana,eva", of=("ana", "eva"))],
}


@pytest.mark.parametrize(("text", "terms"), (WORDS | FIELD_VALUES | PATHS).items())
def test_a_text_is_parsed_into_terms(text, terms):
    query = read(text)
    assert query.problems == []
    assert [(type(term), said(term)) for term in query.terms] == [(type(term), said(term)) for term in terms]


def test_the_examples_cover_every_field_and_every_choice():
    assert {text.lstrip("-").partition(":")[0].lower() for text in FIELD_VALUES} >= set(SEARCH_FIELDS)
    for name, values in CHOICE_FIELDS.items():
        for spelling, value in values.items():
            assert [said(term) for term in read(f"{name}:{spelling}").terms] == [said(choice(name, value))]


@pytest.mark.parametrize(
    ("text", "wrong", "says"),
    [
        ("bomba stat:failed azul", "stat:failed", "There is no field “stat”. Did you mean “state”?"),
        ("colour:red", "colour:red", "There is no field “colour”. To search for the words"),
        (
            "state:open",
            "state:open",
            "“open” isn’t a valid value. Use one of: pending, retrying, delivered, failed, skipped, superseded.",
        ),
        ("cause:http4xx x", "cause:http4xx", "“http4xx” isn’t a valid value. Use one of: timeout, refused,"),
        ("state:failed,open", "state:failed,open", "“open” isn’t a valid value"),
        ("status:099", "status:099", "isn’t an HTTP status. Write a number such as 409"),
        ("status:4099", "status:4099", "isn’t an HTTP status."),
        ("status:>abc", "status:>abc", "“abc” is not a whole number."),
        ("status:٤٠٩", "status:٤٠٩", "or one of: success, 2xx,"),
        ("attempts:-1", "attempts:-1", "“-1” is not a whole number."),
        (f"attempts:>{'9' * 100}", f"attempts:>{'9' * 100}", "is not a whole number."),
        ("attempts:..", "attempts:..", "A range needs a start or an end"),
        ("attempts:3..1", "attempts:3..1", "The range ends before it begins."),
        ("duration:>2h", "duration:>2h", "Write the duration with its unit and no space: 800ms, 2s or 1min."),
        ("bomba duration:>2 s", "duration:>2", "Write the duration with its unit"),
        ("duration:250", "duration:250", "Write the duration with its unit"),
        ("estado:fallido", "estado:fallido", "There is no field “estado”. To search for the words"),
        (f"duration:>{'9' * 400}s", f"duration:>{'9' * 400}s", "Write the duration"),
        ("id:62742b", "id:62742b", "An id has 24 digits"),
        (f"object:{PK},x", f"object:{PK},x", "An id has 24 digits"),
        ("incident:#12", "incident:#12", "“#12” is not a whole number."),
        ("x -state:", "-state:", "Write a value right after the colon."),
        ("state: failed", "state:", "Write a value right after the colon."),
        ('sub:""', 'sub:""', "Write a value right after the colon."),
        ("- () — …", "- () — …", "The search contains no word or number."),
        ('""', '""', "The search contains no word or number"),
        ("data.:x", "data.:x", "The path is incomplete"),
        ("data..asset:x", "data..asset:x", "The path is incomplete"),
        ("/data/:x", "/data/:x", "The path is incomplete"),
        ("data.asset:", "data.asset:", "Write a value right after the colon."),
        ("data.asset:--", "data.asset:--", "Write a word or a number after the colon."),
        ("response:()", "response:()", "Write a word or a number after the colon."),
        ('bomba "azul y', '"azul y', "The closing quotation mark is missing."),
        ('sub:"Work Orders', 'sub:"Work Orders', "The closing quotation mark is missing."),
        ("data.password:x", "data.password:x", "Values under this key are masked and can’t be searched."),
        ("-data.user.accessToken:x", "-data.user.accessToken:x", "are masked"),
        ("/data/password:x", "/data/password:x", "are masked"),
        ("/diff/~1data~1password/previous:x", "/diff/~1data~1password/previous:x", "are masked"),
        ("/diff/~1api~1key/previous:x", "/diff/~1api~1key/previous:x", "are masked"),
        ("🚚 ñandú 𝔸:1 stats:3 z", "stats:3", "There is no field “stats”"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text, wrong, says):
    problem = next(iter(read(text).problems))
    assert text[problem.start : problem.end] == wrong
    assert says in problem.message


def test_each_wrong_term_is_reported_and_the_others_are_parsed():
    query = read("bomba stat:failed azul id:1")
    assert [term.text for term in query.terms] == ["bomba", "azul"]
    assert [query.text[problem.start : problem.end] for problem in query.problems] == ["stat:failed", "id:1"]


def test_too_many_terms_are_a_problem_and_not_dropped():
    text = " ".join(f"word{number}" for number in range(MAX_TERMS))
    assert (len(read(text).terms), read(text).problems) == (MAX_TERMS, [])
    longer = f"{text} one more"
    assert read(longer).problems == [
        ParseError(len(text) + 1, len(longer), "The search is too long: it can have at most 20 terms.")
    ]


def test_too_many_characters_are_a_problem_and_not_dropped():
    assert read("x" * MAX_SEARCH_LENGTH).problems == []
    assert read("x" * MAX_SEARCH_LENGTH + " yz").problems == [
        ParseError(
            MAX_SEARCH_LENGTH, MAX_SEARCH_LENGTH + 3, "The search is too long: it can have at most 500 characters."
        )
    ]


@pytest.mark.parametrize("words", FIELD_HELP, ids=lambda words: words.name)
def test_each_example_in_the_help_searches_its_field(words):
    for example in words.examples:
        (term,) = read(example).terms
        name = "data" if isinstance(term, PathTerm) else "response" if isinstance(term, TextTerm) else term.name
        assert name == words.name


def test_the_help_describes_every_field():
    assert {words.name for words in FIELD_HELP} == {*SEARCH_FIELDS, "data"}


GUIDE = FilePath(__file__).parents[3] / "docs/user-guide.md"


def test_the_examples_in_the_readme_are_valid():
    section = GUIDE.read_text().partition("## Search\n")[2].partition("\n## ")[0]
    examples = [
        example for row in section.splitlines() if row.startswith("| `") for example in row.split("|")[3].split("` `")
    ]
    assert len(examples) > 20
    assert {example: read(example.strip("` ")).problems for example in examples} == {
        example: [] for example in examples
    }


# Texts that look like the language, and any others.
_names = st.sampled_from(
    [*SEARCH_FIELDS, "data", "data.a", "/data/a~1b", "data.password", "colour", "10", "https", "ñ"]
)
_values = st.one_of(
    st.sampled_from(["failed", "409", ">2s", "1..3", "//x", '"a b"', '"a', "a,b", '"a,b",c', PK, "", '""', "-", "𝔸🚚"]),
    st.text(max_size=8),
)
_pieces = st.one_of(
    st.text(max_size=12),
    st.builds(lambda minus, name, value: f"{minus}{name}:{value}", st.sampled_from(["", "-"]), _names, _values),
)
_texts = st.one_of(st.text(max_size=600), st.lists(_pieces, max_size=25).map(" ".join))


@settings(deadline=None)
@given(_texts)
def test_any_text_can_be_parsed_and_its_offsets_are_valid_and_in_order(text):
    query = read(text)
    for parts in (query.terms, query.problems):
        places = [place for part in parts for place in (part.start, part.end)]
        assert places == sorted(places)
        assert all(0 <= part.start < part.end <= len(text) for part in parts)


@settings(deadline=None)
@given(_texts)
def test_terms_parsed_again_mean_the_same(text):
    query = read(text)
    again = read(" ".join(query.text[term.start : term.end] for term in query.terms))
    assert again.problems == []
    assert [said(term) for term in again.terms] == [said(term) for term in query.terms]


@settings(deadline=None)
@given(_texts)
def test_no_term_reaches_under_a_masked_key(text):
    paths = [term for term in read(text).terms if isinstance(term, PathTerm)]
    assert not any(KEYS.matches(step) for term in paths for step in term.steps)
