"""Redelivering one log.

Actions on one log in its queue: send it without waiting, or skip it.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from ...forms.base import ReasonForm
from ...logsearch.query_params import page_querystring
from ...models import AuditAction, AuditEntry, RedeliveryRefused, WebhookLog
from ..helpers import QUEUE_REGIONS, back_url, show_outcome, target_id, wants_partial
from .detail_page import update_context
from .webhook_logs import visible_log


@require_safe
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def redelivery_confirm(request: HttpRequest, pk: str) -> HttpResponse:
    """Ask for confirmation before redelivering a delivered log, or one superseded by a newer event."""
    log = visible_log(request, pk)
    context = {"log": log, "newer": WebhookLog.objects.superseding(log).newest_first().first()}
    return render(request, "logs/detail/redelivery_confirm.html", context)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def redelivery_create(request: HttpRequest, pk: str) -> HttpResponse:
    """Queue one more attempt.

    `expected_attempts`: how many attempts the user saw, so that a double click sends once.
    """
    log = visible_log(request, pk)
    expected_attempts = request.POST.get("expected_attempts", "")
    status = 200
    try:
        is_confirmed = request.POST.get("confirmed") == "yes"
        with transaction.atomic():  # nothing is sent without an audit entry
            if log.redeliver(by=request.user, expected_attempts=int(expected_attempts[:9]), is_confirmed=is_confirmed):
                AuditEntry.record(request.user, AuditAction.REDELIVERED, log.pk)
    except RedeliveryRefused as error:
        if error.needs_confirmation:
            return _to_confirmation(request, pk)
        messages.error(request, str(error))
        status = 422
    except ValueError:
        messages.error(request, _("The number of attempts is missing. Reload the page."))
        status = 422
    return _answer(request, pk, status)


def _to_confirmation(request: HttpRequest, pk: str) -> HttpResponse:
    address = reverse("logs:redelivery_confirm", args=[pk])
    return HttpResponseClientRedirect(address) if wants_partial(request) else redirect(address)


def _answer(request: HttpRequest, pk: str, status: int) -> HttpResponse:
    """Render the row or region that sent the request.

    From a queue, or without htmx, redirect back to the user's page.
    """
    if not wants_partial(request) or target_id(request) in QUEUE_REGIONS:
        if status == 200:
            messages.success(request, _("The redelivery is queued, ahead of the other waiting events."))
        return redirect(back_url(request) or visible_log(request, pk))
    if target_id(request) == "log-status":
        context = update_context(request, visible_log(request, pk))
        return render(request, "logs/detail/_status.html", context, status=status)
    log = get_object_or_404(WebhookLog.objects.visible_to(request.user).for_list(), pk=pk)
    context = {"logs": [log], "is_update": True, "list_query": page_querystring(request.GET)}
    return render(request, "logs/list/_row.html", context, status=status)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_retry(request: HttpRequest, pk: str) -> HttpResponse:
    """Send a queued log now, without waiting for its next attempt."""
    is_queued = visible_log(request, pk).retry_now(by=request.user)
    if not is_queued:
        messages.info(request, _("The event was already sent in the meantime. No attempt is pending."))
    log = visible_log(request, pk)
    if wants_partial(request) and target_id(request) == "log-status":
        return render(request, "logs/detail/_status.html", update_context(request, log))
    if is_queued:
        messages.success(request, _("The next attempt starts now."))
    return redirect(back_url(request) or log)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_skip(request: HttpRequest, pk: str) -> HttpResponse:
    """Take a log out of its queue; ask for the reason first."""
    log = visible_log(request, pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "log": log, "back": back_url(request) or log.get_absolute_url()}
        return render(request, "logs/detail/skip.html", context, status=422 if form.is_bound else 200)
    is_skipped = log.skip(by=request.user, reason=form.cleaned_data["reason"])
    done = _("The event was skipped. Its queue continues with the next event.")
    show_outcome(request, is_skipped, done, _("The event was not skipped: it finished in the meantime."))
    return redirect(back_url(request) or log)
