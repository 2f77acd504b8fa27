"""What pages watch: how many queues are blocked and how many bulk redeliveries are open, and whether anything has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.core.cache import cache
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from ..delivery.queue_summary import is_blocked, with_next_events
from ..models import BulkRedelivery, Incident, Subscription, WebhookLog
from .receiver_state import last_attempt_times

CACHE_SECONDS = 60  # how old the counts of a page's navigation may be until its first poll
COLUMNS = (
    "pk",
    "is_active",
    "is_draining",
    "paused_at",
    "has_queued",
    "oldest_waiting",
    "next_retry_at",
    "next_event_cause",
    "newest_log",
)
# What the worker and people change about an incident. The last one is whether it counts as open.
INCIDENT_COLUMNS = (
    "pk",
    "last_failed_at",
    "recovered_at",
    "failed_count",
    "queued_count",
    "delivered_count",
    "superseded_count",
    "acknowledged_at",
    "assignee",
    "ignored_at",
)


@dataclass(frozen=True)
class LiveCounts:
    """The counts in the navigation."""

    blocked: int
    open_bulk_redeliveries: int
    incidents: int

    @property
    def mark(self) -> str:
        return f"{self.blocked}-{self.open_bulk_redeliveries}-{self.incidents}"


@dataclass(frozen=True)
class LiveState:
    """`mark`: changes as soon as a page about logs, queues or receivers may show something else.

    It also changes every minute, because ages grow and imported logs have no attempts of ours.
    """

    counts: LiveCounts
    mark: str


def live_state(user) -> LiveState:
    """Return the state of what the user may see. Four queries: a few steps in an index per subscription."""
    now = timezone.now()
    newest = WebhookLog.objects.filter(subscription=OuterRef("pk")).newest_first().values("pk")[:1]
    visible = with_next_events(Subscription.objects.visible_to(user)).annotate(newest_log=Subquery(newest))
    queues = list(visible.order_by("pk").values_list(*COLUMNS, named=True))
    bulks = list(BulkRedelivery.objects.visible_to(user).open().order_by("pk").values_list("pk", "state"))
    incidents = list(Incident.objects.visible_to(user).unresolved().order_by("pk").values_list(*INCIDENT_COLUMNS))
    open_incidents = sum(ignored_at is None for *_columns, ignored_at in incidents)
    counts = LiveCounts(sum(map(is_blocked, queues)), len(bulks), open_incidents)
    attempts = last_attempt_times([queue.pk for queue in queues])
    cache.set(_cache_key(user), counts, CACHE_SECONDS)
    return LiveState(counts, _digest(now, [tuple(queue) for queue in queues], bulks, attempts, incidents))


def cached_counts(user) -> LiveCounts | None:
    """Return the counts that a page of this user has last asked for; None if they are too old. Needs no database query."""
    return cache.get(_cache_key(user))


def _digest(now: datetime, *parts: object) -> str:
    return sha256(repr((f"{now:%H:%M}", parts)).encode()).hexdigest()[:16]


def _cache_key(user) -> str:
    return f"live-counts:{user.pk}"
