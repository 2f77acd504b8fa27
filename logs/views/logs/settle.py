"""Settling logs as superseded, one or many, and undoing it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ...forms.log_selection import SelectionForm
from ...models import WebhookLog
from ...redelivery.selection import FilterInvalid, TooManyLogs, select_now
from ...redelivery.settle import settle, unsettle
from ..bulk_redeliveries.bulk_redeliveries import visible_bulk_redelivery
from ..helpers import back_url, show_outcome
from .webhook_logs import visible_log


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_settle(request: HttpRequest, pk: str) -> HttpResponse:
    log = visible_log(request, pk)
    is_settled = bool(settle([log.pk], by=request.user))
    done = _("Settled as superseded. It no longer counts as failed.")
    show_outcome(request, is_settled, done, _("Nothing was changed: the log is not failed, or it is not superseded."))
    return redirect(back_url(request) or log)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def log_unsettle(request: HttpRequest, pk: str) -> HttpResponse:
    log = visible_log(request, pk)
    is_unsettled = bool(unsettle([log.pk], by=request.user))
    show_outcome(request, is_unsettled, _("It counts as failed again."), _("Nothing was changed: it was not settled."))
    return redirect(back_url(request) or log)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def selection_settle(request: HttpRequest) -> HttpResponse:
    """Settle those of the selected logs that are superseded."""
    return _change_selected(request, settle, _settled_text)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def selection_unsettle(request: HttpRequest) -> HttpResponse:
    return _change_selected(request, unsettle, _unsettled_text)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def bulk_redelivery_settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Settle the superseded logs of a plan or bulk redelivery, and send nothing."""
    bulk = visible_bulk_redelivery(request, pk)
    superseded = bulk.items.filter(is_superseded=True).values("log")
    logs = WebhookLog.objects.visible_to(request.user).filter(pk__in=superseded)
    number = settle(logs.order_by().values_list("pk", flat=True), by=request.user, bulk_redelivery=bulk.pk)
    show_outcome(request, bool(number), _settled_text(number), _("Nothing was changed: no log is failed any more."))
    return redirect(bulk)


def _change_selected(request: HttpRequest, change: Callable[..., int], text_of: Callable[[int], str]) -> HttpResponse:
    form = SelectionForm(request.POST, user=request.user)
    if form.is_valid() and not form.selection.is_quick:
        form.add_error(None, _("Too many logs for one step. Choose a shorter time range or fewer logs."))
    if not form.is_valid():
        return render(request, "logs/selection_error.html", {"form": form}, status=422)
    try:
        number = change(select_now(form.selection.query, form.selection.ids, request.user).ids, by=request.user)
    except (FilterInvalid, TooManyLogs):
        messages.error(request, _("Nothing was changed: the filter has become invalid or finds too many logs."))
    else:
        show_outcome(request, bool(number), text_of(number), _("Nothing was changed: none of the selected logs fits."))
    return redirect(form.way_back)


def _settled_text(number: int) -> str:
    text = ngettext(
        "%(number)s log was settled as superseded. It no longer counts as failed.",
        "%(number)s logs were settled as superseded. They no longer count as failed.",
        number,
    )
    return text % {"number": number}


def _unsettled_text(number: int) -> str:
    text = ngettext("%(number)s log counts as failed again.", "%(number)s logs count as failed again.", number)
    return text % {"number": number}
