"""Django's templates with two differences: a page leaves no garbage behind, and no character in it changes the text direction.

A Django context refers to itself, and so keeps everything that the page showed. All of it would stay in memory until Python
collects garbage, which takes longer the more there is (docs/adr/0018-rows-of-logs-are-python.md).
"""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest
from django.template import TemplateDoesNotExist
from django.template.backends import django
from django.template.context import make_context
from django.utils.safestring import SafeString, mark_safe

# Characters that change the direction of the text after them: one in a name makes the name and the rest of a page misread.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Parts that aren't visible text: tags with their attributes, and fields, whose content comes back with the form.
_NO_TEXT = re.compile(r"(<(?:textarea|script|style)\b.*?</(?:textarea|script|style)>|<[^>]*>)", re.DOTALL)


def with_visible_bidi(page: SafeString) -> SafeString:
    """The page with each such character written out, as \\u202e; in attributes and fields they stay unchanged."""
    if not _BIDI.search(page):
        return page
    parts = _NO_TEXT.split(page)
    parts[::2] = [_BIDI.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text) for text in parts[::2]]
    return mark_safe("".join(parts))  # noqa: S308  # the page was safe, and only gained backslashes and digits


class Template(django.Template):
    def render(self, context: dict[str, Any] | None = None, request: HttpRequest | None = None) -> SafeString:
        page_context = make_context(context, request, autoescape=self.backend.engine.autoescape)
        try:
            page = self.template.render(page_context)
        except TemplateDoesNotExist as error:
            django.reraise(error, self.backend)
        page_context.dicts.clear()
        return with_visible_bidi(page)


class PageTemplates(django.DjangoTemplates):
    def from_string(self, template_code: str) -> Template:
        return Template(self.engine.from_string(template_code), self)

    def get_template(self, template_name: str) -> Template:
        try:
            return Template(self.engine.get_template(template_name), self)
        except TemplateDoesNotExist as error:
            django.reraise(error, self)
