"""Test events, requested on a subscription's page or by a script."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...ingest.sample_events import TestEventNotAllowed, send_test_event
from ...models import Subscription
from ..subscriptions.subscriptions import visible_subscription
from .decorators import ApiError, api_view, json_response
from .events import token_of


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def test_event_create(request: HttpRequest, pk: str) -> HttpResponse:
    """Queue a test event, and redirect to its log."""
    subscription = visible_subscription(request, pk)
    try:
        log = send_test_event(subscription, by=request.user)
    except TestEventNotAllowed as error:
        messages.error(request, _("No test event was sent. %(reason)s") % {"reason": error})
        return redirect(subscription)
    return redirect("logs:webhook_log_detail", log)


@api_view
def test_event_send(request: HttpRequest, pk: str) -> HttpResponse:
    token, companies = token_of(request)
    subscription = Subscription.objects.filter(pk=pk, company__in=companies).first()
    if subscription is None:
        raise ApiError(404, _("No such subscription in the token’s companies."))
    try:
        log = send_test_event(subscription, by=None, detail=f"API token {token.name}")
    except TestEventNotAllowed as error:
        raise ApiError(422, str(error)) from error
    return json_response([log], [], 202)
