"""Skipping many events that wait for an inactive subscription: in a job that shows its progress and can be stopped."""

from __future__ import annotations

import pytest
from django.db import connection
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from logs.delivery import bulk_skip
from logs.models import AuditAction, AuditEntry, BulkSkip, State, Subscription, WebhookLog
from logs.redelivery.dispatcher import dispatch

from ..buffers import rows_read
from ..bulk_redeliveries import start_redelivery
from ..factories import make_log, make_waiting_log
from ..html import text_of
from ..processes import Worker, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("operator")]
# Copies of the one that waits, behind it.
COPY = """
INSERT INTO logs_webhooklog (id, subscription_id, company, created_at, state, attempt_count, cause, fingerprint,
    event_type, action, object_id, object_name, sequence, priority, trigger, attempts_left, next_attempt_at, search, response)
SELECT lpad(to_hex(number), 24, '0'), subscription_id, company, created_at, state, attempt_count, cause, fingerprint,
    event_type, action, '', '', sequence + number, priority, trigger, attempts_left, next_attempt_at, search, response
FROM logs_webhooklog CROSS JOIN generate_series(1, %s) AS number WHERE next_attempt_at IS NOT NULL
"""


@pytest.fixture
def few(monkeypatch):
    """Small limits, so that a few events are many."""
    monkeypatch.setattr(bulk_skip, "QUICK_SKIP_LIMIT", 3)
    monkeypatch.setattr(bulk_skip, "SKIP_BATCH_SIZE", 2)


def make_waiting(subscription: Subscription, count: int) -> None:
    make_waiting_log(subscription)
    with connection.cursor() as cursor:
        cursor.execute(COPY, [count - 1])
    Subscription.objects.update(is_active=False)


def request_skip(client, subscription) -> str:
    """Press the button; the text of the next page."""
    answer = client.post(
        reverse("logs:queue_skip_waiting", args=[subscription.pk]), {"reason": "too late"}, follow=True
    )
    assert answer.status_code == 200
    return text_of(answer)


def record() -> list[str]:
    return list(AuditEntry.objects.filter(action=AuditAction.SKIPPED_WAITING).values_list("detail", flat=True))


def queued_count() -> int:
    return WebhookLog.objects.queued().count()


@pytest.mark.django_db(transaction=True)
def test_a_worker_skips_many_events_and_the_queue_shows_the_progress(client, operator, subscription):
    make_waiting(subscription, 5_001)
    page = request_skip(client, subscription)
    assert "so they are skipped in the background." in page
    assert "Skipping the waiting events: 0 events so far." in page
    assert "Skip waiting events…" not in page
    assert "Skipping the waiting events: 0 events so far." in text_of(client.get("/queues/"))
    assert queued_count() == 5_001  # nothing is done in the request
    worker = Worker()
    try:
        wait_until(lambda: not queued_count() and not BulkSkip.objects.filter(ended_at=None).exists())
    finally:
        assert worker.stop() == 0, worker.output
    assert set(WebhookLog.objects.values_list("state", flat=True)) == {State.SKIPPED}
    assert record() == ["5001: too late"]
    assert AuditEntry.objects.get(action=AuditAction.SKIPPED_WAITING).actor == operator
    assert "being skipped" not in text_of(client.get(subscription.get_absolute_url()))


def test_a_second_request_starts_no_second_job(client, subscription, few):
    make_waiting(subscription, 7)
    for _time in range(2):
        assert "Skipping the waiting events" in request_skip(client, subscription)
    [job] = ProcrastinateJob.objects.filter(task_name="logs.tasks.skip_waiting")
    assert bulk_skip.run(job.args["skip_id"])
    assert bulk_skip.run(job.args["skip_id"])
    assert (queued_count(), record()) == (0, ["7: too late"])


def test_a_stopped_job_continues_and_a_lost_job_is_found(client, subscription, few):
    make_waiting(subscription, 7)
    request_skip(client, subscription)
    skip = BulkSkip.objects.get()
    answers = iter([False, False, True])
    assert not bulk_skip.run(skip.pk, lambda: next(answers))
    assert (queued_count(), record()) == (3, [])
    assert "Skipping the waiting events: 4 events so far." in text_of(client.get(subscription.get_absolute_url()))
    assert bulk_skip.lost() == []
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert bulk_skip.lost() == [skip.pk]
    assert bulk_skip.run(skip.pk)
    assert (queued_count(), record(), bulk_skip.lost()) == (0, ["7: too late"], [])


@pytest.mark.parametrize("columns", [{"is_active": True}, {"is_draining": True}])
def test_the_remaining_events_are_sent_when_the_subscription_is_activated(client, subscription, few, columns):
    make_waiting(subscription, 7)
    request_skip(client, subscription)
    answers = iter([False, True])
    skip = BulkSkip.objects.get()
    bulk_skip.run(skip.pk, lambda: next(answers))
    Subscription.objects.update(**columns)
    assert bulk_skip.run(skip.pk)
    assert (queued_count(), record()) == (5, ["2: too late"])
    skip.refresh_from_db()
    assert skip.ended_at is not None


def test_a_delivered_log_stays_delivered_and_is_not_sent_again(client, subscription, few):
    make_waiting(subscription, 7)
    delivered = WebhookLog.objects.earliest("sequence")
    WebhookLog.objects.filter(pk=delivered.pk).update(state=State.DELIVERED)
    request_skip(client, subscription)
    assert bulk_skip.run(BulkSkip.objects.get().pk)
    delivered.refresh_from_db()
    assert (delivered.state, delivered.is_queued, queued_count()) == (State.DELIVERED, False, 0)


def test_an_active_subscription_is_not_changed(client, subscription, few):
    make_waiting(subscription, 7)
    Subscription.objects.update(is_active=True)
    assert "Nothing was skipped" in request_skip(client, subscription)
    assert (queued_count(), BulkSkip.objects.count()) == (7, 0)


# The sequences for a bulk redelivery cost the same for any length of the queue.


def test_a_log_of_a_bulk_redelivery_gets_its_sequence_without_counting_the_queue(subscription, operator):
    make_waiting(subscription, 3_000)
    Subscription.objects.update(is_active=True)
    bulk = start_redelivery(operator, [make_log(1)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does; without it the plan is chosen by chance
    before = rows_read()
    assert dispatch() == 1
    assert rows_read() - before < 500
    assert bulk.items.get().outcome == "queued"
