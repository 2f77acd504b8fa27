"""The explorer's live tail: what the page polls every other second, and the switch that turns it on and off."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ...db.cursor_pagination import InvalidCursor
from ...logsearch.filterset import WebhookLogFilterSet
from ...logsearch.live_tail import LIVE_TAIL_COOKIE, LiveTail
from ..helpers import wants_partial

A_YEAR = 365 * 24 * 3600


@require_safe
@never_cache
@permission_required("logs.view_webhooklog", raise_exception=True)
def webhook_log_tail(request: HttpRequest) -> HttpResponse:
    """The number of new logs at the top of the list, as a link to them; 204 if there is nothing new.

    `seen`: the number that the page already shows.
    """
    try:
        live = LiveTail.read(request.GET, is_on=True)
    except InvalidCursor:
        return HttpResponseBadRequest()
    filterset = WebhookLogFilterSet(live.query, user=request.user)
    if not filterset.is_valid():
        return HttpResponseBadRequest()
    count = live.top.count_new(filterset.criteria)
    if not count or str(count) == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "logs/list/_new_count.html", {"live": live, "count": count})


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def live_tail_toggle(request: HttpRequest) -> HttpResponse:
    """Turn the live tail on or off for this browser."""
    is_on = request.POST.get("is_on") == "on"
    try:
        live = LiveTail.read(request.GET, is_on)
    except InvalidCursor:
        return HttpResponseBadRequest()
    in_place = wants_partial(request)
    response = render(request, "logs/list/_live_tail.html", {"live": live}) if in_place else redirect(live.newest)
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(
        LIVE_TAIL_COOKIE, "on" if is_on else "off", max_age=A_YEAR, samesite="Lax", secure=secure, httponly=True
    )
    return response
