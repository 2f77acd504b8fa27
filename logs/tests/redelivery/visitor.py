"""A signed-in user who follows only the links, forms and buttons of the pages."""

from __future__ import annotations

import re
from functools import cached_property

from bs4 import BeautifulSoup, Tag
from django.conf import settings
from django.urls import reverse
from django_webtest import DjangoTestApp, DjangoWebtestResponse

PLAN = reverse("logs:bulk_redelivery_create")
LOGS = reverse("logs:webhook_log_list")
TICKED = 2  # rows


class Page:
    """A response. `html`: as a tree."""

    def __init__(self, answer: DjangoWebtestResponse) -> None:
        self.answer = answer

    @cached_property
    def html(self) -> BeautifulSoup:
        return self.answer.html

    @property
    def path(self) -> str:
        return self.answer.request.path

    @cached_property
    def links_to_logs(self) -> list[str]:
        """The lists of logs to which the main part of the page leads, each once."""
        links = [link["href"] for link in self.html.main.find_all("a", href=True)]
        return list(dict.fromkeys(href for href in links if re.match(rf"{LOGS}\?", href)))

    def ways_to_a_plan(self) -> list[Way]:
        """Its buttons that lead to a plan. Where rows can be ticked, the first are."""
        forms = [form for form in dict.fromkeys(self.answer.forms.values()) if form.action == PLAN]
        return [Way(form, button) for form in forms for button in self._buttons(form)]

    def _buttons(self, form) -> list[Tag]:
        """Those that submit the form to its own address, within it and elsewhere on the page."""
        elsewhere = self.html.find_all("button", form=form.id) if form.id else []
        submits = [button for button in (*form.html.find_all("button"), *elsewhere) if not button.get("formaction")]
        return [button for button in submits if button.get("type", "submit") == "submit"]


class Way:
    """A button. `selection`: the data it sends, to compare it with other buttons."""

    def __init__(self, form, button: Tag) -> None:
        for box in form.fields.get("log", [])[:TICKED]:
            box.checked = True
        self.label = words(button)
        self._form = form
        self._button = {"name": button["name"], "value": button["value"]} if button.get("name") else {}
        sent = form.submit_fields(self._button.get("name"), submit_value=self._button.get("value"))
        self.source = dict(sent)["source"]
        self.selection = frozenset(pair for pair in sent if pair[0] not in ("csrfmiddlewaretoken", "log"))

    def go(self) -> Page:
        answer = self._form.submit(**self._button)
        assert answer.status_int == 303, answer.text
        return Page(answer.follow())


class Visitor:
    """`Visitor(client)`, with the session of Django's test client. An error page fails the test."""

    def __init__(self, client) -> None:
        self.app = DjangoTestApp()
        self.seen: set = set()
        self.app.set_cookie(settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value)

    def open(self, address: str) -> Page:
        return Page(self.app.get(address, auto_follow=True))


def words(tag: Tag) -> str:
    return " ".join(tag.text.split())
