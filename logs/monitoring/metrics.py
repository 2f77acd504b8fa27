"""Metrics for Prometheus, read from the database on each request: any web process reports those of all workers.

The table of logs is large. Queued logs are found in their partial index (`log_queued`), queue by queue, and counted up to a
limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ..cotalker.outcomes import Cause
from ..delivery.attempt_metrics import DURATION_BUCKETS
from ..models import State

MAX_COUNTED = 10_000
CAUSES = ["", *Cause]

# Recursion from queue to queue, because PostgreSQL has no skip scan.
_QUEUES = """
WITH RECURSIVE waiting AS (
    (SELECT subscription_id FROM logs_webhooklog WHERE next_attempt_at IS NOT NULL ORDER BY subscription_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT log.subscription_id FROM logs_webhooklog log
        WHERE log.next_attempt_at IS NOT NULL AND log.subscription_id > waiting.subscription_id
        ORDER BY log.subscription_id LIMIT 1
    ) FROM waiting WHERE waiting.subscription_id IS NOT NULL
), queue AS (
    SELECT
        CASE
            WHEN paused_at IS NOT NULL THEN 'paused'
            WHEN url = '' OR NOT (is_active OR is_draining) THEN 'inactive'
            WHEN head.priority = 0 AND head.next_attempt_at > now() THEN 'between_attempts'
            ELSE ''
        END AS blocked,
        extract(epoch FROM now() - least(head.next_attempt_at, first_waiting.next_attempt_at)) AS age
    FROM waiting
    JOIN logs_subscription ON logs_subscription.id = waiting.subscription_id
    CROSS JOIN LATERAL (
        SELECT log.priority, log.next_attempt_at FROM logs_webhooklog log
        WHERE log.subscription_id = waiting.subscription_id AND log.next_attempt_at IS NOT NULL
        ORDER BY log.priority, log.sequence LIMIT 1
    ) head
    LEFT JOIN LATERAL (
        SELECT log.next_attempt_at FROM logs_webhooklog log
        WHERE log.subscription_id = waiting.subscription_id AND log.next_attempt_at IS NOT NULL AND log.priority = 2
        ORDER BY log.sequence LIMIT 1
    ) first_waiting ON true
)
SELECT
    count(*),
    count(*) FILTER (WHERE blocked = 'paused'),
    count(*) FILTER (WHERE blocked = 'between_attempts'),
    count(*) FILTER (WHERE blocked = 'inactive'),
    coalesce(greatest(max(age) FILTER (WHERE blocked IN ('', 'between_attempts')), 0), 0)::float8
FROM queue
"""
_LOGS = """
SELECT count(*) FROM (
    SELECT FROM logs_webhooklog WHERE next_attempt_at IS NOT NULL ORDER BY subscription_id, priority, sequence LIMIT %s
) waiting
"""
_INCIDENTS = """
SELECT count(*) FILTER (WHERE recovered_at IS NULL), count(*) FILTER (WHERE recovered_at IS NOT NULL)
FROM logs_incident WHERE resolved_at IS NULL AND ignored_at IS NULL
"""
# From the log counts by week, the widest: a row for each kind of log, not for each log.
_LOGS_BY_STATE = "SELECT state, sum(count) FROM logs_logcounttotal WHERE width = 10080 GROUP BY state"
_WORKERS = """
SELECT id, greatest(extract(epoch FROM now() - seen_at), 0)::float8,
    coalesce(greatest(extract(epoch FROM now() - stuck_since), 0), 0)::float8 FROM logs_worker ORDER BY id
"""


class DatabaseCollector(Collector):
    """`collect()` raises psycopg.Error."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def collect(self) -> Iterator[Metric]:
        yield from self._waiting()
        yield from self._incidents()
        yield from self._attempts()
        yield from self._workers()
        unmatched = self._rows("SELECT coalesce(sum(count), 0) FROM logs_unmatchedcount")[0][0]
        yield CounterMetricFamily(
            "cotadmin_unmatched_events", "Accepted events that matched no subscription.", value=unmatched
        )

    def _waiting(self) -> Iterator[Metric]:
        queues, paused, between_attempts, inactive, oldest = self._rows(_QUEUES)[0]
        yield GaugeMetricFamily("cotadmin_queues_waiting", "Queues with at least one queued log.", value=queues)
        blocked = GaugeMetricFamily(
            "cotadmin_queues_blocked",
            "Waiting queues that are blocked, by reason: paused, waiting for a retry, or of an inactive subscription.",
            labels=["reason"],
        )
        for reason, number in [("paused", paused), ("between_attempts", between_attempts), ("inactive", inactive)]:
            blocked.add_metric([reason], number)
        yield blocked
        yield GaugeMetricFamily(
            "cotadmin_queued_logs",
            f"Queued logs in all queues, counted up to {MAX_COUNTED}: that value means so many or more.",
            value=self._rows(_LOGS, [MAX_COUNTED])[0][0],
        )
        yield GaugeMetricFamily(
            "cotadmin_oldest_queued_seconds",
            "Seconds that the oldest queued log has been waiting, without paused and inactive queues.",
            value=oldest,
        )

    def _incidents(self) -> Iterator[Metric]:
        incidents = GaugeMetricFamily(
            "cotadmin_incidents",
            "Open incidents, without ignored ones, by whether the receiver still fails.",
            labels=["receiver"],
        )
        for receiver, number in zip(("failing", "recovered"), self._rows(_INCIDENTS)[0], strict=True):
            incidents.add_metric([receiver], number)
        yield incidents
        logs = GaugeMetricFamily("cotadmin_logs", "Stored logs by state.", labels=["state"])
        numbers = dict(self._rows(_LOGS_BY_STATE))
        for state in State.values:
            logs.add_metric([state], float(numbers.get(state, 0)))
        yield logs

    def _attempts(self) -> Iterator[Metric]:
        counted = {
            row[0]: row[1:] for row in self._rows("SELECT cause, attempts, seconds, buckets FROM logs_deliverycount")
        }
        attempts = CounterMetricFamily(
            "cotadmin_attempts", "Delivery attempts by result and cause.", labels=["result", "cause"]
        )
        seconds = HistogramMetricFamily(
            "cotadmin_attempt_seconds",
            "Duration of an attempt in seconds, from the DNS lookup to the last byte.",
            labels=["result"],
        )
        for result, causes in [("success", CAUSES[:1]), ("failed", CAUSES[1:])]:
            rows = [counted[cause] for cause in causes if cause in counted]
            for cause in causes:
                attempts.add_metric([result, cause], counted[cause][0] if cause in counted else 0)
            seconds.add_metric([result], _buckets(rows), sum_value=sum(row[1] for row in rows))
        yield attempts
        yield seconds

    def _workers(self) -> Iterator[Metric]:
        seen = GaugeMetricFamily(
            "cotadmin_worker_seen_seconds", "Seconds since the worker was last seen.", labels=["worker"]
        )
        stuck = GaugeMetricFamily(
            "cotadmin_worker_cannot_record_seconds",
            "Seconds that the worker has been unable to record outcomes; 0 if it can record them.",
            labels=["worker"],
        )
        for worker, age, stuck_seconds in self._rows(_WORKERS):
            seen.add_metric([worker], age)
            stuck.add_metric([worker], stuck_seconds)
        yield seen
        yield stuck

    def _rows(self, query: str, parameters: list[object] | None = None) -> list[tuple]:
        return self.connection.execute(query, parameters).fetchall()


def _buckets(counts: list[tuple]) -> list[tuple[str, float]]:
    """The buckets in Prometheus's format: how many attempts took at most this long; the last bucket counts all."""
    each = [sum(row[2][place] for row in counts) for place in range(len(DURATION_BUCKETS))]
    bounds = [str(bound) for bound in DURATION_BUCKETS]
    return [*zip(bounds, map(float, accumulate(each)), strict=True), ("+Inf", float(sum(row[0] for row in counts)))]
