"""A character that changes the text direction is written out where people read it, and stays unchanged in fields."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from cotadmin.middleware import VisibleBidiMiddleware

RAW = "a\u202egpj&lt;x&gt;\u2066"
SHOWN = r"a\u202egpj&lt;x&gt;\u2066"
PAGE = "<title>{0}</title><b id='{0}'>{0}</b><textarea>{0}</textarea>"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", f"<title>{SHOWN}</title><b id='{RAW}'>{SHOWN}</b><textarea>{RAW}</textarea>"),
        ("application/json", PAGE.format(RAW)),
    ],
)
def test_it_is_written_out_in_the_text_of_pages_only(content_type, expected):
    answer = VisibleBidiMiddleware(lambda _request: HttpResponse(PAGE.format(RAW), content_type=content_type))
    assert answer(RequestFactory().get("/")).text == expected
