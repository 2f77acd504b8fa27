"""The search box's help: its fields, and errors in the search text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from ..logsearch.field_help import FIELD_HELP, FieldHelp
from ..logsearch.query_language import MAX_SEARCH_LENGTH, ParseError

register = template.Library()

SHOWN_BEYOND = 40  # characters to show of text that is too long


@register.simple_tag
def search_help() -> SafeString:
    """The syntax of the search box. Each page of the explorer shows it, and it is always the same."""
    return _help(get_language(), get_script_prefix())


@lru_cache
def _help(language: str | None, prefix: str) -> SafeString:
    return render_to_string("logs/list/_search_help.html")


@register.simple_tag
def search_fields() -> tuple[FieldHelp, ...]:
    return FIELD_HELP


@register.simple_tag
def marked(text: str, problems: Sequence[ParseError]) -> SafeString:
    """The whole text with its wrong parts marked. Problems may come in any order, and overlap."""
    shown = text[: MAX_SEARCH_LENGTH + SHOWN_BEYOND]
    parts: list[SafeString] = []
    done = 0
    for problem in sorted(problems, key=lambda problem: problem.start):
        start, end = max(problem.start, done), min(problem.end, len(shown))
        if start < end:
            parts.append(format_html("{}<mark>{}</mark>", shown[done:start], shown[start:end]))
            done = end
    parts.append(format_html("{}{}", shown[done:], "…" if len(text) > len(shown) else ""))
    return SafeString("".join(parts))


@register.simple_tag
def wrong_part(text: str, problem: ParseError) -> str:
    """Return the text that the problem is about, shortened."""
    part = text[problem.start : problem.end]
    return part if len(part) <= SHOWN_BEYOND else f"{part[:SHOWN_BEYOND]}…"
