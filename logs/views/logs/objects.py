"""One Cotalker object: a timeline of all its logs, and the differences between two of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ...cotalker import objectid
from ...db.cursor_pagination import InvalidCursor
from ...models import WebhookLog
from ...payloads import comparison as comparing
from ...payloads.exact_json import parse_json
from ...payloads.masking import masked_keys
from ...stats.object_history import object_history
from ..helpers import render_region
from .detail_page import OPENED_LIMIT, event_of
from .webhook_logs import visible_log


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def object_detail(request: HttpRequest, pk: str) -> HttpResponse:
    """All logs of the object that the user may see, for any subscription. `?this=…&that=…` compares two."""
    logs = WebhookLog.objects.visible_to(request.user).for_object(pk)
    history = object_history(logs)
    if history is None:
        return render(request, "logs/detail/object_detail.html", {"object_id": pk}, status=404)
    is_choice = bool({"this", "that"} & request.GET.keys())
    if is_choice and (comparison := _chosen_comparison(request)):
        return comparison
    try:
        page = logs.for_list().page(request.GET.get("after", ""))
    except InvalidCursor:
        problem = _("This page link is invalid. Start again from the newest log.")
        return render(request, "logs/detail/object_detail.html", {"object_id": pk, "problem": problem}, status=422)
    context = {"object_id": pk, "history": history, "page": page, "choose_two": is_choice}
    return render_region(request, "logs/detail/object_detail.html", "logs/detail/_object_logs.html", context)


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def log_compare(request: HttpRequest, pk: str, other: str) -> HttpResponse:
    """The differences between the events of two logs of one object."""
    this, that = visible_log(request, pk), visible_log(request, other)
    context: dict[str, Any] = {"this": this, "that": that, "logs": [this, that]}
    if not this.object_id or this.object_id != that.object_id:
        return render(request, "logs/detail/compare.html", context | {"is_other_object": True}, status=404)
    payloads = [event_of(log) for log in (this, that)]
    context["expired"] = [log for log, payload in zip((this, that), payloads, strict=True) if payload is None]
    if not context["expired"]:
        context |= _comparison([payload or "" for payload in payloads])
    return render(request, "logs/detail/compare.html", context)


def _comparison(payloads: list[str]) -> dict[str, Any]:
    if any(len(payload.encode()) > OPENED_LIMIT for payload in payloads):
        return {"is_too_large": True}
    this, that = (parse_json(payload) for payload in payloads)
    return {"comparison": comparing.compare_payloads(this, that, masked_keys())}


def _chosen_comparison(request: HttpRequest) -> HttpResponseRedirect | None:
    """Redirect to the comparison of the two selected logs; None if they aren't two."""
    this, that = request.GET.get("this", ""), request.GET.get("that", "")
    if this == that or not (objectid.is_objectid(this) and objectid.is_objectid(that)):
        return None
    return redirect("logs:log_compare", pk=this, other=that)
