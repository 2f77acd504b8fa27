"""The background loops of a worker process whose database fails."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from textwrap import dedent

import pytest
from django.db import connection, connections
from procrastinate.contrib.django.models import ProcrastinateJob

from logs.background import supervisor
from logs.models.log_counts import LogCountDelta
from logs.tasks import create_partitions

from ..factories import make_log, make_subscription
from ..processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
# A worker that gives a loop up at once.
IMPATIENT = dedent("""
    import django
    django.setup()
    from django.core.management import call_command
    from logs.background import supervisor
    supervisor.MIN_BACKOFF_SECONDS = 0.01
    call_command("run_worker")
""")


@pytest.fixture
def without_differences() -> Iterator[Callable[[], None]]:
    """`put_back = without_differences()`: the table to compact is gone until `put_back()`."""
    renamed = [False]

    def rename(there: str, to: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {there} RENAME TO {to}")
        renamed[0] = not renamed[0]

    def take_away() -> Callable[[], None]:
        rename("logs_logcountdelta", "gone")
        return lambda: rename("gone", "logs_logcountdelta")

    yield take_away
    if renamed[0]:
        rename("gone", "logs_logcountdelta")


def problems(client) -> list[str]:
    return client.get("/readyz").json()["workers"]["problems"]


def all_compacted() -> bool:
    return not LogCountDelta.objects.exists()


def end_connections(pattern: str) -> int:
    """End these connections, as an outage does; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE %s",
            [pattern],
        )
        return cursor.fetchone()[0]


def test_compaction_resumes_after_a_failure_that_readyz_shows(start_worker, client, without_differences):
    worker = start_worker()
    put_back = without_differences()
    wait_until(lambda: problems(client) == ["compaction: ProgrammingError"])
    put_back()
    wait_until(lambda: problems(client) == [])
    make_subscription()
    make_log()
    wait_until(all_compacted)
    assert worker.stop() == 0


def test_all_loops_continue_after_their_connections_were_ended(start_worker, client):
    worker = start_worker()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    connections["default"].close_pool()
    wait_until(lambda: end_connections("cotadmin jobs") >= 3)
    assert end_connections("%") >= 3
    make_subscription()
    make_log()
    wait_until(all_compacted)
    wait_until(lambda: problems(client) == [])
    create_partitions.defer(timestamp=0)  # Procrastinate's listener was ended as well
    wait_until(lambda: not ProcrastinateJob.objects.filter(status__in=["todo", "doing"]).exists())
    assert worker.stop() == 0


def test_a_task_that_loses_its_cancellation_is_cancelled_again(monkeypatch):
    """As a job's worker did while its connection was ended: then no job ran any more."""
    monkeypatch.setattr(supervisor, "CANCEL_AGAIN_SECONDS", 0.01)
    lost = []

    async def lose_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        lost.append(True)
        await asyncio.Event().wait()

    async def cancel() -> list:
        task = asyncio.create_task(lose_one())
        await asyncio.sleep(0)
        return await supervisor.cancel_all([task])

    [result] = asyncio.run(cancel())
    assert (lost, type(result)) == ([True], asyncio.CancelledError)


def test_a_loop_that_is_given_up_ends_the_process_with_an_error(start_worker, without_differences):
    without_differences()
    worker = start_worker([sys.executable, "-c", IMPATIENT], until="")
    assert worker.wait() == 1
    assert "background loop compaction keeps failing, stopping the worker" in worker.output
    assert "a background loop keeps failing: compaction" in worker.output
