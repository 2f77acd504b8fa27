"""Context of a log's page: its status, which polls, and the rest: the event as a tree, as raw text and as changes."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from ...delivery.queue_status import queue_position
from ...models import Attempt, AuditAction, AuditEntry, Incident, Payload, Retention, State, WebhookLog
from ...payloads import diff, find, json_tree, masking
from ...payloads.exact_json import format_value, parse_json
from ...payloads.masking import masked_keys
from ...redelivery.history import attach_bulk_ids, bulk_redeliveries_of
from ...redelivery.overrides import override_attempts, queued_override
from ...redelivery.titles import titles_of
from ...retention.cutoffs import expiry_for
from ..helpers import current_path
from .list_position import ListPosition

EVENT_PARTS = ("payload", "raw", "indented", "changes")
OPENED_LIMIT = 5 * 1024 * 1024  # bytes; for a larger payload only the beginning is shown
PREVIEW_LENGTH = 20_000  # characters
RAW_LENGTH = 200_000
NEEDLE_LENGTH = 200

# PostgreSQL's JSON operators read every string, and fail on escapes that text can't hold.
_READABLE = r"""
CASE WHEN event::text ~ '\\u(0000|[dD][89a-fA-F])'
    THEN regexp_replace(event::text, '\\u(0000|[dD][89a-fA-F]..)', '\\\\ufffd', 'g')::json ELSE event
END
"""
_NUMBER_OF_KEYS = f"""(
    SELECT count(*) FROM (SELECT {_READABLE} AS event) readable
    CROSS JOIN LATERAL json_object_keys(CASE json_typeof(event -> 'diff') WHEN 'object' THEN event -> 'diff' ELSE '{{}}' END)
)"""  # noqa: S608  contains only the lines above


def event_of(log: WebhookLog) -> str | None:
    """Return the JSON that is sent; None once it has expired."""
    return Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()


def number_of_changes(log: WebhookLog) -> int:
    """Count the changed fields in the log's `diff`, for when the event isn't loaded anyway."""
    keys = RawSQL(_NUMBER_OF_KEYS, [])  # noqa: S611  contains no user input
    return Payload.objects.filter(pk=log.pk).values_list(keys, flat=True).first() or 0


def event_context(
    request: HttpRequest, log: WebhookLog, part: str, searched: str, revealed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`part`: one of EVENT_PARTS. `searched`: as in find_context. If the event can't be shown, the context says why."""
    if not request.user.has_perm("logs.view_payload"):
        return {"payload": None, "may_not_see": True}
    payload = event_of(log)
    if payload is None:
        return {"payload": None, "expiry": expiry_for(log, Retention.current())}
    context: dict[str, Any] = {"payload": payload, "payload_size": len(payload.encode())}
    if part == "raw":
        return context | start_label(payload, RAW_LENGTH)
    if context["payload_size"] > OPENED_LIMIT:
        return context | start_label(payload, PREVIEW_LENGTH) | {"is_too_large": True}
    if part == "indented":
        return context | start_label(format_value(payload), RAW_LENGTH)
    event = parse_json(payload)
    changed = diff.changed_pointers(event)
    context["change_count"] = len(changed)
    if part == "changes":
        return context | {"changes": diff.iter_changes(event, masked_keys())}
    context |= find_context(request, event, searched)
    root = json_tree.expanded(event, context["at"], keys=masked_keys(), revealed=revealed, changed=changed)
    return context | {"root": root}


def start_label(payload: str, length: int) -> dict[str, Any]:
    """Return the context of _log_beginning.html."""
    return {
        "beginning": masking.mask_json_prefix(payload, masked_keys(), length),
        "is_beginning": len(payload) > length,
    }


def find_context(request: HttpRequest, event: Any, searched: str) -> dict[str, Any]:
    """Return the search text, its hits in the payload, and `at`, the pointer that is shown. `at` may be one of the hits.

    `searched`: what the list searched for; its first hit is shown, unless the person finds something else.
    """
    needle, at = request.GET.get("find", searched).strip()[:NEEDLE_LENGTH], request.GET.get("at", "")
    if not needle:
        return {"at": at}
    result = find.find_in_payload(event, needle, masked_keys())
    if "find" not in request.GET:
        if not result.hits:  # it may be in the response
            return {"at": at}
        at = at or result.hits[0].pointer
    number, before, after = result.around(at)
    hits = {"hit_number": number, "hit_before": before, "hit_after": after}
    return {"at": at, "needle": needle, "find_result": result} | hits


OBJECT_LOGS = 6
AUDIT_ENTRIES_SHOWN = 10
BULK_REDELIVERIES_SHOWN = 5
BODY_SHOWN = 20_000


def page_context(
    request: HttpRequest, log: WebhookLog, part: str, revealed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`part`: the open tab (payload, raw, changes, request, response)."""
    in_list = ListPosition(log, request.GET, request.user)
    context = status_context(request, log) | {
        "part": part,
        "audit_entries": AuditEntry.objects.filter(target=log.pk).select_related("actor")[:AUDIT_ENTRIES_SHOWN],
        "share_links": log.share_links.with_state().select_related("created_by", "revoked_by"),
        "in_list": in_list,
    }
    if part in EVENT_PARTS:
        context |= event_context(request, log, part, in_list.searched, revealed)
    elif part == "response":
        context |= _response_context(context["last_attempt"])
    if "change_count" not in context and request.user.has_perm("logs.view_payload"):
        context["change_count"] = number_of_changes(log)
    return context


def update_context(request: HttpRequest, log: WebhookLog) -> dict[str, Any]:
    """Context of what an attempt changed on the page, which asks for it every second; its URL says which tab is open."""
    context = status_context(request, log) | {"is_update": True}
    if current_path(request).endswith("/response/"):
        context |= {"part": "response"} | _response_context(context["last_attempt"])
    return context


def status_context(request: HttpRequest, log: WebhookLog) -> dict[str, Any]:
    """What an attempt changes: the state, the attempts, the bulk redeliveries, and the state among the object's logs."""
    attempts = override_attempts(log)
    bulk_items = bulk_redeliveries_of(log, request.user)
    attach_bulk_ids(attempts, bulk_items)
    shown_items = bulk_items[:BULK_REDELIVERIES_SHOWN]
    titles = titles_of([item.bulk_redelivery for item in shown_items], request.user)
    return {
        "log": log,
        "attempts": attempts,
        "last_attempt": next((attempt for attempt in reversed(attempts) if not attempt.has_custom_url), None),
        "queued_override": queued_override(log),
        "logs_before": queue_position(log) if log.is_queued else None,
        "is_blocking": log.subscription.blocking_log == log.pk,
        "skipped": _last_entry(log, AuditAction.SKIPPED) if log.state == State.SKIPPED else None,
        "settled": _last_entry(log, AuditAction.SETTLED) if log.state == State.SUPERSEDED else None,
        "redelivery_error": "" if log.is_queued else log.redelivery_error(),
        "newer": WebhookLog.objects.superseding(log).newest_first().first(),
        "bulk_items": [(item, titles[item.bulk_redelivery_id]) for item in shown_items],
        "object_logs": _logs_of_object(request, log),
        "incident": Incident.objects.visible_to(request.user).filter(incident_logs__log=log).first(),
        "has_payload": Payload.objects.filter(pk=log.pk).exists(),
        "company_differs": log.company != log.subscription.company_id,
    }


def _response_context(last_attempt: Attempt | None) -> dict[str, Any]:
    if last_attempt is None:
        return {}
    headers = masking.mask_headers(last_attempt.response_headers, masked_keys())
    body = masking.mask_text(last_attempt.response, masked_keys())
    return {"headers": headers, "body": body[:BODY_SHOWN], "is_body_cut": len(body) > BODY_SHOWN}


def _last_entry(log: WebhookLog, action: AuditAction) -> AuditEntry | None:
    return AuditEntry.objects.filter(target=log.pk, action=action).select_related("actor").first()


def _logs_of_object(request: HttpRequest, log: WebhookLog) -> list[WebhookLog]:
    if not log.object_id:
        return []
    logs = WebhookLog.objects.visible_to(request.user).for_object(log.object_id).newest_first()
    return list(logs.only("created_at", "state", "action", "subscription_id")[:OBJECT_LOGS])
