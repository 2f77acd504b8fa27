"""Actions on a bulk redelivery: start it, discard its plan, pause, resume or stop it, exclude a subscription."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...forms.bulk_redelivery import BulkChoicesForm, BulkStartForm
from ...models import BulkRedelivery, BulkRedeliveryState, Subscription
from ...redelivery import controls, start
from ...redelivery.drafts import discard_draft
from ...redelivery.preview import build_preview
from ..helpers import show_outcome
from .bulk_redeliveries import bulk_redelivery_answer, queues_of, visible_bulk_redelivery
from .presenters import plan_context


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start the plan as the person saw it. `preview`: only show it again, with the numbers for the current choices."""
    bulk = visible_bulk_redelivery(request, pk)
    if bulk.state != BulkRedeliveryState.PLANNED or bulk.problem:
        return redirect(bulk)  # a second click opens the bulk redelivery
    queues = queues_of(bulk, request.user)
    if "preview" in request.POST:
        return _preview(request, bulk, BulkChoicesForm(request.POST, bulk=bulk, queues=queues))
    form = BulkStartForm(request.POST, bulk=bulk, queues=queues)
    if form.matches_preview(build_preview(bulk, form.choices)):
        chosen = form.cleaned_data
        start.start_bulk(bulk, chosen, chosen["subscriptions"], by=request.user, queues=form.chosen_queues)
        return redirect(bulk)
    return bulk_redelivery_answer(request, bulk, "bulk_redeliveries/_plan.html", _context(request, bulk, form), 422)


def _preview(request: HttpRequest, bulk: BulkRedelivery, form: BulkChoicesForm) -> HttpResponse:
    """The numbers for these choices. The URL gets the choices, so that Back finds both again."""
    context = _context(request, bulk, form)
    answer = bulk_redelivery_answer(
        request, bulk, "bulk_redeliveries/_plan.html", context, region="bulk_redeliveries/_plan_update.html"
    )
    answer["HX-Replace-Url"] = bulk.get_absolute_url() + form.query_string(context["plan"])
    return answer


def _context(request: HttpRequest, bulk: BulkRedelivery, form: BulkChoicesForm) -> dict[str, Any]:
    return plan_context(bulk, form) | {"reason": request.POST.get("reason", "")}


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_discard(request: HttpRequest, pk: int) -> HttpResponse:
    bulk = visible_bulk_redelivery(request, pk)
    if not discard_draft(bulk):
        messages.info(request, _("It was started in the meantime. Only plans that were not started can be discarded."))
        return redirect(bulk)
    messages.success(request, _("Plan discarded. Nothing was sent."))
    return redirect("logs:bulk_redelivery_list")


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_pause(request: HttpRequest, pk: int) -> HttpResponse:
    bulk = visible_bulk_redelivery(request, pk)
    is_paused = controls.pause_bulk(bulk, by=request.user)
    show_outcome(request, is_paused, "", _("It is no longer running, so there was nothing to pause."))
    return redirect(bulk)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_resume(request: HttpRequest, pk: int) -> HttpResponse:
    bulk = visible_bulk_redelivery(request, pk)
    show_outcome(request, controls.resume_bulk(bulk, by=request.user), "", _("It is no longer paused."))
    return redirect(bulk)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_stop(request: HttpRequest, pk: int) -> HttpResponse:
    bulk = visible_bulk_redelivery(request, pk)
    show_outcome(request, controls.stop_bulk(bulk, by=request.user), "", _("It has already ended."))
    return redirect(bulk)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_exclude(request: HttpRequest, pk: int, subscription_id: str) -> HttpResponse:
    """Exclude one subscription: this bulk redelivery sends nothing more to it."""
    bulk = visible_bulk_redelivery(request, pk)
    visible = Subscription.objects.visible_to(request.user).filter(pk__in=bulk.selected_subscriptions)
    subscription = get_object_or_404(visible, pk=subscription_id)
    is_excluded = controls.exclude_subscription(bulk, subscription_id, by=request.user)
    done = _("This bulk redelivery sends nothing more to %(name)s.") % {"name": subscription}
    show_outcome(request, is_excluded, done, _("There was nothing left to send."))
    return redirect(bulk)
