"""What the page shows of a search that ran out of time, and how the search continues."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from logs.db.cursor_pagination import Cursor
from logs.logsearch import finder as finding
from logs.logsearch import index_lookup
from logs.views.logs import list_page

from ..factories import import_logs, log_document, make_subscription

LOGS = reverse("logs:webhook_log_list")


def searched(rf, number: int, seconds: float, *, searched_back: bool = True, is_before: bool = False) -> str:
    """The words of the page with so many logs, and the address of its link."""
    until = Cursor(datetime(2026, 11, 3, 14, 5, tzinfo=UTC), "f" * 24)
    page = SimpleNamespace(logs=[object()] * number, searched_until=until, older_cursor="1~f", is_before=is_before)
    finder = SimpleNamespace(seconds=seconds)
    explorer = SimpleNamespace(page=page, finder=finder, searched_back=searched_back)
    text = render_to_string(
        "logs/list/_searched.html", {"explorer": explorer}, rf.get(LOGS, {"q": "x", "before": "2~f"})
    )
    address = re.search(r'href="(\?[^"]*)"', text)[1]
    return " ".join(re.sub(r"<[^>]*>", "", text).split()) + f" {unescape(address)}"


@pytest.mark.parametrize(
    ("number", "seconds", "searched_back", "words"),
    [
        (3, 1.0, True, "Searched back to {} in 1 s and found 3."),
        (1, 8.0, False, "Searched up to {} in 8 s and found 1."),
        (0, 1.5, True, "Nothing found so far Searched back to {} in 1.5 s and found 0."),
    ],
)
def test_a_partial_search_says_how_far_it_got_and_continues_there(rf, number, seconds, searched_back, words):
    page = searched(rf, number, seconds, searched_back=searched_back)
    assert page == words.format("3 Nov 2026 14:05:00") + " Keep searching ?q=x&after=1~f&extend=1"


def test_the_page_before_extends_the_search_to_newer_logs(rf):
    assert searched(rf, 3, 1.0, is_before=True).endswith("Keep searching ?q=x&before=1~f&extend=1")


@pytest.fixture
def without_time(monkeypatch):
    """There is only time for two logs, unless the search is extended."""
    monkeypatch.setattr(finding, "FIRST_WINDOW", 2)
    monkeypatch.setattr(index_lookup.IndexLookup, "ids", None)
    finder = list_page.Finder
    monkeypatch.setattr(list_page, "Finder", lambda criteria, seconds=0.0: finder(criteria, seconds=seconds))


@pytest.mark.django_db
def test_an_empty_partial_page_offers_to_extend_the_search(client, member, without_time):
    make_subscription()
    import_logs(*(log_document(number) for number in range(6)))
    client.force_login(member("Viewer"))
    answer = client.get(LOGS, {"q": '"needle in"', "before": f"1000000000000~{'0' * 24}"})
    assert answer.status_code == 200
    assert "Nothing found so far" in answer.content.decode()
    assert re.search(r'href="[^"]*before=[^"]*extend=1"', answer.content.decode())


@pytest.mark.django_db
def test_an_extended_search_finds_the_logs_beyond_the_time_limit(client, member, without_time):
    make_subscription()
    first, *others = (log_document(number) for number in range(6))
    import_logs(first | {"response": "a needle in the hay"}, *others)
    client.force_login(member("Viewer"))
    page = client.get(LOGS, {"q": '"needle in"'}).content.decode()
    assert "Nothing found so far" in page and first["_id"] not in page
    (extended_url,) = re.findall(r'<a class="btn" href="([^"]*extend=1)"', page)
    page = client.get(LOGS + unescape(extended_url)).content.decode()
    assert first["_id"] in page
    assert "Nothing found so far" not in page
