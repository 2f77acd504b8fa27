"""Logs as Cotalker's documents, one line each, streamed: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

from ..cotalker.documents import write_log
from ..db.search_vectors import OVERFLOW_VECTORS
from ..models import WebhookLog
from ..models.querysets import DEFERRED_IN_LISTS
from ..payloads.masking import mask_json, mask_text, masked_keys
from .criteria import SearchCriteria
from .finder import Finder

EXPORT_BATCH_SIZE = 500


def iter_export(criteria: SearchCriteria, *, is_masked: bool = True) -> Iterator[str]:
    """The documents of the logs that match, oldest first. A log whose payload has expired has no event."""
    for keys in Finder(criteria).every(is_older=False, at_once=EXPORT_BATCH_SIZE):
        heavy = ["search", "payload__search", *(f"payload__{vector}" for vector in OVERFLOW_VECTORS)]
        heavy += [f"subscription__{name}" for name in DEFERRED_IN_LISTS]
        rows = WebhookLog.objects.select_related("payload", "subscription").defer(*heavy)
        logs = rows.in_bulk([key.pk for key in keys])
        for log in (logs[key.pk] for key in keys if key.pk in logs):
            if is_masked:
                log.response = mask_text(log.response, masked_keys()) if log.response else log.response
            line = write_log(log, log.payload.event if hasattr(log, "payload") else "null")
            yield mask_json(line, masked_keys()) if is_masked else line
