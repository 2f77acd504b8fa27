"""What a page says, as a person reads it."""

from __future__ import annotations

import html
import re

HTMX = {"hx-request": "true"}


def text_of(response) -> str:
    """Without tags, and with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def rows_of(response, table: str) -> list[str]:
    """The rows of the body of a table with this class, each as text."""
    match = re.search(rf'<table class="table {table}">.*?</table>', response.content.decode(), re.DOTALL)
    body = re.search(r"<tbody[^>]*>(.*?)</tbody>", match[0], re.DOTALL)[1] if match else ""
    rows = re.findall(r"<tr[ >].*?</tr>|<tr>.*?</tr>", body, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]
