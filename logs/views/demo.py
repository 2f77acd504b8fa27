"""Removing the demo."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ..demo import loading
from ..models import AuditAction, AuditEntry


@require_POST
def demo_delete(request: HttpRequest) -> HttpResponse:
    """Remove the demo. Requires access to its company and permission to change subscriptions."""
    if not loading.is_visible_to(request.user) or not request.user.has_perm("logs.change_subscription"):
        raise PermissionDenied
    number = loading.remove()
    AuditEntry.record(request.user, AuditAction.DEMO_REMOVED)
    messages.success(
        request,
        ngettext(
            "The demo data was removed, including %(number)s log.",
            "The demo data was removed, including %(number)s logs.",
            number,
        )
        % {"number": number},
    )
    return redirect("logs:overview")
