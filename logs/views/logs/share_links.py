"""Share links of a log: create one for the receiver's team, show its URL once, revoke it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ...forms.share_link import ShareLinkForm
from ...models import ShareLink, WebhookLog
from ...signing import decrypt_secret, encrypt_secret
from ..helpers import show_outcome
from .webhook_logs import visible_log

MAY_SHARE = ["logs.view_webhooklog", "logs.share_webhooklog"]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@permission_required(MAY_SHARE, raise_exception=True)
def share_link_list(request: HttpRequest, pk: str) -> HttpResponse:
    """The share links of a log, with the form for a new one; also handles its POST."""
    log = visible_log(request, pk)
    form = ShareLinkForm(request.POST if request.method == "POST" else None, user=request.user)
    if not form.is_valid():
        context = {
            "log": log,
            "form": form,
            "share_links": log.share_links.with_state().select_related("created_by", "revoked_by"),
            "new_url": _new_url(request, log),
        }
        return render(request, "logs/share_links/list.html", context, status=422 if form.is_bound else 200)
    token = ShareLink.create_link(log, by=request.user, **form.cleaned_data)
    url = request.build_absolute_uri(reverse("logs:shared_log", args=[token]))
    request.session[_session_key(log)] = encrypt_secret(url, settings.FIELD_ENCRYPTION_KEYS)
    return redirect("logs:share_link_list", log.pk)


@require_POST
@permission_required(MAY_SHARE, raise_exception=True)
def share_link_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    share_link = get_object_or_404(ShareLink.objects.visible_to(request.user), pk=pk)
    done = _("The link is revoked. It no longer shows anything.")
    show_outcome(request, share_link.revoke(by=request.user), done, _("The link was already revoked."))
    return redirect("logs:webhook_log_detail", share_link.log_id)


def _new_url(request: HttpRequest, log: WebhookLog) -> str:
    """Return the URL of the share link that was just created, once; then ""."""
    encrypted = request.session.pop(_session_key(log), "")
    return decrypt_secret(encrypted, settings.FIELD_ENCRYPTION_KEYS) if encrypted else ""


def _session_key(log: WebhookLog) -> str:
    """Return the session key for a new share link's URL, which is encrypted until it's shown."""
    return f"share_link_once:{log.pk}"
