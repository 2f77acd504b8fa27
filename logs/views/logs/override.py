"""Context of the page of a redelivery with changes.

Redelivering one log with changes: to another URL, with an edited payload, or both.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from ...forms.redelivery_override import RedeliveryOverrideForm
from ...ingest.events import MAX_EVENT_BYTES
from ...models import AttemptTrigger, AuditAction, AuditEntry, RedeliveryOverride, RedeliveryRefused, WebhookLog
from ...payloads.exact_json import indent_json, parse_exact
from ...payloads.masking import mask_json_prefix, mask_text, masked_keys
from ...redelivery import overrides
from .detail_page import BODY_SHOWN, OPENED_LIMIT, PREVIEW_LENGTH, event_of
from .webhook_logs import visible_log


def override_context(request: HttpRequest, log: WebhookLog, override: RedeliveryOverride) -> dict[str, Any]:
    attempt = log.attempts.filter(number=override.number, trigger=AttemptTrigger.OVERRIDE).first()
    context: dict[str, Any] = {"log": log, "override": override, "attempt": attempt}
    context["is_queued"] = overrides.queued_override(log) == override
    if attempt:
        context["body"] = mask_text(attempt.response, masked_keys())[:BODY_SHOWN]
    if not request.user.has_perm("logs.view_payload"):
        return context | {"may_not_see": True}
    stored = event_of(log)
    sent = override.event if override.is_edited else stored
    if sent is None:
        return context | {"has_expired": True}
    context |= {
        "beginning": mask_json_prefix(sent, masked_keys(), PREVIEW_LENGTH),
        "is_beginning": len(sent) > PREVIEW_LENGTH,
    }
    if override.is_edited and stored is not None and len(stored.encode()) <= OPENED_LIMIT:
        context["comparison"] = overrides.override_differences(stored, sent)
    return context


EDIT, PREVIEW, CHANGE, SEND = "edit", "preview", "change", "send"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@permission_required(["logs.view_webhooklog", "logs.redeliver_webhooklog"], raise_exception=True)
def override_create(request: HttpRequest, pk: str) -> HttpResponse:
    """Ask what to change, preview the request, and send it once confirmed. `action`: which of these it is.

    Nothing is stored in between: the page itself carries the state.
    """
    log = visible_log(request, pk)
    if not (
        request.user.has_perm("logs.redeliver_to_custom_url") or request.user.has_perm("logs.redeliver_edited_payload")
    ):
        raise PermissionDenied
    stored = event_of(log)
    context: dict[str, Any] = {"log": log, "allowed": overrides.override_permissions(request.user, stored)}
    if stored is None or (request.method != "POST" and overrides.redelivery_error(log)):
        context["redelivery_error"] = overrides.redelivery_error(log)
        return render(request, "logs/override/form.html", context, status=422 if request.method == "POST" else 200)
    form = context["form"] = _form(request, log, stored, context["allowed"])
    if form.is_bound and form.is_valid():
        if request.POST.get("action") != SEND:
            return render(request, "logs/override/confirm.html", context | _preview(form, request.user))
        if _send(request, log, form):
            return redirect(log)
    return render(request, "logs/override/form.html", context, status=422 if form.is_bound else 200)


def _form(
    request: HttpRequest, log: WebhookLog, stored: str, allowed: overrides.OverridePermissions
) -> RedeliveryOverrideForm:
    """Return the form with the user's input; it is validated only if the action requires it."""
    action = request.POST.get("action", PREVIEW) if request.method == "POST" else ""
    typed: dict[str, Any] = request.POST.dict() or {"expected_attempts": log.attempt_count or 0}
    if action == EDIT and allowed.to_edit:
        if len(stored) > MAX_EVENT_BYTES:
            messages.error(request, _("The payload is too large to be edited here."))
        else:
            indented = indent_json(parse_exact(stored))
            typed["event"] = indented if len(indented.encode()) <= MAX_EVENT_BYTES else stored
            if allowed.is_masked:
                AuditEntry.record(request.user, AuditAction.REVEALED, log.pk, "all, to edit the payload")
    return RedeliveryOverrideForm(
        request.POST if action in (PREVIEW, SEND) else None,
        initial=typed,
        log=log,
        stored=stored,
        allowed=allowed,
        has_editor="event" in typed,
        shows_inside=request.user.has_perm("logs.change_subscription"),
    )


def _preview(form: RedeliveryOverrideForm, user) -> dict[str, Any]:
    override = form.override(user)
    changes = overrides.override_differences(form.stored, override.event) if override.event is not None else None
    return {"override": override, "comparison": changes}


def _send(request: HttpRequest, log: WebhookLog, form: RedeliveryOverrideForm) -> bool:
    """Queue the attempt. If that fails, the form says why and keeps the input, so the user can submit it again."""
    try:
        override = form.override(request.user)
        if overrides.queue_override(
            log, override, form.stored, expected_attempts=form.cleaned_data["expected_attempts"]
        ):
            messages.success(
                request, _("It is queued and will be sent once. The outcome will appear among the attempts.")
            )
            return True
        form.add_conflict_error()
    except RedeliveryRefused as error:
        form.add_error(None, str(error))
    return False


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def override_detail(request: HttpRequest, pk: str, number: int) -> HttpResponse:
    """The page of one attempt with changes: what it sent, where to, and the outcome."""
    log = visible_log(request, pk)
    override = get_object_or_404(log.overrides.select_related("requested_by"), number=number)
    return render(request, "logs/override/detail.html", override_context(request, log, override))
