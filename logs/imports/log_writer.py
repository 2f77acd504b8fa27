"""Stores a batch of COTWebhookLogs: COPY into a temporary table, and from there insert new logs and update changed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils.translation import gettext as _

from ..cotalker.documents import InvalidDocument, LogDocument
from ..cotalker.outcomes import classify_outcome, fingerprint, is_success
from ..db.payload_partitions import ensure_partitions_for
from ..db.search_vectors import OVERFLOW_VECTORS, event_vectors, response_vector
from ..delivery.fingerprint_limit import KNOWN_FINGERPRINTS_SQL, DailyFingerprints, day_of
from ..models import State
from ..payloads.exact_json import is_same_json
from ..payloads.masking import MaskedKeys, mask_json, mask_text
from . import placeholders
from .company_scope import ImportScope

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_log (
    id char(24) COLLATE "C", subscription_id char(24) COLLATE "C", company char(24), created_at timestamptz,
    status integer, attempt_count integer, response text, extra json, state text, cause text, fingerprint text,
    event_type text, action text, object_id text, object_name text,
    search tsvector, event json, event_search tsvector, search_2 tsvector, search_3 tsvector, search_4 tsvector
) ON COMMIT DELETE ROWS
"""
_LOG_COLUMNS = (
    "id, subscription_id, company, created_at, status, attempt_count, response, extra, state, cause, fingerprint, "
    "event_type, action, object_id, object_name, search"
)
_MORE_VECTORS = ", ".join(OVERFLOW_VECTORS)
# In the order of ids, so that two imports of the same logs don't deadlock.
_INSERT_NEW = f"""
WITH inserted AS (
    INSERT INTO logs_webhooklog ({_LOG_COLUMNS}) SELECT {_LOG_COLUMNS} FROM staged_log ORDER BY id
    ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO logs_payload (log_id, event, search, {_MORE_VECTORS})
SELECT id, event, event_search, {_MORE_VECTORS} FROM staged_log JOIN inserted USING (id) RETURNING log_id
"""
_OTHER_TEXT = """
SELECT staged_log.id, logs_payload.event::text, staged_log.event::text
FROM staged_log JOIN logs_payload ON log_id = staged_log.id WHERE logs_payload.event::text <> staged_log.event::text
"""
_OUT_OF_REACH = """
SELECT logs_webhooklog.id FROM staged_log JOIN logs_webhooklog USING (id)
JOIN logs_subscription ON logs_subscription.id = logs_webhooklog.subscription_id
WHERE NOT logs_subscription.company_id = ANY(%s)
"""
_SET = (
    "subscription_id",
    "company",
    "created_at",
    "status",
    "attempt_count",
    "response",
    "extra",
    "state",
    "cause",
    "fingerprint",
    "search",
)
_COMPARED = ("subscription_id", "company", "created_at", "status", "attempt_count", "response")
# PostgreSQL's jsonb can't hold characters that its text can't hold.
_OTHER_EXTRA = r"""CASE
        WHEN log.extra::text IS NOT DISTINCT FROM staged.extra::text THEN false
        WHEN concat(log.extra, staged.extra) ~ '\\u(0000|[dD][89a-fA-F])' THEN true
        ELSE log.extra::jsonb IS DISTINCT FROM staged.extra::jsonb
    END"""
_DIFFERS = f"""(({", ".join(f"log.{column}" for column in _COMPARED)})
        IS DISTINCT FROM ({", ".join(f"staged.{column}" for column in _COMPARED)}) OR {_OTHER_EXTRA})"""
# `sequence` says whether anything was done with the log here. After waiting for a row, PostgreSQL checks again only the
# conditions on that row. A subquery would still see what was stored when the statement began. Locked in the order of ids, as
# everywhere.
_LOCK_CHANGED = f"""
SELECT log.id FROM staged_log staged JOIN logs_webhooklog log USING (id)
WHERE log.sequence IS NULL AND {_DIFFERS}
ORDER BY log.id FOR NO KEY UPDATE OF log
"""
_UPDATE_CHANGED = f"""
UPDATE logs_webhooklog log SET {", ".join(f"{column} = staged.{column}" for column in _SET)}
FROM staged_log staged
WHERE log.id = staged.id AND NOT log.id = ANY(%s) AND log.sequence IS NULL
    AND {_DIFFERS}
"""
_OUTCOME = [column for column in _COMPARED if column != "response"]
_TEXTS_OF_CHANGED = f"""
SELECT log.id, coalesce(log.response, ''), coalesce(staged.response, ''),
    coalesce(log.extra::text, '{{}}'), coalesce(staged.extra::text, '{{}}')
FROM staged_log staged JOIN logs_webhooklog log USING (id)
WHERE log.id = ANY(%s) AND ({", ".join(f"log.{column}" for column in _OUTCOME)})
    IS NOT DISTINCT FROM ({", ".join(f"staged.{column}" for column in _OUTCOME)})
"""


@dataclass
class StoreResult:
    """How many logs of a batch were new, updated or unchanged; the rejected ones, by log id."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    company_differs: int = 0
    rejected: dict[str, InvalidDocument] = field(default_factory=dict)


def store_logs(
    logs: list[LogDocument],
    masked_keys: MaskedKeys,
    reach: ImportScope,
    kinds: DailyFingerprints,
    on_stored: Callable[[StoreResult], None] = lambda stored: None,
) -> StoreResult:
    """Store logs with distinct ids, in one transaction. A log that was queued or attempted here stays as it is.

    `on_stored` is called at the end of that transaction: if it raises, nothing is stored.
    """
    while True:
        try:
            return _store(logs, masked_keys, reach, kinds, on_stored)
        except placeholders.MovedLogs:
            continue


def _store(
    logs: list[LogDocument],
    masked_keys: MaskedKeys,
    reach: ImportScope,
    kinds: DailyFingerprints,
    on_stored: Callable[[StoreResult], None],
) -> StoreResult:
    stored = StoreResult()
    placeholders.create_placeholders(logs, reach)
    if logs:
        ensure_partitions_for(log.id for log in logs)
    with transaction.atomic(), connection.cursor() as cursor:
        subscriptions = placeholders.Placeholders(logs, reach)
        kept = _within_reach(logs, subscriptions, stored)
        if kept:
            _stage(cursor, kept, masked_keys, kinds)
            cursor.execute(_INSERT_NEW)
            stored.new = len(cursor.fetchall())
        if known := len(kept) - stored.new:
            cursor.execute(_LOCK_CHANGED)
            changed = [pk for (pk,) in cursor.fetchall()]
            _reject_conflicts(cursor, masked_keys, reach, stored)
            alike = [] if reach.may_reveal else _alike_where_masked(cursor, changed, masked_keys)
            cursor.execute(_UPDATE_CHANGED, [[*stored.rejected, *alike]])
            stored.updated = cursor.rowcount
            stored.unchanged = known - stored.updated - sum(log.id in stored.rejected for log, _subscription_id in kept)
        stored.company_differs = sum(subscriptions.differs(log) for log, _subscription_id in kept)
        on_stored(stored)
    return stored


def _within_reach(
    logs: list[LogDocument], subscriptions: placeholders.Placeholders, stored: StoreResult
) -> list[tuple[LogDocument, str]]:
    """The logs that may be stored, each with the subscription under which it is kept."""
    kept = []
    for log in logs:
        try:
            subscription_id = subscriptions.of(log)
        except InvalidDocument as error:
            stored.rejected[log.id] = error
            continue
        if subscription_id is None:
            raise placeholders.MovedLogs
        kept.append((log, subscription_id))
    return kept


def _stage(cursor, logs: list[tuple[LogDocument, str]], masked_keys: MaskedKeys, kinds: DailyFingerprints) -> None:
    failed = [(log, subscription_id) for log, subscription_id in logs if not is_success(log.status)]
    if unknown := kinds.unknown(day_of(subscription_id, log.created_at) for log, subscription_id in failed):
        cursor.execute(KNOWN_FINGERPRINTS_SQL, unknown)
        kinds.learn(unknown, cursor.fetchall())
    cursor.execute(_STAGE)
    cursor.execute("DELETE FROM staged_log")  # rows of a previous batch in the same outer transaction
    with cursor.copy(f"COPY staged_log ({_LOG_COLUMNS}, event, event_search, {_MORE_VECTORS}) FROM STDIN") as copy:
        for log, subscription_id in logs:
            state = State.DELIVERED if is_success(log.status) else State.FAILED
            cause = classify_outcome(log.status, log.response or "")
            failure_fingerprint = ""
            if cause:
                failure_fingerprint = fingerprint(mask_text(log.response or "", masked_keys), log.status, cause)
                failure_fingerprint = kinds.keep(day_of(subscription_id, log.created_at), failure_fingerprint)
            event = log.event
            copy.write_row(
                (
                    log.id,
                    subscription_id,
                    log.company,
                    log.created_at,
                    log.status,
                    log.retry,
                    log.response,
                    log.extra,
                    state.value,
                    str(cause),
                    failure_fingerprint,
                    event.type,
                    event.action,
                    event.object_id,
                    event.object_name,
                    response_vector(log.response or "", masked_keys),
                    event.text,
                    *event_vectors(event.text, masked_keys),
                )
            )


def _reject_conflicts(cursor, masked_keys: MaskedKeys, reach: ImportScope, stored: StoreResult) -> None:
    """Reject logs of companies out of reach, and logs whose event differs from the stored one.

    If the user may not see masked values, masked texts are compared: else the result would confirm a guess at a value.
    """
    if reach.companies is not None:
        cursor.execute(_OUT_OF_REACH, [list(reach.companies)])
        for (pk,) in cursor.fetchall():
            stored.rejected[pk] = InvalidDocument(
                _("a log with this id belongs to a company that is not yours"), "/_id"
            )
    cursor.execute(_OTHER_TEXT)
    for pk, known, new in cursor.fetchall():
        if not reach.may_reveal:
            known, new = mask_json(known, masked_keys), mask_json(new, masked_keys)
        if not is_same_json(known, new):
            stored.rejected.setdefault(
                pk, InvalidDocument(_("differs from the event that is stored for this log"), "/event")
            )


def _alike_where_masked(cursor, ids: list[str], masked_keys: MaskedKeys) -> list[str]:
    """The ids of the logs whose outcomes differ only in masked values."""
    cursor.execute(_TEXTS_OF_CHANGED, [ids])
    return [
        pk
        for pk, known, new, known_extra, new_extra in cursor.fetchall()
        if mask_text(known, masked_keys) == mask_text(new, masked_keys)
        and is_same_json(mask_json(known_extra, masked_keys), mask_json(new_extra, masked_keys))
    ]
