"""Django's templates, but for two things: a page leaves nothing behind, and no letter of what it shows turns the direction.

A context of Django holds itself, and so everything that the page showed: all of it would stay in memory until Python looks for
garbage, which takes longer the more there is (docs/adr/0018-rows-of-logs-are-python.md).
"""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest
from django.template import TemplateDoesNotExist
from django.template.backends import django
from django.template.context import make_context
from django.utils.safestring import SafeString, mark_safe

# Letters that turn the direction of what follows them: a name with one makes the rest of a page, and itself, read otherwise.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# What is not text to read: tags with their attributes, and fields, whose content comes back with the form.
_NO_TEXT = re.compile(r"(<(?:textarea|script|style)\b.*?</(?:textarea|script|style)>|<[^>]*>)", re.DOTALL)


def with_visible_bidi(page: SafeString) -> SafeString:
    """The page with each such letter written out, as \\u202e; in attributes and fields they stay what they are."""
    if not _BIDI.search(page):
        return page
    parts = _NO_TEXT.split(page)
    parts[::2] = [_BIDI.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text) for text in parts[::2]]
    return mark_safe("".join(parts))  # noqa: S308  # it was safe, and has letters and brackets more


class Template(django.Template):
    def render(self, context: dict[str, Any] | None = None, request: HttpRequest | None = None) -> SafeString:
        made = make_context(context, request, autoescape=self.backend.engine.autoescape)
        try:
            page = self.template.render(made)
        except TemplateDoesNotExist as error:
            django.reraise(error, self.backend)
        made.dicts.clear()
        return with_visible_bidi(page)


class PageTemplates(django.DjangoTemplates):
    def from_string(self, template_code: str) -> Template:
        return Template(self.engine.from_string(template_code), self)

    def get_template(self, template_name: str) -> Template:
        try:
            return Template(self.engine.get_template(template_name), self)
        except TemplateDoesNotExist as error:
            django.reraise(error, self)
