"""The lane of a subscription: how it stands, and what an operator may do with it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..forms_reason import ReasonForm
from ..lane_state import lane_state
from ..models import Subscription
from .rendering import wants_partial
from .subscriptions import visible_subscription


@require_safe
@permission_required("logs.view_subscription", raise_exception=True)
def lane_detail(request: HttpRequest, pk: str) -> HttpResponse:
    """The region of the lane, which asks for itself while something waits; without htmx, its page."""
    subscription = visible_subscription(request, pk)
    return _region(request, subscription) if wants_partial(request) else redirect(subscription)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def lane_hold(request: HttpRequest, pk: str) -> HttpResponse:
    if not visible_subscription(request, pk).hold(by=request.user):
        messages.info(request, _("The lane is on hold already."))
    return _answer(request, pk)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def lane_release(request: HttpRequest, pk: str) -> HttpResponse:
    if not visible_subscription(request, pk).release(by=request.user):
        messages.info(request, _("The lane is not on hold any more."))
    return _answer(request, pk)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def waiting_send(request: HttpRequest, pk: str) -> HttpResponse:
    """Send what waited when the subscription was deactivated."""
    if not visible_subscription(request, pk).send_what_waits(by=request.user):
        messages.info(request, _("The subscription is active, or what waits is being sent already."))
    return _answer(request, pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def waiting_skip(request: HttpRequest, pk: str) -> HttpResponse:
    """Skip what waited when the subscription was deactivated; asks for the reason first."""
    subscription = visible_subscription(request, pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "subscription": subscription, "lane": lane_state(subscription)}
        return render(request, "logs/waiting_skip.html", context, status=422 if form.is_bound else 200)
    if skipped := subscription.skip_what_waits(by=request.user, reason=form.cleaned_data["reason"]):
        text = ngettext("%(number)s event was skipped.", "%(number)s events were skipped.", skipped)
        messages.success(request, text % {"number": skipped})
    else:
        messages.info(request, _("Nothing was skipped: nothing waits, or the subscription is active."))
    return redirect(subscription)


def _answer(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    return _region(request, subscription) if wants_partial(request) else redirect(subscription)


def _region(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    context = {"subscription": subscription, "lane": lane_state(subscription), "is_update": True}
    return render(request, "logs/_lane.html", context)
