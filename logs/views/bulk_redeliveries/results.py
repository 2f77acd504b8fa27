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

from ...forms.bulk_lists import ResultsFilterForm
from ...models import BulkRedelivery, SkipReason, Subscription
from ...redelivery.results import count_outcomes, results_csv, results_page
from ...redelivery.titles import title_of
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


def results_context(bulk: BulkRedelivery, search: ResultsFilterForm) -> dict[str, Any]:
    """`search`: must be valid. At most two queries."""
    return {
        "tabs": _tabs(bulk, search),
        "narrowed": _narrowed(bulk, search),
        "first_url": search.address(sort=""),
        "last_address": search.address(sort="last"),
    }


def _tabs(bulk: BulkRedelivery, search: ResultsFilterForm) -> list[Tab]:
    """Their numbers are those of their rows, with the other filters."""
    labels = {"": _("All"), "planned": _("Can be sent"), "excluded": _("Excluded")}
    if not bulk.is_plan:
        labels = {
            "": _("All"),
            "delivered": _("Delivered"),
            "failed": _("Failed"),
            "skipped": _("Skipped"),
            "waiting": _("Waiting"),
            "excluded": _("Excluded"),
        }
    counts = count_outcomes(bulk, search.found_with_any_outcome(bulk), labels)
    shown = search.cleaned_data["outcome"]
    return [Tab(label, search.address(outcome=word), counts[word], word == shown) for word, label in labels.items()]


def _narrowed(bulk: BulkRedelivery, search: ResultsFilterForm) -> list[NarrowedTo]:
    filters, chosen = [], search.cleaned_data
    if chosen["outcome"] in ("superseded", "delivered_before"):
        text = _("Superseded") if chosen["outcome"] == "superseded" else _("Delivered before")
        filters.append(NarrowedTo(_("Only"), text, search.address(outcome="")))
    if reason := chosen["reason"]:
        filters.append(NarrowedTo(_("Reason"), str(dict(SkipReason.choices)[reason]), search.address(reason="")))
    if subscription_id := chosen["subscription"]:
        names = Subscription.objects.filter(pk__in=bulk.selected_subscriptions).values_list("name", flat=True)
        name = names.filter(pk=subscription_id).first() or subscription_id
        filters.append(NarrowedTo(_("Subscription"), name, search.address(subscription="")))
    return filters


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_results(request: HttpRequest, pk: int) -> HttpResponse:
    """The results; for a plan, what would be sent and what is excluded."""
    bulk = visible_bulk_redelivery(request, pk)
    search = ResultsFilterForm(request.GET)
    context: dict[str, Any] = {"bulk": bulk, "search": search, "title": title_of(bulk, request.user)}
    if search.is_valid():
        items, next_after = results_page(bulk, search.found_in(bulk))
        context |= {"items": items, "next_after": next_after, **results_context(bulk, search)}
    partial = (
        "bulk_redeliveries/_results_rows.html"
        if target_id(request) == "load-more"
        else "bulk_redeliveries/_results.html"
    )
    return render_region(request, "bulk_redeliveries/results.html", partial, context, 422 if search.errors else 200)


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    bulk = visible_bulk_redelivery(request, pk)
    response = StreamingHttpResponse(results_csv(bulk), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"redelivery-{bulk.pk}.csv") or ""
    response["Cache-Control"] = "no-store"
    return response
