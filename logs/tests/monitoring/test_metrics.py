"""What Prometheus reads: queues, attempts and workers, in its own format."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import psycopg
import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from logs.cotalker.outcomes import Cause
from logs.delivery import database
from logs.delivery.attempt_metrics import DURATION_BUCKETS, AttemptCounts, store_counts
from logs.delivery.http_client import SendOutcome
from logs.incidents.update import update_incidents
from logs.models import DeliveryCount, Priority, State, Subscription, UnmatchedCount, WebhookLog, Worker
from logs.monitoring import metrics

from ..factories import SUBSCRIPTION, make_company, make_log, make_log_of_age, make_subscription

pytestmark = pytest.mark.django_db(transaction=True)
OTHERS = [f"62685990d918fb5557f9f99{digit}" for digit in "345"]


@pytest.fixture
def scrape(client, settings):
    """Every sample by its name and labels: `scrape()["cotadmin_queues_waiting"]`."""

    def read() -> dict[str, float]:
        settings.METRICS_TOKEN = "s3cret"
        response = client.get("/metrics", headers={"authorization": "Bearer s3cret"})
        assert response.status_code == 200
        assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = text_string_to_metric_families(response.content.decode())
        return {
            sample.name
            + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items(), reverse=True)): sample.value
            for family in families
            for sample in family.samples
        }

    return read


def make_queued_log(number: int, subscription: str = SUBSCRIPTION, **columns) -> None:
    """A log that has been queued for `number` minutes."""
    log = make_log(number, subscription=subscription)
    queued = {
        "next_attempt_at": Now() - timedelta(minutes=number),
        "priority": Priority.NORMAL,
        "sequence": number,
        "attempts_left": 3,
    }
    WebhookLog.objects.filter(pk=log.pk).update(**queued | columns)


def outcome(milliseconds: int, cause: str = "") -> SendOutcome:
    return SendOutcome(None if cause else 200, "", cause, milliseconds)


def save_counts(counts: AttemptCounts) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            await store_counts(await database.connect(stack), counts)

    asyncio.run(run())


def test_an_idle_installation_has_metrics_too(scrape):
    samples = scrape()
    assert samples["cotadmin_queues_waiting"] == 0
    assert samples["cotadmin_queued_logs"] == 0
    assert samples["cotadmin_oldest_queued_seconds"] == 0
    assert samples["cotadmin_attempts_total result=success cause="] == 0
    assert samples["cotadmin_attempts_total result=failed cause=timeout"] == 0
    assert samples["cotadmin_attempt_seconds_count result=success"] == 0
    assert samples["cotadmin_unmatched_events_total"] == 0
    assert not any(name.startswith(("python_", "process_", "cotadmin_worker_seen")) for name in samples)


def test_waiting_queues_and_logs_are_counted(scrape):
    for subscription in (SUBSCRIPTION, *OTHERS[:2]):
        make_subscription(subscription)
    for number in (1, 2, 3):
        make_queued_log(number)
    make_queued_log(4, OTHERS[0])
    make_log(9, subscription=OTHERS[1])  # finished
    samples = scrape()
    assert (samples["cotadmin_queues_waiting"], samples["cotadmin_queued_logs"]) == (2, 4)
    assert 240 <= samples["cotadmin_oldest_queued_seconds"] < 300
    reasons = ("paused", "between_attempts", "inactive")
    assert sum(samples[f"cotadmin_queues_blocked reason={reason}"] for reason in reasons) == 0


def test_blocked_queues_are_counted_by_their_reason(scrape):
    make_subscription(SUBSCRIPTION, paused_at=timezone.now())
    make_subscription(OTHERS[0])
    make_subscription(OTHERS[1], is_active=False)
    make_subscription(OTHERS[2], is_active=False, is_draining=True)
    make_queued_log(30)
    make_queued_log(1, OTHERS[0], priority=Priority.RETRY, next_attempt_at=Now() + timedelta(minutes=1))
    make_queued_log(20, OTHERS[1])
    make_queued_log(5, OTHERS[2])
    samples = scrape()
    assert samples["cotadmin_queues_waiting"] == 4
    assert samples["cotadmin_queues_blocked reason=paused"] == 1
    assert samples["cotadmin_queues_blocked reason=between_attempts"] == 1
    assert samples["cotadmin_queues_blocked reason=inactive"] == 1
    assert 300 <= samples["cotadmin_oldest_queued_seconds"] < 360  # those paused and inactive are not counted


def test_the_age_includes_logs_behind_one_that_waits_for_its_retry(scrape):
    make_subscription()
    make_queued_log(7)
    make_queued_log(1, priority=Priority.RETRY, next_attempt_at=Now() + timedelta(minutes=1))
    assert 420 <= scrape()["cotadmin_oldest_queued_seconds"] < 480


def test_incidents_and_logs_are_counted_by_state(scrape):
    subscription = make_subscription()
    make_log_of_age(subscription, State.FAILED, timedelta(minutes=9), cause="timeout")
    make_log_of_age(subscription, State.SUPERSEDED)
    update_incidents()
    samples = scrape()
    assert (samples["cotadmin_logs state=failed"], samples["cotadmin_logs state=superseded"]) == (1, 1)
    assert samples["cotadmin_logs state=delivered"] == 0
    assert samples["cotadmin_incidents receiver=failing"] == 1
    assert samples["cotadmin_incidents receiver=recovered"] == 0


def test_a_large_table_is_not_counted_completely(scrape, monkeypatch):
    monkeypatch.setattr(metrics, "MAX_COUNTED", 2)
    make_subscription()
    for number in (1, 2, 3):
        make_queued_log(number)
    assert scrape()["cotadmin_queued_logs"] == 2


def test_attempts_are_counted_by_result_and_cause_and_timed(scrape):
    counts = AttemptCounts()
    for milliseconds in (0, 50, 51, 20_000, 20_001):
        counts.add(outcome(milliseconds))
    counts.add(outcome(5000, Cause.TIMEOUT))
    counts.add(outcome(7, Cause.HTTP_5XX))
    save_counts(counts)
    samples = scrape()
    assert samples["cotadmin_attempts_total result=success cause="] == 5
    assert samples["cotadmin_attempts_total result=failed cause=timeout"] == 1
    assert samples["cotadmin_attempts_total result=failed cause=http_5xx"] == 1
    assert samples["cotadmin_attempts_total result=failed cause=dns"] == 0
    assert samples["cotadmin_attempt_seconds_sum result=success"] == pytest.approx(40.102)
    buckets = {
        bound: samples[f"cotadmin_attempt_seconds_bucket result=success le={bound}"]
        for bound in (*DURATION_BUCKETS, "+Inf")
    }
    assert (buckets[0.05], buckets[0.1], buckets[10.0], buckets[20.0], buckets["+Inf"]) == (2, 3, 3, 4, 5)
    assert samples["cotadmin_attempt_seconds_count result=failed"] == 2
    assert samples["cotadmin_attempt_seconds_bucket result=failed le=5.0"] == 2


def test_counts_of_workers_add_up(scrape):
    for _worker in range(3):
        counts = AttemptCounts()
        counts.add(outcome(100))
        save_counts(counts)
        save_counts(counts)  # nothing new
    stored = DeliveryCount.objects.get()
    assert (stored.cause, stored.attempts, stored.seconds) == ("", 3, pytest.approx(0.3))
    assert stored.buckets == [0, 3, 0, 0, 0, 0, 0, 0, 0]


def test_counts_that_could_not_be_saved_are_saved_the_next_time():
    class Broken:
        async def execute(self, *_arguments) -> None:
            counts.add(outcome(60))  # counted meanwhile
            raise psycopg.OperationalError

    counts = AttemptCounts()
    counts.add(outcome(60))
    with pytest.raises(psycopg.OperationalError):
        asyncio.run(store_counts(Broken(), counts))
    save_counts(counts)
    assert DeliveryCount.objects.get().attempts == 2


def test_workers_report_when_they_were_last_seen(scrape):
    now = timezone.now()
    for name, seconds in [("host:1", 3), ('"odd"\n', 600)]:
        Worker.objects.create(id=name, started_at=now, seen_at=now - timedelta(seconds=seconds))
    samples = scrape()
    assert 3 <= samples["cotadmin_worker_seen_seconds worker=host:1"] < 30
    assert 600 <= samples['cotadmin_worker_seen_seconds worker="odd"\n'] < 630


def test_unmatched_events_are_counted(scrape):
    for day in (1, 2):
        UnmatchedCount.objects.create(
            company=make_company(), day=f"2026-07-0{day}", event_type="COTTask", action="edit", count=day * 10
        )
    assert scrape()["cotadmin_unmatched_events_total"] == 30


def test_a_company_or_subscription_is_never_named(scrape):
    make_subscription(name="Austral Work Orders")
    make_queued_log(1)
    Subscription.objects.update(first_sequence=F("first_sequence") + 1)
    shown = str(scrape())
    assert "Austral" not in shown
    assert SUBSCRIPTION not in shown
