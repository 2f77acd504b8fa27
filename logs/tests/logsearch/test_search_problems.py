"""What the page shows of an invalid search: where the mistake is, and why."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from logs.logsearch.query_language import ParseError, parse_search
from logs.payloads.masking import masked_keys
from logs.templatetags.search_help import marked as marked_text

from ..factories import make_log, make_subscription

LOGS = reverse("logs:webhook_log_list")


def shown(text: str) -> str:
    problems = parse_search(text, masked_keys()).problems
    return render_to_string("logs/list/_search_problems.html", {"text": text, "problems": problems})


def marked(page: str) -> list[str]:
    return [unescape(part) for part in re.findall(r"<mark>(.*?)</mark>", page, re.DOTALL)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("bomba stat:failed azul", ["stat:failed"]),
        ("🚚 ñandú 𝔸🏗️ stat:failed", ["stat:failed"]),
        ("colour:🚚 id:1", ["colour:🚚", "id:1"]),
        ('a "open quote', ['"open quote']),
        ("<script>alert(1)</script> <b>:x stat:<img>", ["stat:<img>"]),
        ("data.password:x", ["data.password:x"]),
        ("- …", ["- …"]),
    ],
)
def test_the_bad_term_is_marked_in_the_search_text(text, wrong):
    page = shown(text)
    assert marked(page) == wrong
    (line,) = re.findall(r'<p class="mono">(.*?)</p>', page, re.DOTALL)
    assert unescape(re.sub(r"</?mark>", "", line)) == text
    assert "<img" not in page and "<script" not in page


def test_each_problem_says_what_is_wrong_beside_its_term():
    page = shown("stat:failed id:1")
    assert re.findall(r'<b class="mono">([^<]*)</b> ([^<.]*)', page) == [
        ("stat:failed", "There is no field “stat”"),
        ("id:1", "An id has 24 digits, 0 to 9 and a to f"),
    ]


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([], ["abcdef"]),
        ([(0, 6)], ["[abcdef]"]),
        ([(4, 5), (1, 2)], ["a", "[b]", "cd", "[e]", "f"]),
        ([(1, 4), (2, 5)], ["a", "[bcd]", "[e]", "f"]),
        ([(1, 4), (1, 4)], ["a", "[bcd]", "ef"]),
        ([(5, 99)], ["abcde", "[f]"]),
    ],
)
def test_problems_can_come_in_any_order_and_overlap(problems, expected):
    text = marked_text("abcdef", [ParseError(start, end, "") for start, end in problems])
    assert text.replace("<mark>", "[").replace("</mark>", "]") == "".join(expected)


def test_only_the_beginning_of_a_very_long_text_is_shown():
    page = shown("x" * 100_000)
    assert len(page) < 3000
    assert marked(page) == ["x" * 40]


@pytest.mark.django_db
@pytest.mark.parametrize("is_partial", [True, False])
def test_an_invalid_search_finds_nothing_and_marks_the_place(client, member, is_partial):
    make_subscription()
    log = make_log()
    client.force_login(member("Viewer"))
    answer = client.get(LOGS, {"q": "stat:failed"}, headers={"hx-request": "true"} if is_partial else {})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert marked(page) == ["stat:failed"]
    assert log.pk not in page


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["-", '""', "!!!"])
def test_an_empty_term_finds_nothing_rather_than_everything(client, member, text):
    make_subscription()
    log = make_log()
    client.force_login(member("Viewer"))
    answer = client.get(LOGS, {"q": text})
    assert answer.status_code == 422
    assert log.pk not in answer.content.decode()
    assert log.pk in client.get(LOGS, {"q": " "}).content.decode()  # an empty box


@pytest.mark.django_db
def test_problems_are_listed_in_the_order_of_the_search_text(client, member):
    make_subscription()
    client.force_login(member("Viewer"))
    page = client.get(LOGS, {"q": "sub:nobody stat:failed"}).content.decode()
    assert re.findall(r'<li><b class="mono">([^<]*)</b>', page) == ["sub:nobody", "stat:failed"]


@pytest.mark.django_db
def test_a_search_never_finds_a_masked_value_and_says_why(client, member):
    make_subscription()
    log = make_log(event={"data": {"password": "treasure"}})
    client.force_login(member("Administrator"))
    for text in ("treasure", '"treasure chest"', "data:treasure"):
        assert log.pk not in client.get(LOGS, {"q": text}).content.decode()
    assert "are masked and can’t be searched." in client.get(LOGS, {"q": "data.password:treasure"}).content.decode()
