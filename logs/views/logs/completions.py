"""Completions for the search box."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ...logsearch.completion import completions
from ...logsearch.completion_sources import DatabaseCompletionSource
from ...logsearch.query_language import MAX_SEARCH_LENGTH


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_completions(request: HttpRequest) -> HttpResponse:
    """The options of a listbox; none if the text is too long. `cursor`: the caret's position in characters."""
    text = request.GET.get("q", "")
    cursor = request.GET.get("cursor", "")
    caret = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 4 else len(text)
    options = completions(text, caret, DatabaseCompletionSource(request.user)) if len(text) <= MAX_SEARCH_LENGTH else []
    response = render(request, "logs/list/_search_completions.html", {"completions": options})
    response["Cache-Control"] = "no-store"
    return response
