"""The objects of a page are freed with it, without garbage collection."""

from __future__ import annotations

import gc
import weakref

import pytest
from django.http import HttpRequest
from django.template import TemplateDoesNotExist, engines
from django.template.loader import get_template


class Shown:
    def __str__(self) -> str:
        return "shown"


@pytest.fixture(autouse=True)
def nobody_looks_for_garbage():
    gc.disable()
    yield
    gc.enable()


def test_objects_shown_on_a_page_are_freed_with_it():
    template = engines["django"].from_string("{% with other=it %}{{ other }}{% endwith %} {% firstof it %}")
    it = Shown()
    gone = weakref.ref(it)
    context = {"it": it}
    assert template.render(context, HttpRequest()) == "shown shown"
    del it, context
    assert gone() is None


def test_a_missing_template_is_reported_as_usual():
    with pytest.raises(TemplateDoesNotExist, match=r"nowhere\.html"):
        get_template("nowhere.html")
    missing = engines["django"].from_string("{% include 'nowhere.html' %}")
    with pytest.raises(TemplateDoesNotExist, match=r"nowhere\.html"):
        missing.render({})


def test_a_direction_character_is_written_out_on_pages_and_kept_in_data():
    template = engines["django"].from_string(
        "<title>{{ name }}</title><b id='{{ name }}'>{{ name }}</b><textarea>{{ name }}</textarea>"
    )
    page = template.render({"name": "a\u202egpj<x>\u2066"}, HttpRequest())
    raw = "a\u202egpj&lt;x&gt;\u2066"
    shown = r"a\u202egpj&lt;x&gt;\u2066"
    assert page == f"<title>{shown}</title><b id='{raw}'>{shown}</b><textarea>{raw}</textarea>"
