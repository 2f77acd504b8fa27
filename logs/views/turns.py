"""What an operator may do with one log that stands in its lane: send it without waiting, or skip it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from ..forms.base import ReasonForm
from .coming_back import came_from
from .log_page import update_context
from .rendering import asked_for_by, wants_partial
from .webhook_logs import visible_log


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_retry(request: HttpRequest, pk: str) -> HttpResponse:
    """Send a log that is due without waiting for its time."""
    is_tried = visible_log(request, pk).retry_now(by=request.user)
    if not is_tried:
        messages.info(request, _("It was tried in the meantime; nothing is left to wait for."))
    log = visible_log(request, pk)
    if wants_partial(request) and asked_for_by(request) == "log-status":
        return render(request, "logs/_log_status.html", update_context(request, log))
    if is_tried:
        messages.success(request, _("The next try is made now."))
    return redirect(came_from(request) or log)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_skip(request: HttpRequest, pk: str) -> HttpResponse:
    """Take a log out of its lane; asks for the reason first."""
    log = visible_log(request, pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "log": log, "back": came_from(request) or log.get_absolute_url()}
        return render(request, "logs/log_skip.html", context, status=422 if form.is_bound else 200)
    if log.skip(by=request.user, reason=form.cleaned_data["reason"]):
        messages.success(request, _("The event was skipped. Its lane goes on with the next."))
    else:
        messages.info(request, _("Nothing was skipped: it was settled in the meantime."))
    return redirect(came_from(request) or log)
