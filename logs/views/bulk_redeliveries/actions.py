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
from ...models import BulkRedeliveryState, Run, Subscription
from ...redelivery import controls, start
from ...redelivery.drafts import discard_draft
from ...redelivery.preview import build_preview
from .bulk_redeliveries import bulk_redelivery_answer, visible_bulk_redelivery
from .presenters import plan_context


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start the plan as the person saw it. `look`: only show it again, with the numbers for the current choices."""
    run = visible_bulk_redelivery(request, pk)
    if run.state != BulkRedeliveryState.PLANNED or run.problem:
        return redirect(run)  # a second click opens the bulk redelivery
    if "look" in request.POST:
        context = _context(request, run, BulkChoicesForm(request.POST, run=run))
        return bulk_redelivery_answer(
            request, run, "bulk_redeliveries/_plan.html", context, region="bulk_redeliveries/_plan_update.html"
        )
    form = BulkStartForm(request.POST, run=run)
    if form.matches_preview(build_preview(run, form.choices)):
        start.start_bulk(run, form.cleaned_data, form.cleaned_data["lane"], by=request.user)
        return redirect(run)
    return bulk_redelivery_answer(request, run, "bulk_redeliveries/_plan.html", _context(request, run, form), 422)


def _context(request: HttpRequest, run: Run, form: BulkChoicesForm) -> dict[str, Any]:
    return plan_context(run, form) | {"reason": request.POST.get("reason", "")}


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_discard(request: HttpRequest, pk: int) -> HttpResponse:
    run = visible_bulk_redelivery(request, pk)
    if not discard_draft(run):
        messages.info(request, _("It was started in the meantime. Only plans that were not started can be discarded."))
        return redirect(run)
    messages.success(request, _("Plan discarded. Nothing was sent."))
    return redirect("logs:bulk_redelivery_list")


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_pause(request: HttpRequest, pk: int) -> HttpResponse:
    run = visible_bulk_redelivery(request, pk)
    if not controls.pause_bulk(run, by=request.user):
        messages.info(request, _("It is no longer running, so there was nothing to pause."))
    return redirect(run)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_resume(request: HttpRequest, pk: int) -> HttpResponse:
    run = visible_bulk_redelivery(request, pk)
    if not controls.resume_bulk(run, by=request.user):
        messages.info(request, _("It is no longer paused."))
    return redirect(run)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_stop(request: HttpRequest, pk: int) -> HttpResponse:
    run = visible_bulk_redelivery(request, pk)
    if not controls.stop_bulk(run, by=request.user):
        messages.info(request, _("It has already ended."))
    return redirect(run)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_exclude(request: HttpRequest, pk: int, lane: str) -> HttpResponse:
    """Exclude one subscription: this bulk redelivery sends nothing more to it."""
    run = visible_bulk_redelivery(request, pk)
    subscription = get_object_or_404(Subscription.objects.visible_to(request.user).filter(pk__in=run.lanes), pk=lane)
    if controls.exclude_subscription(run, lane, by=request.user):
        text = _("This bulk redelivery sends nothing more to %(name)s.") % {"name": subscription}
        messages.success(request, text)
    else:
        messages.info(request, _("There was nothing left to send."))
    return redirect(run)
