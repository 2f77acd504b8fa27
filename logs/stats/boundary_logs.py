"""The newest and the oldest log of a kind: what the rollups tell by the bucket is told here by the log. One query for all."""

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
    NEWEST_SUCCEEDED = "newest succeeded"


@dataclass(frozen=True)
class LogLookup:
    """Of the logs of one lane, from `since` to `until`; with a fingerprint, of the failures that are alike.

    `until` and `since` come from the rollups, so the answer is in the first bucket that is looked at.
    """

    look: LookupKind
    subscription: str
    since: datetime
    until: datetime
    cause: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class LookupResult:
    """A log, with the beginning of its response. `settled_at`: when it was last tried with this outcome; of an imported log its
    own time.
    """

    pk: str
    created_at: datetime
    settled_at: datetime
    status: int | None
    response: str


# The state is written out, for an index of the failed logs alone is used only where the query names that state.
_ONE_LOOK = """
SELECT asked.number, log.id, log.created_at,
    coalesce((
        SELECT max(started_at) FROM logs_attempt WHERE log_id = log.id AND (cause = '') = {is_success}
    ), log.created_at), log.status, log.response
FROM asked CROSS JOIN LATERAL (
    SELECT id, created_at, status, coalesce(left(response, {shown}), '') AS response
    FROM logs_webhooklog
    WHERE subscription_id = asked.subscription AND state = '{state}'
        AND created_at >= asked.since AND created_at < asked.until
        AND (asked.fingerprint IS NULL OR fingerprint = asked.fingerprint AND cause = asked.cause)
    ORDER BY created_at {direction}, id {direction}
    LIMIT 1
) AS log
WHERE asked.look = '{look}'
"""
_LOOKS = [
    _ONE_LOOK.format(
        look=look, state=state, is_success=state == "succeeded", direction=direction, shown=MAX_RESPONSE_SHOWN
    )
    for look, state, direction in [
        (LookupKind.NEWEST_FAILED, "failed", "DESC"),
        (LookupKind.OLDEST_FAILED, "failed", "ASC"),
        (LookupKind.NEWEST_SUCCEEDED, "succeeded", "DESC"),
    ]
]
_QUERY = f"""
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[])
        WITH ORDINALITY AS t (look, subscription, since, until, cause, fingerprint, number)
)
{"UNION ALL".join(_LOOKS)}
"""  # nothing but the constants above is put in


def fetch_boundary_logs(questions: Sequence[LogLookup]) -> dict[LogLookup, LookupResult]:
    """Without those to which there is no log."""
    if not questions:
        return {}
    columns = ("look", "subscription", "since", "until", "cause", "fingerprint")
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, [[getattr(one, column) for one in questions] for column in columns])
        return {questions[number - 1]: LookupResult(*columns) for number, *columns in cursor.fetchall()}
