"""Create a plan for a bulk redelivery from logs that were selected on any page."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from cotadmin.uploads import takes_files

from ...forms.log_selection import MAX_FILE_BYTES, SelectionForm
from ...models import SelectionSource
from ...redelivery.drafts import request_draft


@require_safe
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_new(request: HttpRequest) -> HttpResponse:
    """The page where ids are pasted, or uploaded in a file."""
    return render(request, "bulk_redeliveries/new.html", {"form": SelectionForm(user=request.user)})


@takes_files("logs.redeliver_webhooklog", lambda: MAX_FILE_BYTES)
@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_create(request: HttpRequest) -> HttpResponse:
    """Create a plan of the selected logs, and show it. This sends nothing."""
    form = SelectionForm(request.POST, request.FILES, user=request.user)
    if form.is_valid():
        return HttpResponseRedirect(request_draft(form.selection, by=request.user).get_absolute_url(), status=303)
    is_of_ids = request.POST.get("source") == SelectionSource.IDS
    template = "bulk_redeliveries/new.html" if is_of_ids else "bulk_redeliveries/selection_error.html"
    return render(request, template, {"form": form}, status=422)
