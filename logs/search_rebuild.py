"""Makes the search index anew, some events at a time, while cotadmin does its work."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from .masked_keys import masked_keys
from .models import Payload, WebhookLog
from .search import event_vector, response_vector

AT_ONCE = 100  # events; each may have megabytes

_SET_OF_EVENTS = """
UPDATE logs_payload SET search = made.search
FROM (SELECT id, text::tsvector AS search FROM unnest(%s::text[], %s::text[]) AS of (id, text)) made
WHERE log_id = made.id AND logs_payload.search <> made.search
"""
# A response that has come meanwhile has its own words.
_SET_OF_RESPONSES = """
UPDATE logs_webhooklog SET search = made.search
FROM (
    SELECT id, text::tsvector AS search, response FROM unnest(%s::text[], %s::text[], %s::text[]) AS of (id, text, response)
) made
WHERE logs_webhooklog.id = made.id AND logs_webhooklog.response = made.response AND logs_webhooklog.search <> made.search
"""


def rebuild() -> Iterator[tuple[int, int]]:
    """After each batch: how many events and responses it has read, and of how many the words were others."""
    keys = masked_keys()
    for rows in _batches(Payload.objects.values_list("pk", "event")):
        ids, events = zip(*rows, strict=True)
        yield len(rows), _changed(_SET_OF_EVENTS, ids, [event_vector(event, keys) for event in events])
    for rows in _batches(WebhookLog.objects.exclude(response=None).values_list("pk", "response")):
        ids, responses = zip(*rows, strict=True)
        vectors = [response_vector(response, keys) for response in responses]
        yield len(rows), _changed(_SET_OF_RESPONSES, ids, vectors, responses)


def _batches(rows) -> Iterator[list[tuple[str, str]]]:
    last = ""
    while some := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield some
        last = some[-1][0]


def _changed(statement: str, *columns) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in columns])
        return cursor.rowcount
