"""What the page of a variant shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ..models import AttemptTrigger, Variant, WebhookLog
from ..payloads.masking import mask_json_start, mask_text, masked_keys
from ..redelivery import overrides
from .event_parts import OPENED_LIMIT, PREVIEW_LENGTH, event_of
from .log_page import BODY_SHOWN


def variant_context(request: HttpRequest, log: WebhookLog, variant: Variant) -> dict[str, Any]:
    attempt = log.attempts.filter(number=variant.number, trigger=AttemptTrigger.VARIANT).first()
    context: dict[str, Any] = {"log": log, "variant": variant, "attempt": attempt}
    context["is_queued"] = overrides.queued_variant(log) == variant
    if attempt:
        context["body"] = mask_text(attempt.response, masked_keys())[:BODY_SHOWN]
    if not request.user.has_perm("logs.view_payload"):
        return context | {"may_not_see": True}
    stored = event_of(log)
    sent = variant.event if variant.is_edited else stored
    if sent is None:
        return context | {"has_expired": True}
    context |= {
        "beginning": mask_json_start(sent, masked_keys(), PREVIEW_LENGTH),
        "is_beginning": len(sent) > PREVIEW_LENGTH,
    }
    if variant.is_edited and stored is not None and len(stored.encode()) <= OPENED_LIMIT:
        context["comparison"] = overrides.differences(stored, sent)
    return context
