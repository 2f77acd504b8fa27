"""The log explorer, and the page of one log."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ..models import WebhookLog
from .explorer_page import Explorer, Page
from .log_page import log_context, update_context
from .rendering import render_region, wants_partial


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_list(request: HttpRequest) -> HttpResponse:
    explorer = Explorer(request.GET, request.user)
    problems = explorer.problems
    page = Page([]) if problems else explorer.page
    context = {
        "explorer": explorer,
        "filter": explorer.filter,
        "page": page,
        "logs": page.logs,
        "problems": problems,
        "is_more": "after" in request.GET,
    }
    if wants_partial(request) and "after" in request.GET and not problems:
        return render(request, "logs/_log_rows.html", context)
    if not problems:
        context["count"] = explorer.total
        context["without"] = explorer.counts_without_each() if not page.logs and explorer.filter.is_filtered else []
    return render_region(
        request, "logs/webhook_log_list.html", "logs/_log_results.html", context, status=422 if problems else 200
    )


def visible_log(request: HttpRequest, pk: str) -> WebhookLog:
    """The log, or 404 where there is none or the person may not see it."""
    logs = WebhookLog.objects.visible_to(request.user).select_related("subscription__company", "requested_by")
    return get_object_or_404(logs.defer("search", "subscription__document"), pk=pk)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_detail(request: HttpRequest, pk: str, part: str = "payload") -> HttpResponse:
    log = visible_log(request, pk)
    return render(request, "logs/webhook_log_detail.html", log_context(request, log, part))


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_row(request: HttpRequest, pk: str) -> HttpResponse:
    """One row of the explorer; it asks for itself while an attempt is due."""
    log = get_object_or_404(WebhookLog.objects.visible_to(request.user).for_list(), pk=pk)
    return render(request, "logs/_log_row.html", {"log": log})


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_status(request: HttpRequest, pk: str) -> HttpResponse:
    """What a re-delivery changes on the page of a log; it asks for itself while an attempt is due."""
    return render(request, "logs/_log_status.html", update_context(request, visible_log(request, pk)))
