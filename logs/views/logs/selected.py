"""What is done to the selected logs of the list: settle them as superseded, undo that, skip those that are queued."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib.auth.decorators import permission_required
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ...forms.base import ReasonForm
from ...forms.log_selection import SelectionForm
from ...models import WebhookLog
from ...redelivery.selection import FilterInvalid, TooManyLogs, select_now
from ...redelivery.settle import settle, unsettle
from ..helpers import show_outcome

MAX_SKIPPED = 1_000  # logs in one request; each is skipped in a transaction of its own


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def selection_settle(request: HttpRequest) -> HttpResponse:
    """Settle those of the selected logs that are superseded."""
    return _change_selected(request, settle, settled_text)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def selection_unsettle(request: HttpRequest) -> HttpResponse:
    return _change_selected(request, unsettle, _unsettled_text)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def selection_skip(request: HttpRequest) -> HttpResponse:
    """Skip those of the selected logs that are queued; ask for the reason first. The confirmation holds their ids."""
    form = SelectionForm(request.POST, user=request.user)
    ids = _selected_ids(request, form)
    if ids is None:
        return render(request, "logs/selection_error.html", {"form": form}, status=422)
    logs = list(_skippable(request.user, ids)[: MAX_SKIPPED + 1])
    reason = ReasonForm(request.POST if "reason" in request.POST else None)
    if len(logs) > MAX_SKIPPED or not logs or not reason.is_valid():
        context = {"form": form, "logs": logs, "selected": len(ids), "reason": reason, "most": MAX_SKIPPED}
        return render(request, "logs/skip_selected.html", context, status=422 if reason.is_bound else 200)
    skipped = sum(_skip(log, by=request.user, reason=reason.cleaned_data["reason"]) for log in logs)
    nothing = _("Nothing was skipped: the events were sent in the meantime.")
    show_outcome(request, bool(skipped), _skipped_text(skipped, len(ids) - skipped), nothing)
    return redirect(form.way_back)


def _skip(log: WebhookLog, *, by, reason: str) -> bool:
    """False also if the retention has deleted it meanwhile."""
    try:
        return log.skip(by=by, reason=reason)
    except WebhookLog.DoesNotExist:
        return False


def _skippable(user, ids: Sequence[str]):
    """Those that are queued, or block their queue; in the order in which they would be sent."""
    is_blocking = Q(subscription__blocking_log=F("pk"))
    logs = WebhookLog.objects.visible_to(user).filter(Q(next_attempt_at__isnull=False) | is_blocking, pk__in=ids)
    return (
        logs.select_related("subscription").defer("response", "extra", "search").order_by("priority", "sequence", "pk")
    )


def _change_selected(request: HttpRequest, change: Callable[..., int], text_of: Callable[[int], str]) -> HttpResponse:
    form = SelectionForm(request.POST, user=request.user)
    ids = _selected_ids(request, form)
    if ids is None:
        return render(request, "logs/selection_error.html", {"form": form}, status=422)
    number = change(ids, by=request.user)
    show_outcome(request, bool(number), text_of(number), _("Nothing was changed: none of the selected logs fits."))
    return redirect(form.way_back)


def _selected_ids(request: HttpRequest, form: SelectionForm) -> Sequence[str] | None:
    """The ids of the logs that the form selects; None if it is invalid, and then it has errors."""
    if form.is_valid() and not form.selection.is_quick:
        form.add_error(None, _("Too many logs for one step. Choose a shorter time range or fewer logs."))
    if not form.is_valid():
        return None
    try:
        return select_now(form.selection.query, form.selection.ids, request.user).ids
    except (FilterInvalid, TooManyLogs):
        form.add_error(None, _("The filter has become invalid or finds too many logs."))
        return None


def settled_text(number: int) -> str:
    text = ngettext(
        "%(number)s log was settled as superseded. It no longer counts as failed.",
        "%(number)s logs were settled as superseded. They no longer count as failed.",
        number,
    )
    return text % {"number": number}


def _unsettled_text(number: int) -> str:
    text = ngettext("%(number)s log counts as failed again.", "%(number)s logs count as failed again.", number)
    return text % {"number": number}


def _skipped_text(skipped: int, others: int) -> str:
    text = ngettext("%(number)s event was skipped.", "%(number)s events were skipped.", skipped)
    left = ngettext("%(number)s was not queued any more.", "%(number)s were not queued any more.", others)
    return text % {"number": skipped} + (f" {left % {'number': others}}" if others else "")
