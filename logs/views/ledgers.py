"""The ledger of a run: every log that was asked for and what became of it, on the screen and as a file."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from ..redelivery.results import LedgerSearch, ledger_csv, ledger_page
from .ledger_page import ledger_context
from .rendering import asked_for_by, render_region
from .run_pages import visible_run


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def run_ledger(request: HttpRequest, pk: int) -> HttpResponse:
    """Of a plan, too: there it lists what would be sent and what is left out."""
    run = visible_run(request, pk)
    search = LedgerSearch(request.GET)
    context: dict[str, Any] = {"run": run, "search": search}
    if search.is_valid():
        entries, next_after = ledger_page(search.found_in(run))
        context |= {"entries": entries, "next_after": next_after, **ledger_context(run, search)}
    partial = "logs/_ledger_rows.html" if asked_for_by(request) == "more" else "logs/_ledger.html"
    return render_region(request, "logs/run_ledger.html", partial, context, 422 if search.errors else 200)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def run_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    run = visible_run(request, pk)
    response = StreamingHttpResponse(ledger_csv(run), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"redelivery-{run.pk}.csv") or ""
    response["Cache-Control"] = "no-store"
    return response
