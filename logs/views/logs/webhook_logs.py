"""The log explorer with its regions, completions and columns, and the page of one log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from ...logsearch.columns import COLUMNS_COOKIE, columns_cookie, known_columns
from ...logsearch.completion import completions
from ...logsearch.completion_sources import DatabaseCompletionSource
from ...logsearch.query_language import MAX_SEARCH_LENGTH
from ...logsearch.query_params import canonical_query, list_url, page_querystring
from ...logsearch.saved_views import tabs_for
from ...models import WebhookLog
from ..helpers import back_url, render_part, render_region, target_id, wants_partial
from ..search_limit import limits_searches
from .detail_page import page_context, update_context
from .list_page import LogListPage

YEAR = 365 * 24 * 3600  # seconds


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
@limits_searches
def webhook_log_list(request: HttpRequest, has_place: bool = True) -> HttpResponse:
    if (canonical := canonical_query(request.GET)) != request.GET:
        return redirect(list_url(canonical))
    explorer = LogListPage(request.GET, request.user, has_place)
    if explorer.is_back_at_newest:
        return redirect(explorer.first_url)
    if wants_partial(request) and target_id(request) == "load-more" and not explorer.problems:
        page = explorer.page
        context = {"explorer": explorer, "list_query": explorer.list_query, "page": page, "logs": page.logs}
        return render_part(request, "logs/list/_rows.html", context)
    tabs = tabs_for(request.GET, request.user)
    more = {"views": tabs, "pinned": tabs.navigation}
    return explorer_answer(request, "logs/list/list.html", "logs/list/_update.html", explorer, **more)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
@limits_searches
def webhook_log_facets(request: HttpRequest, has_place: bool = True) -> HttpResponse:
    """All facet values by which the matching logs can be filtered."""
    explorer = LogListPage(request.GET, request.user, has_place)
    return explorer_answer(request, "logs/list/facets.html", "logs/list/_facets.html", explorer, is_whole=True)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
@limits_searches
def webhook_log_histogram(request: HttpRequest, has_place: bool = True) -> HttpResponse:
    """The explorer's histogram, as a table."""
    explorer = LogListPage(request.GET, request.user, has_place)
    return explorer_answer(request, "logs/list/histogram.html", "logs/list/_histogram_table.html", explorer)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_completions(request: HttpRequest) -> HttpResponse:
    """Completions for the search box: the options of a listbox; none if the text is too long.

    `cursor`: the caret's position in characters.
    """
    text = request.GET.get("q", "")
    cursor = request.GET.get("cursor", "")
    caret = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 4 else len(text)
    options = completions(text, caret, DatabaseCompletionSource(request.user)) if len(text) <= MAX_SEARCH_LENGTH else []
    response = render(request, "logs/list/_search_completions.html", {"completions": options})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def log_columns_update(request: HttpRequest) -> HttpResponse:
    """Choose the columns of the log table. They're a preference of the browser, so a cookie keeps them."""
    answer = redirect(back_url(request) or "logs:webhook_log_list")
    if "reset" in request.POST:
        answer.delete_cookie(COLUMNS_COOKIE)
    else:
        columns = columns_cookie(known_columns(request.POST.getlist("column")))
        answer.set_cookie(
            COLUMNS_COOKIE, columns, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return answer


def explorer_answer(
    request: HttpRequest, template: str, partial: str, explorer: LogListPage, **more: Any
) -> HttpResponse:
    context = {"explorer": explorer, "list_query": explorer.list_query} | more
    return render_region(request, template, partial, context, status=422 if explorer.problems else 200)


def visible_log(request: HttpRequest, pk: str) -> WebhookLog:
    """Return the log; 404 if it doesn't exist or the user may not see it."""
    logs = WebhookLog.objects.visible_to(request.user).select_related("subscription__company", "requested_by")
    return get_object_or_404(logs.defer("search", "subscription__document"), pk=pk)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_detail(request: HttpRequest, pk: str, part: str = "payload") -> HttpResponse:
    log = visible_log(request, pk)
    return render(request, "logs/detail/detail.html", page_context(request, log, part))


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_row(request: HttpRequest, pk: str) -> HttpResponse:
    """One row of the explorer; it polls while an attempt is queued."""
    log = get_object_or_404(WebhookLog.objects.visible_to(request.user).for_list(), pk=pk)
    context = {"logs": [log], "list_query": page_querystring(request.GET)}
    return render(request, "logs/list/_row.html", context)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_status(request: HttpRequest, pk: str) -> HttpResponse:
    """The parts of a log's page that a redelivery changes; they poll while an attempt is queued."""
    return render(request, "logs/detail/_status.html", update_context(request, visible_log(request, pk)))
