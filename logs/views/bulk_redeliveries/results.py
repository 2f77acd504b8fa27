"""The header of the results: tabs by outcome, and the active filters.

The results of a bulk redelivery: every requested log and its outcome, as a page and as a CSV file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ...models import Run, SkipReason, Subscription
from ...redelivery.progress import ItemCounts, progress_of
from ...redelivery.results import ResultsFilterForm, results_csv, results_page
from ..helpers import render_region, target_id
from .bulk_redeliveries import visible_bulk_redelivery


@dataclass(frozen=True)
class Tab:
    label: str
    address: str
    number: int
    is_current: bool


@dataclass(frozen=True)
class NarrowedTo:
    """A filter other than the outcome; `address`: the URL of the results without it."""

    label: str
    text: str
    address: str


def results_context(run: Run, search: ResultsFilterForm) -> dict[str, Any]:
    """`search`: must be valid. At most two queries."""
    numbers = progress_of(run).all
    return {
        "tabs": _tabs(run, search, numbers),
        "narrowed": _narrowed(run, search),
        "first_url": search.address(sort=""),
        "last_address": search.address(sort="last"),
    }


def _tabs(run: Run, search: ResultsFilterForm, numbers: ItemCounts) -> list[Tab]:
    everything = numbers.total + numbers.left_out + numbers.planned
    found = [("", _("All"), everything), ("left_out", _("Excluded"), numbers.left_out)]
    if run.is_plan:
        found[1:1] = [("planned", _("Can be sent"), numbers.planned)]
    else:
        found[1:1] = [
            ("delivered", _("Delivered"), numbers.delivered),
            ("failed", _("Failed"), numbers.failed),
            ("skipped", _("Skipped"), numbers.skipped),
            ("waiting", _("Waiting"), numbers.to_go),
        ]
    shown = search.cleaned_data["show"]
    return [Tab(label, search.address(show=word, why=""), number, word == shown) for word, label, number in found]


def _narrowed(run: Run, search: ResultsFilterForm) -> list[NarrowedTo]:
    found, chosen = [], search.cleaned_data
    if chosen["show"] in ("stale", "received"):
        text = _("Superseded") if chosen["show"] == "stale" else _("Delivered before")
        found.append(NarrowedTo(_("Only"), text, search.address(show="")))
    if why := chosen["why"]:
        found.append(NarrowedTo(_("Reason"), str(dict(SkipReason.choices)[why]), search.address(why="")))
    if lane := chosen["lane"]:
        names = Subscription.objects.filter(pk__in=run.lanes).values_list("name", flat=True)
        found.append(NarrowedTo(_("Subscription"), names.filter(pk=lane).first() or lane, search.address(lane="")))
    return found


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_results(request: HttpRequest, pk: int) -> HttpResponse:
    """The results; for a plan, what would be sent and what is excluded."""
    run = visible_bulk_redelivery(request, pk)
    search = ResultsFilterForm(request.GET)
    context: dict[str, Any] = {"run": run, "search": search}
    if search.is_valid():
        entries, next_after = results_page(search.found_in(run))
        context |= {"entries": entries, "next_after": next_after, **results_context(run, search)}
    partial = (
        "bulk_redeliveries/_results_rows.html" if target_id(request) == "more" else "bulk_redeliveries/_results.html"
    )
    return render_region(request, "bulk_redeliveries/results.html", partial, context, 422 if search.errors else 200)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    run = visible_bulk_redelivery(request, pk)
    response = StreamingHttpResponse(results_csv(run), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"redelivery-{run.pk}.csv") or ""
    response["Cache-Control"] = "no-store"
    return response
