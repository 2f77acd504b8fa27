"""Rebuilds the search index, a batch of events at a time, while cotadmin keeps running."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from ..db.search_vectors import OVERFLOW_VECTORS, event_vectors, response_vector
from ..models import Payload, WebhookLog
from ..payloads.masking import masked_keys

REINDEX_BATCH_SIZE = 100  # events; each may have megabytes

_VECTORS = ("search", *OVERFLOW_VECTORS)
_OLD, _NEW = (", ".join(f"{table}.{name}" for name in _VECTORS) for table in ("logs_payload", "computed"))
_SET_OF_EVENTS = f"""
UPDATE logs_payload SET ({", ".join(_VECTORS)}) = ROW ({_NEW})
FROM (
    SELECT id, {", ".join(f"{name}::tsvector" for name in _VECTORS)}
    FROM unnest(%s::text[]{", %s::text[]" * len(_VECTORS)}) AS of (id, {", ".join(_VECTORS)})
) computed
WHERE log_id = computed.id AND ({_OLD}) IS DISTINCT FROM ({_NEW})
"""  # noqa: S608  nothing but the names above is put in
# A response that arrived meanwhile has its own words.
_SET_OF_RESPONSES = """
UPDATE logs_webhooklog SET search = computed.search
FROM (
    SELECT id, text::tsvector AS search, response FROM unnest(%s::text[], %s::text[], %s::text[]) AS of (id, text, response)
) computed
WHERE logs_webhooklog.id = computed.id AND logs_webhooklog.response = computed.response
    AND logs_webhooklog.search <> computed.search
"""


def rebuild_search_index() -> Iterator[tuple[int, int]]:
    """After each batch: how many events or responses it has read, and for how many the words changed."""
    keys = masked_keys()
    for rows in _batches(Payload.objects.values_list("pk", "event")):
        ids, events = zip(*rows, strict=True)
        vectors = zip(*(event_vectors(event, keys) for event in events), strict=True)
        yield len(rows), _changed(_SET_OF_EVENTS, ids, *vectors)
    for rows in _batches(WebhookLog.objects.exclude(response=None).values_list("pk", "response")):
        ids, responses = zip(*rows, strict=True)
        response_vectors = [response_vector(response, keys) for response in responses]
        yield len(rows), _changed(_SET_OF_RESPONSES, ids, response_vectors, responses)


def _batches(rows) -> Iterator[list[tuple[str, str]]]:
    last = ""
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:REINDEX_BATCH_SIZE]):
        yield batch
        last = batch[-1][0]


def _changed(statement: str, *columns) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in columns])
        return cursor.rowcount
