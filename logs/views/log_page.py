"""What the page of one log shows."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest

from ..lane_state import logs_before
from ..masked_keys import masked_keys
from ..models import Attempt, AuditAction, AuditEntry, Payload, WebhookLog
from ..payloads import changes, masking, tree
from .rendering import shown_at

PREVIEW_LIMIT = 5 * 1024 * 1024  # a larger payload is not opened in the browser, only downloaded
OBJECT_LOGS = 6
RECORD_ENTRIES = 10
BODY_SHOWN = 20_000
FIND_LENGTH = 200


def log_context(
    request: HttpRequest, log: WebhookLog, part: str, revealed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`part`: the tab that is open (payload, changes, request, response), "" for none of them."""
    attempts = list(log.attempts.select_related("actor"))
    if not attempts and log.is_imported:
        attempts = [Attempt.of_cotalker(log)]
    last_attempt = attempts[-1] if attempts else None
    record = list(AuditEntry.objects.filter(about=log.pk).select_related("actor")[:RECORD_ENTRIES])
    visible = WebhookLog.objects.visible_to(request.user)
    context = {
        "log": log,
        "part": part,
        "attempts": attempts,
        "last_attempt": last_attempt,
        "logs_before": logs_before(log) if log.is_due else None,
        "is_holding": log.subscription.held_log == log.pk,
        "skipped": next((entry for entry in record if entry.action == AuditAction.SKIPPED), None),
        "why_not": log.why_not_redeliverable(),
        "of_object": _others_of_object(request, log),
        "record": record,
        "newer": visible.newer_than(log).order_by("created_at", "id").only("pk").first() if part else None,
        "older": visible.older_than(log).newest_first().only("pk").first() if part else None,
        "company_differs": log.company != log.subscription.company_id,
    }
    if part in ("payload", "changes"):
        context |= _event_context(request, log, part, revealed)
    if part == "response" and last_attempt:
        headers = masking.mask_headers(last_attempt.response_headers, masked_keys())
        body = masking.mask_text(last_attempt.response, masked_keys())
        context |= {"headers": headers, "body": body[:BODY_SHOWN], "is_body_cut": len(body) > BODY_SHOWN}
    return context


def update_context(request: HttpRequest, log: WebhookLog) -> dict[str, Any]:
    """What an attempt has changed on the page, whose address tells the tab that is open."""
    is_response = shown_at(request).endswith("/response/")
    return log_context(request, log, "response" if is_response else "") | {"is_update": True}


def _event_context(request: HttpRequest, log: WebhookLog, part: str, revealed: frozenset[str]) -> dict[str, Any]:
    if not request.user.has_perm("logs.view_payload"):
        return {"payload": None, "may_not_see": True}
    payload = Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()
    if payload is None:
        return {"payload": None}
    context: dict[str, Any] = {"payload": payload, "payload_size": len(payload.encode())}
    if context["payload_size"] > PREVIEW_LIMIT:
        return context | {"is_too_large": True}
    event = tree.parse(payload)
    changed = changes.changed_pointers(event)
    context["change_count"] = len(changed)
    if part == "changes":
        return context | {"changes": changes.changes(event, masked_keys())}
    if needle := request.GET.get("find", "").strip()[:FIND_LENGTH]:
        places = tree.find(event, needle, masked_keys())
        context |= {"needle": needle, "places": [(place, place.rpartition("/")[0]) for place in places]}
    children = partial(tree.children, event, keys=masked_keys(), revealed=revealed, changed=changed)
    context["root"] = children("")
    context["data"] = children("/data") if isinstance(event.get("data"), dict) else None
    return context


def _others_of_object(request: HttpRequest, log: WebhookLog) -> list[WebhookLog]:
    if not log.object_id:
        return []
    others = WebhookLog.objects.visible_to(request.user).of_object(log.object_id).newest_first()
    return list(others.only("created_at", "state", "action", "subscription_id")[:OBJECT_LOGS])
