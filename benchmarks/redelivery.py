"""Measures how fast 10,000 failed logs are planned and redelivered: `python -m benchmarks.redelivery`. Sink, worker and
database share this machine.

The reference in the same run is the bare aiohttp loop of `benchmarks.delivery`. The last line is one JSON object:
plan_ms: from the filter to the stored plan of 10,000 logs, each of an object of its own, one in ten of them superseded ·
plan_page_ms: from the click that requests that plan to the last byte of the page that shows it ·
ratio: logs/s of the bulk redelivery over 200 subscriptions, from its start to the last outcome in the results, ÷ requests/s of
the bare loop · canary_ratio: the same with the default canary (one of each subscription, a tenth, the rest) · stop_ms: from the
click on stop to the commit after which only requests in flight are sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from .database import fresh_database, log
from .delivery import bare_per_second
from .delivery_fixtures import COMPANY, create_subscriptions, require_durable, running_worker, sample_event, wait_for
from .sink import SinkProcess, running_sink

SUBSCRIPTIONS = 200
LOGS = 10_000

# Each object has a failed log. One object in ten also has a newer one, a second later, that was delivered.
_FAILED = """
WITH subscription AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM logs_subscription WHERE id = ANY(%(subscription_ids)s)
), log AS (
    INSERT INTO logs_webhooklog (id, subscription_id, company, created_at, status, attempt_count, response, state, cause,
        fingerprint, event_type, action, object_id, object_name, search, attempts_left, trigger, is_test)
    SELECT to_hex(extract(epoch FROM at)::bigint) || lpad(
            to_hex(%(first)s + number * 100000 + subscription.n * 2 + which), 16, '0'
        ),
        subscription.id, %(company)s, at, CASE WHEN is_delivered THEN 200 ELSE 503 END, 3, 'upstream is down',
        CASE WHEN is_delivered THEN 'delivered' ELSE 'failed' END, CASE WHEN is_delivered THEN '' ELSE 'http_5xx' END,
        '', 'COTTask', 'edit', lpad(to_hex(%(first)s + number * 1000 + subscription.n), 24, '0'), '', '', 0, '', false
    FROM generate_series(1, %(each)s) number, subscription, generate_series(0, 1) which,
        LATERAL (SELECT now() - interval '1 day' + (number * 2 + which) * interval '1 second' AS at,
            which = 1 AND number %% 10 = 0 AS is_delivered) created
    WHERE which = 0 OR number %% 10 = 0
    RETURNING id
)
INSERT INTO logs_payload (log_id, event, search) SELECT id, %(event)s::json, '' FROM log
"""


def make_failed_logs(sink: SinkProcess) -> list[str]:
    """Create active subscriptions with LOGS failed logs in total. Returns their ids."""
    from django.db import connection, transaction
    from django.utils import timezone

    from logs.cotalker import objectid
    from logs.db.payload_partitions import ensure_partitions_for
    from logs.models import Subscription

    subscription_ids = create_subscriptions([sink.url(f"subscription/{number}") for number in range(SUBSCRIPTIONS)])
    Subscription.objects.filter(pk__in=subscription_ids).update(is_active=True)
    ensure_partitions_for([objectid.new_objectid(timezone.now() - timedelta(days=1)), objectid.new_objectid()])
    parameters: dict[str, Any] = {
        "subscription_ids": subscription_ids,
        "each": LOGS // SUBSCRIPTIONS,
        "company": COMPANY,
        "event": sample_event(),
        "first": time.monotonic_ns(),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FAILED, parameters)
        cursor.execute("ANALYZE logs_webhooklog, logs_subscription, logs_payload")
    return subscription_ids


def planned(subscription_ids: list[str], user):
    """A plan of all failed logs of these subscriptions, made by a filter, and the ms that it took."""
    from logs.models import SelectionSource
    from logs.redelivery.drafts import build_plan, create_draft

    query = urlencode([("state", "failed"), *(("subscription", pk) for pk in subscription_ids)])
    start = time.monotonic()
    bulk = create_draft(SelectionSource.FILTER, by=user, query=query)
    build_plan(bulk)
    took = (time.monotonic() - start) * 1000
    bulk.refresh_from_db()
    if bulk.problem or bulk.items.count() != LOGS:
        sys.exit(f"{bulk.items.count()} of {LOGS} are planned: {bulk.problem}")
    return bulk, took


def plan_page_ms(user) -> float:
    """The ms for a plan of all failed logs as a browser requests it: the form, and the page it redirects to."""
    from django.test import Client
    from django.urls import reverse

    from logs.models import BulkRedelivery
    from logs.redelivery.drafts import discard_draft

    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    form = {"source": "filter", "query": "state=failed"}
    start = time.monotonic()
    page = client.post(reverse("logs:bulk_redelivery_create"), form, follow=True)
    took = (time.monotonic() - start) * 1000
    bulk = BulkRedelivery.objects.latest("pk")
    if page.status_code != 200 or bulk.items.count() != LOGS:
        sys.exit(f"{page.status_code}: {bulk.items.count()} of {LOGS} are planned: {bulk.problem}")
    discard_draft(bulk)
    return took


def bulk_redelivery_per_second(sink: SinkProcess, bulk, subscription_ids: list[str], rollout: str, user) -> float:
    """Logs per second, from the start of the bulk redelivery to the last outcome in its results."""
    from logs.models import ItemOutcome, SupersededPolicy
    from logs.redelivery.start import start_bulk

    sink.forget()
    choices = {
        "reason": "benchmark",
        "superseded_policy": SupersededPolicy.SEND,
        "includes_delivered": False,
        "rollout": rollout,
    }
    begun = time.monotonic()
    start_bulk(bulk, choices | {"max_attempts": 1, "rate": None, "failure_percent": 20}, subscription_ids, by=user)
    wait_for(lambda: not bulk.items.open().exists())
    took = time.monotonic() - begun
    delivered = bulk.items.filter(outcome=ItemOutcome.DELIVERED).count()
    if delivered != LOGS or sink.count() != LOGS:
        sys.exit(f"{delivered} of {LOGS} are on record as delivered, {sink.count()} arrived")
    return LOGS / took


def stop_ms(bulk, subscription_ids: list[str], sink: SinkProcess, user) -> float:
    """The ms to stop a bulk redelivery halfway; whatever arrives afterwards was in flight."""
    from logs.models import RolloutPolicy, SupersededPolicy
    from logs.redelivery.controls import stop_bulk
    from logs.redelivery.start import start_bulk

    sink.forget()
    choices = {
        "reason": "benchmark",
        "superseded_policy": SupersededPolicy.SEND,
        "includes_delivered": False,
        "rollout": RolloutPolicy.NONE,
    }
    start_bulk(bulk, choices | {"max_attempts": 1, "rate": None, "failure_percent": 20}, subscription_ids, by=user)
    wait_for(lambda: sink.count() > 1000)
    begun = time.monotonic()
    stop_bulk(bulk, by=user)
    took = (time.monotonic() - begun) * 1000
    at_stop = sink.count()
    time.sleep(1)
    if sink.count() - at_stop > SUBSCRIPTIONS:
        sys.exit(f"{sink.count() - at_stop} logs arrived after the stop, of {SUBSCRIPTIONS} queues")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    results: dict[str, float] = {}
    with running_sink() as sink, fresh_database(), running_worker():
        from django.contrib.auth.models import User
        from django.core.management import call_command

        from logs.models import RolloutPolicy

        require_durable()
        call_command("collectstatic", interactive=False, verbosity=0)
        user = User.objects.create_superuser("benchmark")
        log("bare loop …")
        bare = bare_per_second(sink, 20_000)
        results["bare_per_second"] = round(bare)
        for name, rollout in (("ratio", RolloutPolicy.NONE), ("canary_ratio", RolloutPolicy.STAGES)):
            subscription_ids = make_failed_logs(sink)
            results["plan_page_ms"] = max(round(plan_page_ms(user)), results.get("plan_page_ms", 0))
            bulk, took = planned(subscription_ids, user)
            results["plan_ms"] = max(round(took), results.get("plan_ms", 0))
            log(f"bare loop: {bare:.0f}/s; {LOGS} logs planned in {took:.0f} ms; redelivering, {name} …")
            speed = bulk_redelivery_per_second(sink, bulk, subscription_ids, rollout, user)
            results[name] = round(speed / bare, 3)
            results[f"{name}_logs_per_second"] = round(speed)
        subscription_ids = make_failed_logs(sink)
        results["stop_ms"] = round(stop_ms(planned(subscription_ids, user)[0], subscription_ids, sink, user))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
