"""The text of a page, as a person reads it."""

from __future__ import annotations

import html
import re

from django.urls import reverse

HTMX = {"hx-request": "true"}
LOG_LIST = reverse("logs:webhook_log_list")


def text_of(response) -> str:
    return plain_text(response.content.decode())


def plain_text(page: str) -> str:
    """Without tags, and with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def ids_in(response) -> list[str]:
    """The logs in the table of the explorer, in its order."""
    return re.findall(r'<tr data-log="([0-9a-f]{24})"', response.content.decode())


def rows_of(response, table: str) -> list[str]:
    """The rows of the body of a table with this class, each as text."""
    match = re.search(rf'<table class="table {table}">.*?</table>', response.content.decode(), re.DOTALL)
    body = re.search(r"<tbody[^>]*>(.*?)</tbody>", match[0], re.DOTALL)[1] if match else ""
    rows = re.findall(r"<tr[ >].*?</tr>|<tr>.*?</tr>", body, re.DOTALL)
    return [plain_text(row) for row in rows]
