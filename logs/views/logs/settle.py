"""Settling a log as superseded, or those of a bulk redelivery, and undoing it."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...models import WebhookLog
from ...redelivery.settle import settle, unsettle
from ..bulk_redeliveries.bulk_redeliveries import visible_bulk_redelivery
from ..helpers import back_url, show_outcome
from .selected import settled_text
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
def bulk_redelivery_settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Settle the superseded logs of a plan or bulk redelivery, and send nothing."""
    bulk = visible_bulk_redelivery(request, pk)
    superseded = bulk.items.filter(is_superseded=True).values("log")
    logs = WebhookLog.objects.visible_to(request.user).filter(pk__in=superseded)
    number = settle(logs.order_by().values_list("pk", flat=True), by=request.user, bulk_redelivery=bulk.pk)
    show_outcome(request, bool(number), settled_text(number), _("Nothing was changed: no log is failed any more."))
    return redirect(bulk)
