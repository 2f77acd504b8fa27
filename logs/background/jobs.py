"""Background jobs: which kinds run side by side, how they stop, and how another worker takes over those of a killed one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import Error
from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Status
from psycopg import AsyncConnection

from cotadmin.database import connection_parameters, is_connection_lost

from .cancellation import cancellable
from .supervisor import cancel_all

logger = logging.getLogger("logs.background.jobs")
# Each worker's job queues, and how many of their jobs run at once. A job that takes hours delays only its own kind.
WORKER_QUEUES = {"imports": (["imports"], 2), "plans": (["plans"], 2), "others": (["default", "retention"], 2)}
GRACE_SECONDS = 1.0  # a job that is almost done may finish
MAX_CONNECTIONS = 6
HEARTBEATS_PER_LEASE = 5  # within one lease
STARTED_AFTER_SECONDS = 5.0


class JobInterrupted(Exception):
    """The job was interrupted, because the worker is stopping or the database connection was lost. It must run again."""


@contextmanager
def interruptible(should_stop: Callable[[], bool]) -> Iterator[None]:
    """Wraps a job's work, in its thread. Raises JobInterrupted if the job broke off for a reason outside itself."""
    with cancellable():
        try:
            yield
        except Error as error:
            if should_stop() or is_connection_lost(error):
                raise JobInterrupted from error
            raise


async def run_jobs(is_well: Callable[[], None], *, queue_lost: Callable[[], Awaitable[None]]) -> None:
    """Run Procrastinate's workers, one for each kind, and the sweep, until cancelled. Ends when one of them does."""
    parameters = await asyncio.to_thread(connection_parameters)
    parameters["application_name"] = "cotadmin jobs"
    connector = PsycopgConnector(
        kwargs=parameters, configure=_commit_each_statement, min_size=1, max_size=MAX_CONNECTIONS
    )
    with app.replace_connector(connector) as worker_app:
        async with worker_app.open_async():
            parts = [_run_kind(worker_app, kind) for kind in WORKER_QUEUES] + [_sweep(worker_app, queue_lost)]
            tasks = [asyncio.create_task(part) for part in parts]
            try:
                ended, _ = await asyncio.wait(tasks, timeout=STARTED_AFTER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not ended:
                    is_well()
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                results = await cancel_all(tasks)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _commit_each_statement(connection: AsyncConnection) -> None:
    """Otherwise a worker that freezes between a statement and its COMMIT keeps locks that all other workers wait for."""
    await connection.set_autocommit(True)


async def _run_kind(worker_app: App, kind: str) -> None:
    """Returns without an error if Procrastinate's own listener or heartbeat fails: Procrastinate logs that itself."""
    queues, at_once = WORKER_QUEUES[kind]
    await worker_app.run_worker_async(
        name=kind,
        queues=queues,
        concurrency=at_once,
        install_signal_handlers=False,
        shutdown_graceful_timeout=GRACE_SECONDS,
        update_heartbeat_interval=settings.JOB_LEASE / HEARTBEATS_PER_LEASE,
        stalled_worker_timeout=settings.JOB_LEASE,
    )


async def _sweep(worker_app: App, queue_lost: Callable[[], Awaitable[None]]) -> None:
    """Requeue the jobs whose worker has sent no heartbeat for a lease. Each on its own: one must not block the others.

    `queue_lost` finds work that waits for a job that no longer exists.
    """
    manager = worker_app.job_manager
    while True:
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.JOB_LEASE):
            try:
                await manager.retry_job(job)
                logger.warning("job lost its worker, queued again: %s", job.task_name)
            except UniqueViolation:  # a periodic job whose next run is already queued
                await manager.finish_job(job, Status.ABORTED, delete_job=False)
            except ConnectorException as error:
                if is_connection_lost(error):
                    raise
                logger.info("job lost its worker, taken by another worker: %s", job.task_name)
        await queue_lost()
        await asyncio.sleep(settings.JOB_LEASE / HEARTBEATS_PER_LEASE)
