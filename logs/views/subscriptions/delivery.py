"""Who delivers a subscription's events, and whether a delivery to its URL would be allowed.

The signing secret of a subscription: create a new one, reveal the current one. The audit log records both.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...delivery.receiver_check import ChecksBusy, check_receiver
from ...delivery.url_check import check_destination
from ...incidents.actions import record_check
from ...ingest.sample_events import test_event_error
from ...models import AuditAction, AuditEntry
from ...signing import SecretDecryptionError
from ...subscriptions import services
from ..helpers import render_region
from .detail_page import SECRET_ONCE, detail_context
from .subscriptions import visible_subscription

COTADMIN, COTALKER = "cotadmin", "cotalker"


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_delivery(request: HttpRequest, pk: str) -> HttpResponse:
    """Switch delivery between cotadmin and Cotalker; first show what to do at Cotalker. `delivered_by`: the new one."""
    subscription = visible_subscription(request, pk)
    delivered_by = request.POST.get("delivered_by")
    if delivered_by not in (COTADMIN, COTALKER):
        status = 422 if request.method == "POST" else 200
        return render(request, "subscriptions/delivery.html", {"subscription": subscription}, status=status)
    if not services.set_delivered_by(subscription, delivered_by == COTADMIN, by=request.user):
        messages.info(
            request, _("No change: that was already the setting, or the subscription hasn’t been imported yet.")
        )
    elif delivered_by == COTALKER:
        messages.success(request, _("Cotalker now delivers this subscription’s events."))
    else:
        messages.success(
            request,
            _("cotadmin now delivers this subscription’s events. Enter the inbound endpoint’s URL in Cotalker now."),
        )
        if not subscription.encrypted_secret:
            request.session[SECRET_ONCE] = subscription.pk
    return redirect(subscription)


@require_safe
@permission_required("logs.view_subscription", raise_exception=True)
def subscription_url_check(request: HttpRequest, pk: str) -> HttpResponse:
    """The destination check of its URL, including DNS. The lookup takes time, so the page loads this afterwards."""
    subscription = visible_subscription(request, pk)
    verdict = check_destination(subscription.url) if subscription.url else None
    if verdict and not request.user.has_perm("logs.change_subscription"):
        verdict = verdict.redacted()
    context = {"subscription": subscription, "verdict": verdict}
    return render_region(request, "subscriptions/url_check.html", "subscriptions/_url_check.html", context)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def receiver_check(request: HttpRequest, pk: str) -> HttpResponse:
    """Connect to the receiver now, and say what came of it."""
    subscription = visible_subscription(request, pk)
    context: dict[str, Any] = {"subscription": subscription, "checked_at": timezone.now()}
    try:
        context["check"] = check = check_receiver(subscription.url) if subscription.url else None
        if check:
            record_check(subscription, check.is_reachable, by=request.user)
    except ChecksBusy:
        context["is_busy"] = True
    # The reason of a refusal may name an address of the internal network.
    context["is_testable"] = not test_event_error(subscription)
    context["shows_detail"] = request.user.has_perm("logs.change_subscription")
    return render_region(request, "subscriptions/receiver_check.html", "subscriptions/_receiver_check.html", context)


@require_POST
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_secret_rotate(request: HttpRequest, pk: str) -> HttpResponse:
    """Replace the signing secret.

    `after`: the rotation that the user saw, so that a double click doesn't end the secret that the receiver has.
    """
    subscription = visible_subscription(request, pk)
    if services.rotate_secret(subscription, after=request.POST.get("after", ""), by=request.user):
        request.session[SECRET_ONCE] = subscription.pk
        messages.success(request, _("There is a new signing secret."))
    else:
        messages.error(request, _("No change: the signing secret was replaced in the meantime."))
    return redirect(subscription)


@require_POST
@never_cache
@permission_required("logs.reveal_masked", raise_exception=True)
def subscription_secret_reveal(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    try:
        secret = subscription.secret
    except SecretDecryptionError:
        messages.error(request, _("The signing secret can’t be read with the keys in FIELD_ENCRYPTION_KEYS."))
        return redirect(subscription)
    if not secret:
        messages.info(request, _("There is no signing secret."))
        return redirect(subscription)
    AuditEntry.record(request.user, AuditAction.SECRET_REVEALED, subscription.pk)
    context = detail_context(request, subscription) | {"revealed_secret": secret}
    return render(request, "subscriptions/detail.html", context)
