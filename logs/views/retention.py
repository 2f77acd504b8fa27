"""Retention of payloads and logs: the page, and the confirmation before anything is removed."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..forms.retention import SUGGESTED_DAYS, RetentionForm
from ..models import Retention
from ..retention.cutoffs import retention_preview
from ..retention.prune import is_running
from .helpers import show_outcome

# This permission doesn't exist, so only superusers pass: what is removed belongs to all companies.
FOR_SUPERUSERS = "logs.change_retention"


@require_safe
@permission_required(FOR_SUPERUSERS, raise_exception=True)
def retention_detail(request: HttpRequest) -> HttpResponse:
    return _page(request, RetentionForm(instance=Retention.current()))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(FOR_SUPERUSERS, raise_exception=True)
def retention_confirm(request: HttpRequest) -> HttpResponse:
    """Ask to confirm `?payload_days=90&log_days=400`; a POST applies it."""
    form = RetentionForm(request.POST if request.method == "POST" else request.GET, instance=Retention(pk=1))
    if not form.is_valid():
        return _page(request, form, status=422)
    proposed = form.instance
    if request.method != "POST":
        context = {"proposed": proposed, "preview": retention_preview(proposed), "is_unchanged": proposed.is_current()}
        return render(request, "retention/confirm.html", context)
    is_new = Retention.change(payload_days=proposed.payload_days, log_days=proposed.log_days, by=request.user)
    done = _("The retention was changed. The next nightly run removes what is past the new limits.")
    show_outcome(request, is_new, done, _("No change: that was already the setting."))
    return redirect("logs:retention_detail")


@require_POST
@permission_required(FOR_SUPERUSERS, raise_exception=True)
def retention_stop(request: HttpRequest) -> HttpResponse:
    """Stop the pruning in progress before its next step."""
    is_stopping = is_running() and Retention.request_stop(by=request.user)
    done = _("The run is stopping. What it has removed stays removed; the next run continues.")
    show_outcome(request, is_stopping, done, _("Nothing to stop: no run is in progress."))
    return redirect("logs:retention_detail")


def _page(request: HttpRequest, form: RetentionForm, status: int = 200) -> HttpResponse:
    retention = Retention.current()
    is_set = retention.payload_days is not None or retention.log_days is not None
    shown = retention if is_set else Retention(**SUGGESTED_DAYS)
    context = {
        "retention": retention,
        "is_set": is_set,
        "shown": shown,
        "preview": retention_preview(shown),
        "form": form,
    }
    context["is_running"] = is_running()
    return render(request, "retention/detail.html", context, status=status)
