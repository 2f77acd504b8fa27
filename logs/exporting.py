"""Logs as Cotalker's documents, one line each, streamed: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from .documents import write_log
from .masked_keys import masked_keys
from .payloads.masking import mask_json

AT_ONCE = 500


def exported(logs: QuerySet, *, is_masked: bool = True) -> Iterator[str]:
    """The documents of `logs` (a queryset of WebhookLog), oldest first. A log whose payload has expired has no event."""
    rows = logs.order_by("created_at", "id").select_related("payload").defer("search", "payload__search")
    for log in rows.iterator(chunk_size=AT_ONCE):
        line = write_log(log, log.payload.event if hasattr(log, "payload") else "null")
        yield mask_json(line, masked_keys()) if is_masked else line
