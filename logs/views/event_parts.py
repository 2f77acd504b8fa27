"""What the parts of a log's page show that are made from its event: the tree, the raw text, the changes."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from ..models import Payload, Retention, WebhookLog
from ..payloads import diff, find, json_tree, masking
from ..payloads.masking import masked_keys
from ..retention.cutoffs import expiry_of

EVENT_PARTS = ("payload", "raw", "changes")
OPENED_LIMIT = 5 * 1024 * 1024  # bytes; of a larger payload only the beginning is shown
PREVIEW_LENGTH = 20_000  # characters
RAW_LENGTH = 200_000
NEEDLE_LENGTH = 200

# The operators of PostgreSQL read every string, and fail at escapes that no text can hold.
_READABLE = r"""
CASE WHEN event::text ~ '\\u(0000|[dD][89a-fA-F])'
    THEN regexp_replace(event::text, '\\u(0000|[dD][89a-fA-F]..)', '\\\\ufffd', 'g')::json ELSE event
END
"""
_NUMBER_OF_KEYS = f"""(
    SELECT count(*) FROM (SELECT {_READABLE} AS event) readable
    CROSS JOIN LATERAL json_object_keys(CASE json_typeof(event -> 'diff') WHEN 'object' THEN event -> 'diff' ELSE '{{}}' END)
)"""  # noqa: S608  nothing but the lines above is put in


def event_of(log: WebhookLog) -> str | None:
    """The JSON that is sent, None once it has expired."""
    return Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()


def number_of_changes(log: WebhookLog) -> int:
    """How many fields its diff names, where the event is not read anyway."""
    keys = RawSQL(_NUMBER_OF_KEYS, [])  # noqa: S611  nothing of anybody's is put in
    return Payload.objects.filter(pk=log.pk).values_list(keys, flat=True).first() or 0


def event_context(
    request: HttpRequest, log: WebhookLog, part: str, revealed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`part`: one of EVENT_PARTS. Where the event cannot be shown, what the page has to say instead."""
    if not request.user.has_perm("logs.view_payload"):
        return {"payload": None, "may_not_see": True}
    payload = event_of(log)
    if payload is None:
        return {"payload": None, "expiry": expiry_of(log, Retention.current())}
    context: dict[str, Any] = {"payload": payload, "payload_size": len(payload.encode())}
    if part == "raw":
        return context | beginning_of(payload, RAW_LENGTH)
    if context["payload_size"] > OPENED_LIMIT:
        return context | beginning_of(payload, PREVIEW_LENGTH) | {"is_too_large": True}
    event = json_tree.parse(payload)
    changed = diff.changed_pointers(event)
    context["change_count"] = len(changed)
    if part == "changes":
        return context | {"changes": diff.changes(event, masked_keys())}
    at = request.GET.get("at", "")
    root = json_tree.opened(event, at, keys=masked_keys(), revealed=revealed, changed=changed)
    return context | {"root": root} | found_context(request, event)


def beginning_of(payload: str, length: int) -> dict[str, Any]:
    """For _log_beginning.html."""
    return {
        "beginning": masking.mask_json_start(payload, masked_keys(), length),
        "is_beginning": len(payload) > length,
    }


def found_context(request: HttpRequest, event: Any) -> dict[str, Any]:
    """What was looked for in a payload, and where it is: `at`, the place that is shown, may be one of the hits."""
    needle, at = request.GET.get("find", "").strip()[:NEEDLE_LENGTH], request.GET.get("at", "")
    if not needle:
        return {"at": at}
    found = find.find(event, needle, masked_keys())
    number, before, after = found.around(at)
    return {"at": at, "needle": needle, "found": found, "hit_number": number, "hit_before": before, "hit_after": after}
