"""Django's templates, but for one thing: what a page was made of goes when the page is done.

A context of Django holds itself, and so everything that the page showed: all of it would stay in memory until Python looks for
garbage, which takes longer the more there is (docs/adr/0018-rows-of-logs-are-python.md).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template import TemplateDoesNotExist
from django.template.backends import django
from django.template.context import make_context
from django.utils.safestring import SafeString


class Template(django.Template):
    def render(self, context: dict[str, Any] | None = None, request: HttpRequest | None = None) -> SafeString:
        made = make_context(context, request, autoescape=self.backend.engine.autoescape)
        try:
            page = self.template.render(made)
        except TemplateDoesNotExist as error:
            django.reraise(error, self.backend)
        made.dicts.clear()
        return page


class PageTemplates(django.DjangoTemplates):
    def from_string(self, template_code: str) -> Template:
        return Template(self.engine.from_string(template_code), self)

    def get_template(self, template_name: str) -> Template:
        try:
            return Template(self.engine.get_template(template_name), self)
        except TemplateDoesNotExist as error:
            django.reraise(error, self)
