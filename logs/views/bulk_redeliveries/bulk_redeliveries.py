"""The list of bulk redeliveries, and the page of one: its plan until it's started, then its progress."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from ...forms.bulk_lists import BulkListForm
from ...forms.bulk_redelivery import PlanQueryForm
from ...models import BulkRedelivery, BulkRedeliveryState
from ...redelivery.recovery import BlockedQueues, blocked_queues_of
from ...redelivery.selection import origin_of
from ...redelivery.titles import title_of, with_logs_counted
from ..helpers import render_region, target_id, wants_partial
from .listed import listed_bulk_redeliveries, listed_plans
from .presenters import LIVE, PARTS, bulk_context, plan_context, planning_context

PAGE = 25
_REGIONS = {LIVE: "bulk_redeliveries/_live.html", PARTS: "bulk_redeliveries/_parts.html"}


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_list(request: HttpRequest) -> HttpResponse:
    place = BulkListForm(request.GET)
    context: dict[str, Any] = {"place": place}
    if place.is_valid():
        context |= _list_context(request, place.cleaned_data["before"])
    return render_region(
        request, "bulk_redeliveries/list.html", "bulk_redeliveries/_rows.html", context, 422 if place.errors else 200
    )


def _list_context(request: HttpRequest, before: int | None) -> dict[str, Any]:
    """First page: the user's own plans and the open bulk redeliveries, then the ended ones. All are newest first."""
    visible = (
        BulkRedelivery.objects.visible_to(request.user)
        .select_related("planned_by", "started_by", "incident")
        .defer("unknown")
    )
    ended = visible.ended().order_by("-pk")
    page = list((ended.filter(pk__lt=before) if before else ended)[: PAGE + 1])
    first = [] if before else list(visible.open().order_by("-pk"))
    plans = [] if before else list(visible.filter(planned_by=request.user, started_at=None).order_by("-pk")[:PAGE])
    shown = [*first, *page[:PAGE]]
    return {
        "plans": listed_plans(plans, request.user),
        "bulk_redeliveries": listed_bulk_redeliveries(shown, request.user),
        "next_before": page[PAGE - 1].pk if len(page) > PAGE else None,
    }


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def bulk_redelivery_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The page polls while something can change without the user."""
    bulk = visible_bulk_redelivery(request, pk)
    if bulk.state == BulkRedeliveryState.PLANNING:
        return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/_plan_progress.html", planning_context(bulk))
    if bulk.problem:
        return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/_plan_problem.html", {"bulk": bulk})
    if bulk.is_plan:
        return _plan_page(request, bulk)
    region = target_id(request) if wants_partial(request) else ""
    template = _REGIONS.get(region, "")
    if region == LIVE and request.GET.get("seen") != bulk.state:
        region, template = "", "bulk_redeliveries/detail.html#state_changed"
    context = bulk_context(bulk, region, shows_all="all" in request.GET)
    return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/detail.html#run", context, region=template)


def _plan_page(request: HttpRequest, bulk: BulkRedelivery) -> HttpResponse:
    """With the choices in the URL."""
    form = PlanQueryForm(request.GET, bulk=bulk, queues=queues_of(bulk, request.user))
    if form.is_bound and not form.is_valid():
        return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/_plan_query_error.html", {"bulk": bulk}, 422)
    return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/_plan.html", plan_context(bulk, form))


def bulk_redelivery_answer(
    request: HttpRequest,
    bulk: BulkRedelivery,
    partial: str,
    context: dict[str, Any],
    status: int = 200,
    region: str = "",
) -> HttpResponse:
    """`partial`: the content of the page; `region`: what htmx gets instead, if less."""
    title = title_of(bulk, request.user)
    context |= {"partial": partial, "origin": origin_of(bulk, request.user), "title": title}
    context["title_with_numbers"] = _with_numbers(title, context)
    return render_region(request, "bulk_redeliveries/detail.html", region or partial, context, status)


def _with_numbers(title: str, context: dict[str, Any]) -> str:
    """The title with the numbers that the page shows, for the current choices; without any while it is being planned."""
    if "plan" in context:
        return with_logs_counted(title, context["plan"].selected, context["plan"].total)
    return with_logs_counted(title, context["numbers"].total) if "numbers" in context else title


def visible_bulk_redelivery(request: HttpRequest, pk: int) -> BulkRedelivery:
    """Return the bulk redelivery; 404 if it doesn't exist or the user may not see it."""
    visible = BulkRedelivery.objects.visible_to(request.user).select_related(
        "planned_by", "started_by", "acting_user", "parent", "incident"
    )
    return get_object_or_404(visible, pk=pk)


def queues_of(bulk: BulkRedelivery, user) -> BlockedQueues | None:
    """The blocked queues that the plan of an incident can retry or resume; None for other plans."""
    return blocked_queues_of(bulk.incident, user) if bulk.incident else None
