"""The newest and oldest logs of subscriptions and failure groups. Log counts know the bucket; one query here finds the logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import connection

MAX_RESPONSE_SHOWN = 200  # characters


class LookupKind(StrEnum):
    NEWEST_FAILED = "newest failed"
    OLDEST_FAILED = "oldest failed"
    NEWEST_DELIVERED = "newest delivered"


@dataclass(frozen=True)
class LogLookup:
    """Looks among the logs of one subscription, from `since` to `until`; with a fingerprint, among those of one failure group.

    `until` and `since` come from log counts, so the answer is in the first bucket that is read.
    """

    kind: LookupKind
    subscription: str
    since: datetime
    until: datetime
    cause: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class LookupResult:
    """A log, with the beginning of its response. `finished_at`: when it was last attempted with this outcome.

    For an imported log, that is its own time.
    """

    pk: str
    created_at: datetime
    finished_at: datetime
    status: int | None
    response: str


# The state is a literal: PostgreSQL uses the index of failed logs only if the query names that state.
_LOOKUP_OF_KIND = """
SELECT lookup.number, log.id, log.created_at,
    coalesce((
        SELECT max(started_at) FROM logs_attempt WHERE log_id = log.id AND (cause = '') = {is_success}
    ), log.created_at), log.status, log.response
FROM lookup CROSS JOIN LATERAL (
    SELECT id, created_at, status, coalesce(left(response, {shown}), '') AS response
    FROM logs_webhooklog
    WHERE subscription_id = lookup.subscription AND state = '{state}'
        AND created_at >= lookup.since AND created_at < lookup.until
        AND (lookup.fingerprint IS NULL OR fingerprint = lookup.fingerprint AND cause = lookup.cause)
    ORDER BY created_at {direction}, id {direction}
    LIMIT 1
) AS log
WHERE lookup.kind = '{kind}'
"""
_LOOKUPS = [
    _LOOKUP_OF_KIND.format(
        kind=kind, state=state, is_success=state == "delivered", direction=direction, shown=MAX_RESPONSE_SHOWN
    )
    for kind, state, direction in [
        (LookupKind.NEWEST_FAILED, "failed", "DESC"),
        (LookupKind.OLDEST_FAILED, "failed", "ASC"),
        (LookupKind.NEWEST_DELIVERED, "delivered", "DESC"),
    ]
]
_QUERY = f"""
WITH lookup AS MATERIALIZED (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[])
        WITH ORDINALITY AS t (kind, subscription, since, until, cause, fingerprint, number)
)
{"UNION ALL".join(_LOOKUPS)}
"""  # only the constants above are inserted


def fetch_boundary_logs(lookups: Sequence[LogLookup]) -> dict[LogLookup, LookupResult]:
    """The results by lookup, without lookups that find no log."""
    if not lookups:
        return {}
    columns = ("kind", "subscription", "since", "until", "cause", "fingerprint")
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, [[getattr(lookup, column) for lookup in lookups] for column in columns])
        return {lookups[number - 1]: LookupResult(*columns) for number, *columns in cursor.fetchall()}
