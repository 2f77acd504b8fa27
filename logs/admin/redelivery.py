"""The action "Redeliver selected": after confirmation, it queues an attempt for each log that wasn't delivered.

If many logs are selected, it creates a plan instead.
"""

from __future__ import annotations

from collections import Counter

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import AuditAction, AuditEntry, RedeliveryRefused, SelectionSource, WebhookLog
from ..redelivery.drafts import Selection, request_draft
from ..redelivery.selection import MAX_SELECTED

MAX_REDELIVERED = 100  # more need a plan, which shows superseded logs and what else goes to the same receiver


def redeliver_selected(
    page: admin.ModelAdmin, request: HttpRequest, selected: QuerySet[WebhookLog]
) -> HttpResponse | None:
    logs = list(selected.select_related("subscription")[: MAX_REDELIVERED + 1])
    if len(logs) > MAX_REDELIVERED:
        return _plan(page, request, selected)
    if "confirmed" not in request.POST:
        return _confirm(page, request, logs)
    _redeliver(page, request, logs)
    return None


def _plan(page: admin.ModelAdmin, request: HttpRequest, selected: QuerySet[WebhookLog]) -> HttpResponse | None:
    ids = tuple(selected.order_by().values_list("pk", flat=True)[: MAX_SELECTED + 1])
    if len(ids) > MAX_SELECTED:
        text = _("At most %(limit)s logs can be planned at a time. Nothing was queued.") % {
            "limit": f"{MAX_SELECTED:,}"
        }
        page.message_user(request, text, messages.ERROR)
        return None
    bulk = request_draft(Selection(SelectionSource.SELECTED, ids=ids, number=len(ids)), by=request.user)
    page.message_user(
        request, _("These are too many to redeliver directly, so a plan was created. Nothing has been sent yet.")
    )
    return redirect(bulk)


def _confirm(page: admin.ModelAdmin, request: HttpRequest, logs: list[WebhookLog]) -> HttpResponse:
    context = page.admin_site.each_context(request) | {
        "title": _("Redeliver the selected logs?"),
        "opts": page.opts,
        "media": page.media,
        "logs": [log for log in logs if not log.is_success and not log.is_queued],
        "delivered": sum(log.is_success for log in logs),
        "queued": sum(log.is_queued and not log.is_success for log in logs),
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/logs/webhooklog/redeliver_confirm.html", context)


def _redeliver(page: admin.ModelAdmin, request: HttpRequest, logs: list[WebhookLog]) -> None:
    queued, excluded = 0, Counter[str]()
    for log in logs:
        if reason := _queue_or_reason(request, log):
            excluded[reason] += 1
        else:
            queued += 1
    text = ngettext("%(number)s log is queued.", "%(number)s logs are queued.", queued) % {"number": queued}
    page.message_user(request, text, messages.SUCCESS if queued else messages.WARNING)
    for reason, number in excluded.items():
        text = ngettext(
            "%(number)s log is excluded: %(reason)s", "%(number)s logs are excluded: %(reason)s", number
        ) % {"number": number, "reason": reason}
        page.message_user(request, text, messages.WARNING)


def _queue_or_reason(request: HttpRequest, log: WebhookLog) -> str:
    """Queue one more attempt; return "" if it was queued, otherwise the reason why not."""
    if log.is_success:
        return _("It was delivered.")
    expected_attempts = request.POST.get(
        f"expected_attempts_{log.pk}", ""
    )  # as the user saw it, so that a double click sends once
    if not expected_attempts.isdecimal():
        return _("It was not on the confirmation page.")
    try:
        with transaction.atomic():  # nothing is sent without an audit entry
            is_queued = log.redeliver(by=request.user, expected_attempts=int(expected_attempts[:9]))
            if is_queued:
                AuditEntry.record(request.user, AuditAction.REDELIVERED, log.pk)
    except RedeliveryRefused as error:
        return str(error)
    if not is_queued:
        return _("It is already queued, or another attempt was made in the meantime.")
    return ""
