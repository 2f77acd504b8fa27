"""Opens, continues and resolves incidents, from what a trigger noted in the inbox and from the state of the queues.

A worker calls `update_incidents` every few seconds; pages only read. Only incidents that something happened to are counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from ..delivery.queue_summary import is_blocked, next_events_of
from ..models import Incident, IncidentEntry, IncidentLog, State, Subscription
from ..models.choices import OPEN_STATES
from ..stats.receiver_state import last_failures
from .deliveries import first_deliveries, has_delivered
from .grouping import GAP, Failure, Span, add_to_spans, receiver_of

BATCH_SIZE = 5_000  # logs
UPDATE_LOCK = 0x696E6364  # any number, the same everywhere: one process updates incidents at a time
LEFT_AFTER = timedelta(days=7)  # failed logs of a receiver that has worked again for so long are history
HAS_FAILED = (State.FAILED, State.RETRYING)
Kind = IncidentEntry.Kind

_TAKE = """
DELETE FROM logs_incidentinbox WHERE id IN (SELECT id FROM logs_incidentinbox ORDER BY id LIMIT %s) RETURNING log_id
"""
# A log whose attempt failed counts by the time of that attempt; an imported one by its own. A log that belongs to no incident was
# noted because it failed, even if it has been delivered since. An attempt at a custom URL says nothing about the receiver.
_CHANGED = """
SELECT log.id, log.state, coalesce(nullif(log.cause, ''), attempt.cause, 'other'), log.subscription_id,
    subscription.company_id, coalesce(attempt.started_at, log.created_at), subscription.url,
    member.incident_id, member.state, incident.resolved_at IS NOT NULL, incident.last_failed_at
FROM unnest(%s::text[]) AS noted (id)
JOIN logs_webhooklog log ON log.id = noted.id AND NOT log.is_test
JOIN logs_subscription subscription ON subscription.id = log.subscription_id
LEFT JOIN LATERAL (
    SELECT cause, started_at FROM logs_attempt
    WHERE log_id = log.id AND cause <> '' AND subscription_id IS NOT NULL ORDER BY started_at DESC LIMIT 1
) attempt ON true
LEFT JOIN logs_incidentlog member ON member.log_id = log.id
LEFT JOIN logs_incident incident ON incident.id = member.incident_id
"""
# The trigger doesn't see these rows before they are committed, so a change until then would be missed: each is noted once more.
_STORE_LOGS = """
WITH stored AS (
    INSERT INTO logs_incidentlog (log_id, incident_id, state)
    SELECT log_id, %s, state FROM unnest(%s::text[], %s::text[]) AS failed (log_id, state)
    ON CONFLICT (log_id) DO UPDATE SET incident_id = excluded.incident_id, state = excluded.state
    RETURNING log_id
)
INSERT INTO logs_incidentinbox (log_id) SELECT log_id FROM stored
"""
_REFRESH_STATES = """
UPDATE logs_incidentlog member SET state = log.state FROM logs_webhooklog log
WHERE log.id = member.log_id AND member.log_id = ANY(%s) AND member.state <> log.state
"""


def update_incidents() -> int:
    """Take a batch from the inbox, and judge the unresolved incidents. Returns how many noted logs were taken.

    Also returns 0 if another process is updating.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [UPDATE_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_TAKE, [BATCH_SIZE])
        taken = [log_id for (log_id,) in cursor.fetchall()]
        touched = _attach(cursor, taken) if taken else set()
        _count(touched)
        _judge_receivers()
        _resolve_green()
    return len(taken)


def _attach(cursor, taken: Sequence[str]) -> set[int]:
    """Add failed logs to incidents, and note the new states of logs that belong to one. Returns the incidents concerned."""
    cursor.execute(_CHANGED, [list(set(taken))])
    touched: set[int] = set()
    again: dict[int, list[Failure]] = defaultdict(list)  # by the incident that the log belongs to
    by_receiver: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for log_id, state, cause, subscription_id, company_id, failed_at, url, *member in cursor.fetchall():
        receiver = receiver_of(url, subscription_id)
        failure = Failure(log_id, state, cause, subscription_id, company_id, failed_at, receiver)
        incident_id, known_state, is_resolved, last = member
        touched.update({incident_id} - {None})
        if incident_id is not None and state not in HAS_FAILED:
            continue
        if incident_id is None or (is_resolved and failed_at > last + GAP):
            by_receiver[company_id, receiver].append(failure)
        elif failed_at > last or (is_resolved and known_state not in HAS_FAILED):
            again[incident_id].append(failure)
    cursor.execute(_REFRESH_STATES, [list(taken)])
    for incident in Incident.objects.filter(pk__in=again):
        span = _span(incident)
        for failure in sorted(again[incident.pk], key=lambda failure: failure.order):
            span.add(failure)
        _store(cursor, span)
    for (company_id, receiver), failures in by_receiver.items():
        spans = _spans_near(company_id, receiver, failures)
        add_to_spans(spans, failures, has_delivered)
        touched.update(_store(cursor, span) for span in spans if span.added)
    return touched


def _spans_near(company_id: str, receiver: str, failures: Collection[Failure]) -> list[Span]:
    """The incidents of the receiver that these failures may continue: those around them, and the last one before."""
    first = min(failure.failed_at for failure in failures)
    incidents = Incident.objects.filter(company=company_id, receiver=receiver)
    before = incidents.filter(started_at__lt=first).order_by("-started_at")[:1]
    near = incidents.filter(Q(started_at__gte=first) | Q(pk__in=[incident.pk for incident in before]))
    return [_span(incident) for incident in near]


def _span(incident: Incident) -> Span:
    return Span(incident.started_at, incident.last_failed_at, incident.recovered_at, incident.pk)


def _store(cursor, span: Span) -> int:
    """Store the failures that were added to an incident, which may be new. Returns its id."""
    added = span.added
    if span.incident_id is None:
        incident = _new_incident(added[0])
        _extend(incident, added)
        incident.save()
        _record(incident, Kind.OPENED, incident.started_at)
    else:
        incident = Incident.objects.select_for_update().get(pk=span.incident_id)
        _continue(incident, added)
        _extend(incident, added)
        incident.save()
    states = [[failure.log_id for failure in added], [failure.state for failure in added]]
    cursor.execute(_STORE_LOGS, [incident.pk, *states])
    return incident.pk


def _new_incident(first: Failure) -> Incident:
    return Incident(
        company_id=first.company_id,
        receiver=first.receiver,
        first_log=first.log_id,
        started_at=first.failed_at,
        last_failed_at=first.failed_at,
    )


def _extend(incident: Incident, added: Sequence[Failure]) -> None:
    last = added[-1]
    if last.failed_at >= incident.last_failed_at:
        incident.last_failed_at, incident.last_log = last.failed_at, last.log_id
    causes = [failure.cause for failure in reversed(added)] + incident.causes
    incident.causes = list(dict.fromkeys(causes))
    incident.subscription_ids = sorted({*incident.subscription_ids, *(failure.subscription_id for failure in added)})


def _continue(incident: Incident, added: Sequence[Failure]) -> None:
    """An incident of which nothing was expected any more is open again."""
    first, last = added[0], added[-1]
    if first.failed_at < incident.started_at:
        incident.started_at, incident.first_log = first.failed_at, first.log_id
    if incident.resolved_at is not None:
        incident.resolved_at = incident.acknowledged_at = incident.ignored_at = None
        _record(incident, Kind.REOPENED, last.failed_at)
    if incident.recovered_at is not None and last.failed_at > incident.recovered_at:
        incident.recovered_at = None
        _record(incident, Kind.FAILED_AGAIN, last.failed_at)
    causes = {failure.cause for failure in added} - set(incident.causes)
    subscriptions = {failure.subscription_id for failure in added} - set(incident.subscription_ids)
    if incident.ignored_at is not None and (causes or subscriptions):
        incident.ignored_at = None
        _record(incident, Kind.CHANGED, last.failed_at)


def _count(incident_ids: Collection[int]) -> None:
    """Count the logs of these incidents by state."""
    if not incident_ids:
        return
    counts: dict[int, dict[str, int]] = {pk: {} for pk in incident_ids}
    members = IncidentLog.objects.filter(incident__in=incident_ids).order_by()
    for pk, state, number in members.values_list("incident", "state").annotate(n=Count("pk")):
        counts[pk][state] = number
    for pk, by_state in counts.items():
        Incident.objects.filter(pk=pk).update(
            failed_count=by_state.get(State.FAILED, 0),
            queued_count=sum(by_state.get(state, 0) for state in OPEN_STATES),
            delivered_count=by_state.get(State.DELIVERED, 0),
            superseded_count=by_state.get(State.SUPERSEDED, 0),
            skipped_count=by_state.get(State.SKIPPED, 0),
        )


def _judge_receivers() -> None:
    """Find out which receivers work again: each subscription has delivered since its last failure, and no queue is blocked.

    Only the newest incident of a receiver is judged by what happens now, older ones by what came after them. Inactive
    subscriptions don't count, because nothing is sent to them.
    """
    failing = list(Incident.objects.unresolved().filter(recovered_at=None).order_by("started_at"))
    if not failing:
        return
    newest = {(incident.company_id, incident.receiver): incident.pk for incident in failing}.values()
    queues = _queues(failing)
    last = last_failures(queues)
    asked = []
    for incident in failing:
        for pk in filter(queues.get, incident.subscription_ids):
            is_newest = incident.pk in newest and pk in last
            asked.append((pk, max(last[pk], incident.last_failed_at) if is_newest else incident.last_failed_at))
    deliveries = iter(first_deliveries(asked))
    for incident in failing:
        active = [queues[pk] for pk in incident.subscription_ids if pk in queues]
        delivered = [next(deliveries) for _queue in active]
        is_blocked_now = incident.pk in newest and any(map(is_blocked, active))
        if delivered and all(delivered) and not is_blocked_now:
            _recover(incident, max(filter(None, delivered)))


def _queues(incidents: Iterable[Incident]) -> dict[str, Any]:
    """The active subscriptions of the incidents, by id."""
    ids = {pk for incident in incidents for pk in incident.subscription_ids}
    return next_events_of(Subscription.objects.filter(pk__in=ids).filter(Q(is_active=True) | Q(is_draining=True)))


def _recover(incident: Incident, recovered_at: datetime) -> None:
    Incident.objects.filter(pk=incident.pk).update(recovered_at=recovered_at)
    _record(incident, Kind.RECOVERED, recovered_at)


def _resolve_green() -> None:
    """Resolve the incidents whose receiver works again, and whose logs need nothing more, or nobody has sent for a week."""
    now = timezone.now()
    recovered = Incident.objects.unresolved().filter(recovered_at__isnull=False, queued_count=0)
    for incident in recovered.filter(Q(failed_count=0) | Q(recovered_at__lt=now - LEFT_AFTER)):
        Incident.objects.filter(pk=incident.pk).update(resolved_at=now)
        _record(incident, Kind.LEFT if incident.failed_count else Kind.RESOLVED, now)


def _record(incident: Incident, kind: IncidentEntry.Kind, at: datetime) -> None:
    IncidentEntry.objects.create(incident=incident, kind=kind, at=at)
