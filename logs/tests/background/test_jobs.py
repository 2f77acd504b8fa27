"""Background jobs in workers that are stopped, killed and paused in the middle of their work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from logs.models import BulkRedelivery, BulkRedeliveryState, Import, ImportChunk, ImportState, Retention, WebhookLog
from logs.tasks import prune, purge_jobs, purge_sessions

from ..factories import import_logs, log_document, make_log, make_subscription
from ..processes import Worker, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
LOGS = 1100  # a batch and a bit
CHANGED = 1050  # of the second batch


@pytest.fixture(autouse=True)
def no_jobs_left(transactional_db) -> None:
    """Other tests leave jobs: Django does not empty these tables."""
    execute(connections["default"], "DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_workers")


@pytest.fixture
def start_worker(start_worker) -> Callable[[], Worker]:
    """A worker whose jobs are taken over by others within a second."""
    return partial(start_worker, until="", JOB_LEASE="1")


@pytest.fixture
def lock() -> Iterator[Callable[[str], Callable[[], None]]]:
    """`release = lock("LOCK TABLE …")`: as somebody else's transaction, until it is released."""
    created: list[BaseDatabaseWrapper] = []

    def take(statement: str) -> Callable[[], None]:
        created.append(other := connections.create_connection("default"))
        execute(other, f"BEGIN; {statement}")
        return partial(execute, other, "ROLLBACK")

    yield take
    for other in created:
        execute(other, "ROLLBACK")
        other.close()


def execute(on: BaseDatabaseWrapper, statement: str) -> None:
    with on.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def blocked_import(client, operator, lock) -> tuple[Import, Callable[[], None]]:
    """An import that will wait for a locked row in its second batch, and a function that releases the row."""
    make_subscription()
    import_logs(log_document(CHANGED, response="stored before"))
    content = b"\n".join(json.dumps(log_document(number)).encode() for number in range(LOGS))
    upload = upload_file(client, content)
    return upload, lock(f"SELECT FROM logs_webhooklog WHERE id = '{log_document(CHANGED)['_id']}' FOR UPDATE")


def upload_file(client, content: bytes) -> Import:
    answer = client.post(
        reverse("logs:import_list"), {"kind": "logs", "file": SimpleUploadedFile("logs.json", content)}
    )
    assert answer.status_code == 303
    return Import.objects.latest("pk")


def is_in_second_batch(upload: Import) -> bool:
    upload.refresh_from_db()
    return upload.read == 1000 and somebody_waits_for_a_lock()


def has_ended(upload: Import) -> bool:
    upload.refresh_from_db()
    return upload.is_finished


def numbers(upload: Import) -> tuple[int, ...]:
    return upload.read, upload.new, upload.updated, upload.unchanged, upload.rejected


ALL_OF_IT = (LOGS, LOGS - 1, 1, 0, 0)


def jobs(task: str) -> list[str]:
    return list(ProcrastinateJob.objects.filter(task_name=f"logs.tasks.{task}").values_list("status", flat=True))


def test_an_import_stops_with_its_worker_and_continues_in_the_next_one(start_worker, blocked_import):
    upload, release = blocked_import
    worker = start_worker()
    wait_until(lambda: is_in_second_batch(upload))
    assert worker.stop() == 0  # though nobody has released the row
    upload.refresh_from_db()
    assert (upload.state, jobs("run_import")) == (ImportState.RUNNING, ["todo"])
    release()
    start_worker()
    wait_until(lambda: has_ended(upload))
    assert (upload.state, numbers(upload)) == (ImportState.DONE, ALL_OF_IT)
    assert not ImportChunk.objects.exists()


def test_the_import_of_a_killed_worker_is_continued_with_the_right_numbers(start_worker, blocked_import):
    upload, release = blocked_import
    killed = start_worker()
    wait_until(lambda: is_in_second_batch(upload))
    killed.kill()
    release()
    start_worker()
    wait_until(lambda: has_ended(upload))
    assert (upload.state, numbers(upload)) == (ImportState.DONE, ALL_OF_IT)


def test_a_worker_whose_import_was_taken_over_stores_nothing_more(start_worker, blocked_import):
    upload, release = blocked_import
    paused = start_worker()
    wait_until(lambda: is_in_second_batch(upload))
    paused.pause()
    start_worker()

    def is_taken_over() -> bool:
        upload.refresh_from_db()
        return upload.epoch >= 2

    wait_until(is_taken_over)
    release()  # the paused one has the row now, and would be the first to store
    paused.resume()
    wait_until(lambda: has_ended(upload))
    assert (upload.state, numbers(upload)) == (ImportState.DONE, ALL_OF_IT)


def test_a_worker_that_freezes_between_two_statements_of_its_jobs_holds_no_lock(start_worker):
    start_worker()

    def last_statements() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT query FROM pg_stat_activity WHERE application_name = 'cotadmin jobs'"
                " AND datname = current_database() AND state LIKE 'idle%'"
            )
            return [query for (query,) in cursor.fetchall()]

    def has_sent_a_heartbeat() -> bool:
        return any("procrastinate" in query for query in last_statements())

    wait_until(has_sent_a_heartbeat)
    assert "COMMIT" not in last_statements()


def test_the_button_cancels_an_import_and_keeps_the_stored_logs(start_worker, client, blocked_import):
    upload, release = blocked_import
    start_worker()
    wait_until(lambda: is_in_second_batch(upload))
    button = reverse("logs:import_cancel", args=[upload.pk])
    assert f'action="{button}"' in client.get(upload.get_absolute_url()).content.decode()
    page = client.post(button, follow=True).content.decode()
    release()
    wait_until(lambda: jobs("run_import") == ["succeeded"])
    upload.refresh_from_db()
    assert (upload.state, numbers(upload)) == (ImportState.CANCELLED, (1000, 1000, 0, 0, 0))
    assert WebhookLog.objects.count() == 1001
    assert WebhookLog.objects.get(pk=log_document(CHANGED)["_id"]).response == "stored before"
    assert not ImportChunk.objects.exists()
    assert "This import was cancelled." in page
    assert "Documents read before the cancellation are kept." in page


def test_a_plan_stops_with_its_worker_and_is_created_by_the_next_before_imports(
    start_worker, client, blocked_import, lock, operator, monkeypatch
):
    upload, release = blocked_import
    monkeypatch.setattr("logs.redelivery.drafts.QUICK_PLAN_LIMIT", 0)
    logs = [make_log(5000)]
    unlock = lock("LOCK TABLE logs_bulkredeliveryitem IN SHARE MODE")
    client.post(reverse("logs:bulk_redelivery_create"), {"source": "filter", "query": f"q={logs[0].pk}"})
    bulk = BulkRedelivery.objects.get()
    assert bulk.state == BulkRedeliveryState.PLANNING
    worker = start_worker()
    wait_until(lambda: is_in_second_batch(upload) and jobs("plan_bulk_redelivery") == ["doing"])
    assert worker.stop() == 0
    unlock()
    bulk.refresh_from_db()
    assert (bulk.state, bulk.problem, jobs("plan_bulk_redelivery")) == (BulkRedeliveryState.PLANNING, "", ["todo"])
    start_worker()

    def is_planned() -> bool:
        bulk.refresh_from_db()
        return bulk.state == BulkRedeliveryState.PLANNED

    wait_until(is_planned)
    assert (bulk.problem, bulk.items.count()) == ("", 1)
    assert not has_ended(upload)  # it delayed nothing
    release()


def test_work_without_its_job_gets_a_new_job_despite_other_job_problems(start_worker, client, operator):
    make_subscription()
    upload = upload_file(client, json.dumps(log_document()).encode())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        # A periodic job lost its worker, and the next one is queued: it cannot be queued again, and must delay nothing.
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, scheduled_at) VALUES "
            "('default', 'logs.tasks.purge_plans', 'purge_plans', 'doing', NULL), "
            "('default', 'logs.tasks.purge_plans', 'purge_plans', 'todo', now() + interval '1 day')"
        )
    start_worker()
    wait_until(lambda: has_ended(upload))
    assert (upload.state, upload.new) == (ImportState.DONE, 1)
    assert sorted(jobs("purge_plans")) == ["aborted", "todo"]


def test_old_jobs_and_expired_sessions_are_deleted(start_worker, client, operator):
    """Expired sessions and old finished jobs of each kind are deleted; recent and open jobs stay."""
    Session.objects.create(session_key="ended", session_data="", expire_date=timezone.now() - timedelta(days=1))
    with connection.cursor() as cursor:
        for status in ("succeeded", "failed", "aborted", "cancelled", "todo"):
            for days in (6, 8):
                cursor.execute(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('old', %s, %s) RETURNING id",
                    [f"{status} {days}", status],
                )
                [pk] = cursor.fetchone()
                cursor.execute("DELETE FROM procrastinate_events WHERE job_id = %s", [pk])
                cursor.execute(
                    "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'deferred', now() - %s * interval '1 day')",
                    [pk, days],
                )
    for task in (purge_sessions, purge_jobs):
        task.defer(timestamp=0)
    start_worker()
    names = ProcrastinateJob.objects.filter(queue_name="old").values_list("task_name", flat=True)
    wait_until(lambda: jobs("purge_jobs") == jobs("purge_sessions") == ["succeeded"])
    assert sorted(names) == ["aborted 6", "cancelled 6", "failed 6", "succeeded 6", "todo 6", "todo 8"]
    assert not Session.objects.filter(session_key="ended").exists()
    assert Session.objects.exists()  # that of the operator


def test_pruning_stops_with_its_worker_and_continues_in_the_next_one(start_worker, lock):
    make_subscription()
    make_log(0)
    Retention.objects.create(pk=1, log_days=1)
    release = lock("LOCK TABLE logs_attempt IN SHARE MODE")
    prune.defer(timestamp=0)
    worker = start_worker()
    wait_until(lambda: jobs("prune") == ["doing"] and somebody_waits_for_a_lock())
    assert worker.stop() == 0
    assert jobs("prune") == ["todo"]
    release()
    start_worker()
    wait_until(lambda: jobs("prune") == ["succeeded"])
    assert not WebhookLog.objects.exists()
    assert Retention.current().run_logs == 1
