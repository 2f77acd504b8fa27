"""Shared by the benchmarks of delivery: queues with waiting events, and worker processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .sink import SinkProcess

PROJECT = Path(__file__).parent.parent
SAMPLE = PROJECT / "logs/samples/webhook_log_task_create_failed.json"
COMPANY = "625be93a286ef83c1c0e845f"
PATIENCE = 300.0  # seconds

_LOGS = """
WITH queue AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM logs_subscription WHERE id = ANY(%(subscriptions)s)
), log AS (
    INSERT INTO logs_webhooklog (id, subscription_id, company, created_at, attempt_count, state, cause, fingerprint,
        event_type, action, object_id, object_name, search, next_attempt_at, priority, sequence, attempts_left,
        trigger, is_test)
    SELECT to_hex(extract(epoch FROM now())::bigint) || lpad(to_hex(%(first)s + number * 100000 + queue.n), 16, '0'),
        queue.id, %(company)s, now(), 0, 'pending', '', '', 'COTTask', 'create', '', '', '', now(), 2, number, 3,
        'auto', false
    FROM generate_series(%(after)s + 1, %(after)s + %(each)s) number, queue ORDER BY number, queue.n
    RETURNING id
)
INSERT INTO logs_payload (log_id, event, search) SELECT id, %(event)s::json, '' FROM log
"""


def sample_event() -> str:
    """The published event, about 1.5 KB."""
    return json.dumps(json.loads(SAMPLE.read_text())["event"])


def large_event(size: int) -> str:
    """An event of about `size` bytes that compresses well, as tables in a survey do."""
    event = json.loads(SAMPLE.read_text())["event"]
    row = {"identifier": "field_0001", "value": "Equipment sector 1", "process": ["625be93a286ef83c1c0e845f"]}
    event["data"]["rows"] = [row] * (size // len(json.dumps(row)))
    return json.dumps(event)


def create_subscriptions(urls: list[str]) -> list[str]:
    """Create a signed subscription for each URL, not active yet, that no event of the benchmarks matches. Returns their ids."""
    from logs import signing
    from logs.cotalker import objectid
    from logs.models import Company, Subscription

    Company.objects.get_or_create(pk=COMPANY)
    subscriptions = []
    for url in urls:
        pk = objectid.new_objectid()
        subscription = Subscription(
            pk=pk, company_id=COMPANY, name=pk, code=f"c{pk}", url=url, trigger="create-edit-delete-note"
        )
        subscription.is_active = False
        subscription.secret = signing.generate_secret()
        subscriptions.append(subscription)
    Subscription.objects.bulk_create(subscriptions)
    return [subscription.pk for subscription in subscriptions]


def fill(subscription_ids: list[str], each: int, *, after: int = 0, event: str = "") -> int:
    """Add `each` events to every queue, in rounds, after the `after` that it has. Returns the total. `event` "": the sample."""
    from django.db import connection, transaction

    from logs.cotalker import objectid
    from logs.db.payload_partitions import ensure_partitions_for

    ensure_partitions_for([objectid.new_objectid()])
    parameters: dict[str, Any] = {
        "subscriptions": subscription_ids,
        "each": each,
        "company": COMPANY,
        "event": event or sample_event(),
        "first": time.monotonic_ns(),
        "after": after,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOGS, parameters)
        _notify_workers(cursor, subscription_ids)
        if not after:
            cursor.execute("ANALYZE logs_webhooklog, logs_subscription")
    return len(subscription_ids) * each


def require_durable() -> None:
    """Exit if commits don't reach the disk: the results would be worthless."""
    from django.db import connection

    with connection.cursor() as cursor:
        for name in ("fsync", "synchronous_commit"):
            cursor.execute(f"SHOW {name}")
            if cursor.fetchone()[0] != "on":
                sys.exit(f"{name} is off in this PostgreSQL")


def activate(subscription_ids: list[str]) -> None:
    """Activate the subscriptions and notify their workers."""
    from django.db import connection, transaction

    from logs.models import Subscription

    with transaction.atomic(), connection.cursor() as cursor:
        Subscription.objects.filter(pk__in=subscription_ids).update(is_active=True)
        _notify_workers(cursor, subscription_ids)


def _notify_workers(cursor, subscription_ids: list[str]) -> None:
    from logs.models import QUEUE_CHANNEL

    cursor.execute("SELECT pg_notify(%s, id) FROM unnest(%s::text[]) AS id", [QUEUE_CHANNEL, subscription_ids])


def wait_until_delivered(subscription_ids: list[str], each: int, sink: SinkProcess) -> float:
    """When these queues' last outcome was committed. Exits unless every event is delivered and its first attempt recorded."""
    from logs.models import Attempt, WebhookLog

    wait_for(lambda: sink.count() >= len(subscription_ids) * each)
    wait_for(lambda: not WebhookLog.objects.queued().filter(subscription__in=subscription_ids).exists())
    end = time.monotonic()
    recorded = Attempt.objects.filter(log__subscription__in=subscription_ids, log__state="delivered", number=1).count()
    if recorded != len(subscription_ids) * each:
        sys.exit(f"{recorded} of {len(subscription_ids) * each} are on record as delivered")
    return end


def wait_for(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > deadline:
            sys.exit(f"not done within {PATIENCE:.0f} s")
        time.sleep(0.02)


@contextmanager
def running_worker(**environment: str) -> Iterator[subprocess.Popen]:
    worker = start_worker(str, **environment)
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


def start_worker(see: Callable[[str], object] = str, /, **more: str) -> subprocess.Popen:
    """Returns once the worker has its queues. A thread calls `see` with each line that the worker logs afterwards."""
    from logs.tests.processes import environment

    worker = subprocess.Popen(
        [sys.executable, "manage.py", "run_worker"],
        cwd=PROJECT,
        env=environment()
        | {
            "DELIVERY_ALLOWED_NETWORKS": "127.0.0.1/32",
            "DELIVERY_RETRY_DELAY": "30",
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "INFO",
        }
        | more,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stderr
    while "queue shards" not in worker.stderr.readline():
        if worker.poll() is not None:
            sys.exit("the worker did not start")
    threading.Thread(target=_drain, args=[worker.stderr, see], daemon=True).start()
    return worker


def _drain(pipe: IO[str], see: Callable[[str], object]) -> None:
    """Read the worker's log: if nobody did, the worker would stop once the pipe is full."""
    for line in pipe:
        see(line)
