"""What the page of one log shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ..delivery.queue_status import logs_before
from ..models import AuditAction, AuditEntry, Payload, WebhookLog
from ..payloads import masking
from ..payloads.masking import masked_keys
from ..redelivery.history import name_runs, runs_of
from ..redelivery.overrides import attempts_of, queued_variant
from .event_parts import EVENT_PARTS, event_context, number_of_changes
from .neighbours import InList
from .rendering import shown_at

OBJECT_LOGS = 6
RECORD_ENTRIES = 10
RUNS_SHOWN = 5
BODY_SHOWN = 20_000


def log_context(
    request: HttpRequest, log: WebhookLog, part: str, revealed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`part`: the tab that is open (payload, raw, changes, request, response), "" for none of them."""
    attempts = attempts_of(log)
    last_attempt = next((attempt for attempt in reversed(attempts) if not attempt.is_elsewhere), None)
    runs = runs_of(log, request.user)
    name_runs(attempts, runs)
    record = list(AuditEntry.objects.filter(about=log.pk).select_related("actor")[:RECORD_ENTRIES])
    context = {
        "log": log,
        "part": part,
        "attempts": attempts,
        "last_attempt": last_attempt,
        "queued_variant": queued_variant(log),
        "logs_before": logs_before(log) if log.is_due else None,
        "is_holding": log.subscription.held_log == log.pk,
        "skipped": next((entry for entry in record if entry.action == AuditAction.SKIPPED), None),
        "why_not": log.why_not_redeliverable(),
        "newer": WebhookLog.objects.superseding(log).newest_first().first(),
        "runs": runs[:RUNS_SHOWN],
        "of_object": _others_of_object(request, log),
        "record": record,
        "hand_offs": log.hand_offs.with_state().select_related("made_by", "revoked_by"),
        "in_list": InList(log, request.GET, request.user),
        "has_payload": Payload.objects.filter(pk=log.pk).exists(),
        "company_differs": log.company != log.subscription.company_id,
    }
    if part in EVENT_PARTS:
        context |= event_context(request, log, part, revealed)
    if part and "change_count" not in context and request.user.has_perm("logs.view_payload"):
        context["change_count"] = number_of_changes(log)
    if part == "response" and last_attempt:
        headers = masking.mask_headers(last_attempt.response_headers, masked_keys())
        body = masking.mask_text(last_attempt.response, masked_keys())
        context |= {"headers": headers, "body": body[:BODY_SHOWN], "is_body_cut": len(body) > BODY_SHOWN}
    return context


def update_context(request: HttpRequest, log: WebhookLog) -> dict[str, Any]:
    """What an attempt has changed on the page, whose address tells the tab that is open."""
    is_response = shown_at(request).endswith("/response/")
    return log_context(request, log, "response" if is_response else "") | {"is_update": True}


def _others_of_object(request: HttpRequest, log: WebhookLog) -> list[WebhookLog]:
    if not log.object_id:
        return []
    others = WebhookLog.objects.visible_to(request.user).of_object(log.object_id).newest_first()
    return list(others.only("created_at", "state", "action", "subscription_id")[:OBJECT_LOGS])
