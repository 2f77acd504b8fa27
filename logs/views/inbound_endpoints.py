"""The inbound endpoints of the companies: the URLs to which Cotalker posts, and the unmatched events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..forms.inbound_endpoint import InboundEndpointForm
from ..ingest import credentials, rejections
from ..models import Company, InboundEndpoint, RejectedEvent, RejectionCount, RejectionKind, UnmatchedCount
from ..payloads.masking import mask_json, mask_text_deep, masked_keys
from ..signing import decrypt_secret, encrypt_secret
from .helpers import show_outcome

NEW_ENDPOINT_SESSION_KEY = "endpoint_once"  # session key for a new endpoint's URL, encrypted until shown
UNMATCHED_DAYS = 7
MOST_UNMATCHED = 50
MOST_REJECTED = 50
SHOWN_IN_LIST = 500  # characters of a rejected event


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@permission_required("logs.view_inboundendpoint", raise_exception=True)
def inbound_endpoint_list(request: HttpRequest) -> HttpResponse:
    """The inbound endpoints, with the form for a new one; also handles its POST."""
    if request.method != "POST":
        return _list_page(request, InboundEndpointForm(user=request.user))
    if not request.user.has_perm("logs.add_inboundendpoint"):
        raise PermissionDenied
    form = InboundEndpointForm(request.POST, user=request.user)
    if not Company.objects.visible_to(request.user).exists() or not form.is_valid():
        return _list_page(request, form, status=422)
    secret = credentials.create_endpoint(form.instance, by=request.user)
    url = request.build_absolute_uri(reverse("logs:event_receive", args=[secret]))
    request.session[NEW_ENDPOINT_SESSION_KEY] = encrypt_secret(url, settings.FIELD_ENCRYPTION_KEYS)
    return redirect("logs:inbound_endpoint_list")


@require_POST
@permission_required("logs.change_inboundendpoint", raise_exception=True)
def inbound_endpoint_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = get_object_or_404(InboundEndpoint.objects.visible_to(request.user), pk=pk)
    done = _("The inbound endpoint “%(name)s” is revoked. Its URL no longer accepts events.") % {"name": endpoint}
    unchanged = _("The inbound endpoint “%(name)s” was already revoked.") % {"name": endpoint}
    show_outcome(request, credentials.revoke_credential(endpoint, by=request.user), done, unchanged)
    return redirect("logs:inbound_endpoint_list")


def _list_page(request: HttpRequest, form: InboundEndpointForm, status: int = 200) -> HttpResponse:
    companies = list(Company.objects.visible_to(request.user)[:2])
    context = {
        "form": form,
        "endpoints": InboundEndpoint.objects.visible_to(request.user).select_related("company", "created_by"),
        "rejected": _rejected(request),
        "unmatched": _unmatched(request),
        "unmatched_days": UNMATCHED_DAYS,
        "has_company": bool(companies),
        "has_companies": len(companies) > 1,
        "new_url": _new_url(request),
    }
    return render(request, "inbound_endpoints/list.html", context, status=status)


@require_safe
@never_cache
@permission_required("logs.view_inboundendpoint", raise_exception=True)
def inbound_endpoint_rejected(request: HttpRequest, pk: int) -> HttpResponse:
    """The last events that an inbound endpoint rejected, with the beginning of each."""
    endpoint = get_object_or_404(InboundEndpoint.objects.visible_to(request.user), pk=pk)
    rows = [(event, _shown(event, SHOWN_IN_LIST)) for event in endpoint.rejected_events.all()]
    context = {
        "endpoint": endpoint,
        "rows": rows,
        "kept": rejections.MAX_KEPT_PER_KIND,
        "days": rejections.REJECTED_EVENT_RETENTION.days,
    }
    return render(request, "inbound_endpoints/rejected.html", context)


@require_safe
@never_cache
@permission_required("logs.view_inboundendpoint", raise_exception=True)
def inbound_endpoint_rejected_text(request: HttpRequest, pk: int, event: int) -> HttpResponse:
    """All that was kept of a rejected event, masked, as plain text."""
    endpoint = get_object_or_404(InboundEndpoint.objects.visible_to(request.user), pk=pk)
    text = _shown(get_object_or_404(endpoint.rejected_events, pk=event))
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'attachment; filename="rejected-{event}.txt"',
    }
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


def _shown(event: RejectedEvent, length: int | None = None) -> str:
    """Mask, then cut. Masking goes by JSON structure first, which also works on broken text.

    Then it masks whatever else looks like a secret.
    """
    text = bytes(event.data).decode(errors="replace").replace("\0", "␀")
    text = mask_text_deep(mask_json(text, masked_keys()), masked_keys())
    return text if length is None or len(text) <= length else text[:length] + "…"


def _rejected(request: HttpRequest) -> list[dict[str, Any]]:
    """What the inbound endpoints rejected lately, by endpoint and reason, most recent first."""
    counts = RejectionCount.objects.filter(
        endpoint__in=InboundEndpoint.objects.visible_to(request.user),
        day__gt=timezone.now().date() - rejections.REJECTED_EVENT_RETENTION,
    )
    by_kind = counts.values("endpoint", "endpoint__name", "endpoint__company__name", "kind")
    rows = by_kind.annotate(number=Sum("count"), last=Max("last_at")).order_by("-last", "endpoint", "kind")
    return [row | {"reason": RejectionKind(row["kind"]).label} for row in rows[:MOST_REJECTED]]


def _new_url(request: HttpRequest) -> str:
    """Return the URL of the endpoint that was just created, once; then ""."""
    encrypted = request.session.pop(NEW_ENDPOINT_SESSION_KEY, "")
    return decrypt_secret(encrypted, settings.FIELD_ENCRYPTION_KEYS) if encrypted else ""


def _unmatched(request: HttpRequest) -> list[dict[str, Any]]:
    """Recent unmatched events by company, type and action, most frequent first."""
    since = timezone.now().date() - timedelta(days=UNMATCHED_DAYS)
    counts = UnmatchedCount.objects.visible_to(request.user).filter(day__gt=since).order_by()
    by_kind = counts.values("company", "company__name", "event_type", "action").annotate(number=Sum("count"))
    return list(by_kind.order_by("-number", "event_type", "action")[:MOST_UNMATCHED])
