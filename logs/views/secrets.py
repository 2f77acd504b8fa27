"""The signing secret of a subscription: a new one, and a look at the present one. Both go on record."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from ..models import AuditAction, AuditEntry
from ..signing import SecretUnreadable
from ..subscriptions import services
from .subscription_page import SECRET_ONCE, detail_context
from .subscriptions import visible_subscription


@require_POST
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_secret_rotate(request: HttpRequest, pk: str) -> HttpResponse:
    """`after`: which rotation the person saw, so that a double click does not end the secret that the receiver has."""
    subscription = visible_subscription(request, pk)
    if services.rotate_secret(subscription, after=request.POST.get("after", ""), by=request.user):
        request.session[SECRET_ONCE] = subscription.pk
        messages.success(request, _("There is a new signing secret."))
    else:
        messages.error(request, _("The signing secret was replaced meanwhile. Nothing was changed now."))
    return redirect(subscription)


@require_POST
@never_cache
@permission_required("logs.reveal_masked", raise_exception=True)
def subscription_secret_reveal(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    try:
        secret = subscription.secret
    except SecretUnreadable:
        messages.error(request, _("The signing secret cannot be read with the keys in SECRETS_KEYS."))
        return redirect(subscription)
    if not secret:
        messages.info(request, _("There is no signing secret."))
        return redirect(subscription)
    AuditEntry.record(request.user, AuditAction.SECRET_REVEALED, subscription.pk)
    context = detail_context(request, subscription) | {"revealed_secret": secret}
    return render(request, "logs/subscription_detail.html", context)
