"""The page of a share link: the current state of one log, for people without an account.

It shows only what the templates name: no user, no subscription, no other log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..models import ShareLink, WebhookLog
from ..payloads.exact_json import format_value
from ..payloads.masking import mask_json, masked_keys
from ..redelivery.overrides import override_attempts
from .logs.detail_page import PREVIEW_LENGTH, event_of, start_label
from .logs.downloads import curl_of, download_of

_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def shared(view: Callable[[HttpRequest, ShareLink], HttpResponse | None]) -> Callable[..., HttpResponse]:
    """Pass the valid share link of the token to the view.

    Every other token gets the same response, so nobody learns whether a link existed.
    """

    @login_not_required
    @require_safe
    @never_cache
    @wraps(view)
    def wrapper(request: HttpRequest, token: str) -> HttpResponse:
        share_link = ShareLink.get_open(token)
        response = view(request, share_link) if share_link else None
        if response is None:
            response = render(request, "public/unavailable.html", status=404)
        for name, value in _HEADERS.items():
            response[name] = value
        return response

    return wrapper


@shared
def shared_log(request: HttpRequest, share_link: ShareLink) -> HttpResponse:
    log = share_link.log
    # The receiver's team must not see attempts that went to another URL.
    attempts = [attempt for attempt in override_attempts(log) if not attempt.has_custom_url]
    last_attempt = attempts[-1] if attempts else None
    url = (last_attempt.url if last_attempt else "") or log.subscription.url
    payload = event_of(log) if share_link.has_payload else None
    context = {
        "share_link": share_link,
        "log": log,
        "attempts": attempts,
        "last_attempt": last_attempt,
        "delivered_attempt": next((attempt for attempt in attempts if attempt.is_success), None),
        "url": url,
        "curl": curl_of(log, url, payload),
        "payload": payload,
        "is_ours": _may_open(request, log),
    }
    if request.method == "GET" and not request.user.is_authenticated:
        share_link.record_view()
    return render(request, "public/log.html", context | (_shown(payload) if payload else {}))


@shared
def shared_payload(request: HttpRequest, share_link: ShareLink) -> HttpResponse | None:
    payload = event_of(share_link.log) if share_link.has_payload else None
    return None if payload is None else download_of(share_link.log, payload)


def _may_open(request: HttpRequest, log: WebhookLog) -> bool:
    """Whether the user is signed in, and could see the log without the link too."""
    if not request.user.has_perm("logs.view_webhooklog"):
        return False
    return WebhookLog.objects.visible_to(request.user).filter(pk=log.pk).exists()


def _shown(payload: str) -> dict[str, Any]:
    """Return the payload as text: indented if it's short, otherwise its beginning as stored."""
    context: dict[str, Any] = {"payload_size": len(payload.encode())}
    if len(payload) > PREVIEW_LENGTH:
        return context | start_label(payload, PREVIEW_LENGTH)
    return context | {"beginning": format_value(mask_json(payload, masked_keys()))}
