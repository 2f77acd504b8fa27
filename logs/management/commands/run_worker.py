"""Runs deliveries and background jobs until it receives SIGTERM or SIGINT."""

import asyncio
import gc
import logging
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import psycopg
from django.core.management.base import BaseCommand, CommandError

from logs.background.cancellation import cancel_queries, is_busy, run_in_thread
from logs.background.jobs import run_jobs
from logs.background.supervisor import Supervisor
from logs.db.payload_partitions import ensure_future_partitions
from logs.db.pooler_check import pooler_problem
from logs.delivery.worker import DeliveryLoop
from logs.incidents.update import BATCH_SIZE as INCIDENT_BATCH_SIZE
from logs.incidents.update import update_incidents
from logs.models import Worker
from logs.redelivery.dispatcher import dispatch
from logs.stats.compaction import compact
from logs.tasks import queue_lost

logger = logging.getLogger("logs.background.jobs")
THREADS = 32  # for jobs, loops and DNS lookups, none of which may wait for another to end
COMPACTION_SECONDS = 2.0
LARGE_BACKLOG = 50_000  # differences of log counts
INCIDENT_SECONDS = 2.0
DISPATCH_SECONDS = {True: 0.05, False: 0.1}  # while a bulk redelivery runs: by whether the last round queued any logs
DISPATCH_IDLE_SECONDS = 0.5
REPORT_SECONDS = 1.0
CANCEL_SECONDS = 3.0  # time for background threads to end by themselves
CANCEL_AGAIN_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Delivers events to the receivers and runs background jobs (imports). You can start any "
        "number of workers, on any number of machines: they share the queues. On SIGTERM or "
        "Ctrl-C, a worker finishes its requests in flight and interrupts its jobs, which another "
        "worker continues."
    )

    def handle(self, *args, **options) -> None:
        _refuse_poolers()
        _allow_many_connections()
        gc.freeze()  # loaded modules stay, so garbage collection needn't scan them again and again
        if failed := asyncio.run(self._run()):
            self.stderr.write(f"The worker stopped because a background loop keeps failing: {', '.join(failed)}.")
            sys.exit(1)

    async def _run(self) -> list[str]:
        """Run until stopped; return the background loops that failed for good."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        deliveries, stopping = DeliveryLoop(), asyncio.Event()

        def stop() -> None:
            logger.info("stopping: finishing requests in flight")
            deliveries.stop()
            stopping.set()

        loops = _Loops(deliveries, supervisor := Supervisor(on_gone=stop))
        for name, work in loops.by_name().items():
            supervisor.keep(name, work)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        self.stdout.write("The worker is running.")
        self.stdout.flush()
        ending = asyncio.create_task(_end_loops(stopping, loops, supervisor))
        try:
            await deliveries.run()
        finally:
            stopping.set()
            await ending
        return supervisor.gone


async def _end_loops(stopping: asyncio.Event, loops: "_Loops", supervisor: Supervisor) -> None:
    """End the background work at once, while requests in flight finish: jobs have little time."""
    await stopping.wait()
    loops.is_stopping.set()
    ending = asyncio.create_task(supervisor.stop())
    await asyncio.wait([ending], timeout=CANCEL_SECONDS)
    while not ending.done() or is_busy():
        await asyncio.to_thread(cancel_queries)
        await asyncio.sleep(CANCEL_AGAIN_SECONDS)


class _Loops:
    """The endless loops of a worker other than delivery. `is_stopping` is for their threads, which can't be cancelled."""

    def __init__(self, deliveries: DeliveryLoop, supervisor: Supervisor) -> None:
        self.deliveries = deliveries
        self.supervisor = supervisor
        self.is_stopping = threading.Event()

    def by_name(self) -> dict[str, Callable]:
        return {
            "jobs": partial(run_jobs, queue_lost=queue_lost),
            "compaction": self.compact_log_counts,
            "incidents": self.update_incidents,
            "bulk redeliveries": self.dispatch_bulk_redeliveries,
            "partitions": self.create_partitions,
            "report": self.report,
        }

    async def compact_log_counts(self, is_well: Callable[[], None]) -> None:
        """Compact the log counts, so that pages read few differences. One worker at a time does it."""
        while True:
            await run_in_thread(self._compact_new_deltas)
            is_well()
            await asyncio.sleep(COMPACTION_SECONDS)

    def _compact_new_deltas(self) -> None:
        # With a small backlog it would add up each new difference by itself.
        while compact() > LARGE_BACKLOG and not self.is_stopping.is_set():
            pass

    async def update_incidents(self, is_well: Callable[[], None]) -> None:
        """Open, continue and resolve incidents. One worker at a time does it."""
        while True:
            taken = await run_in_thread(update_incidents)
            is_well()
            await asyncio.sleep(0 if taken == INCIDENT_BATCH_SIZE else INCIDENT_SECONDS)

    async def dispatch_bulk_redeliveries(self, is_well: Callable[[], None]) -> None:
        """Put the logs of bulk redeliveries into their queues. Several workers take turns."""
        dispatch_requested = self.deliveries.dispatch_requested
        while True:
            dispatch_requested.clear()
            number = await run_in_thread(dispatch)
            is_well()
            if number is not None:
                await asyncio.sleep(DISPATCH_SECONDS[number > 0])
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(dispatch_requested.wait(), DISPATCH_IDLE_SECONDS)

    async def create_partitions(self, is_well: Callable[[], None]) -> None:
        """Create the coming payload partitions at startup, since no worker may have run for long.

        Afterwards, the hourly job create_partitions does it.
        """
        await run_in_thread(ensure_future_partitions)
        is_well()
        await asyncio.Event().wait()

    async def report(self, is_well: Callable[[], None]) -> None:
        """Store which loops fail at this moment in the database, for /readyz."""
        reported = ""
        while True:
            problems = ", ".join(f"{name}: {error}" for name, error in sorted(self.supervisor.problems.items()))
            if problems != reported:
                workers = Worker.objects.filter(pk=self.deliveries.leases.holder)
                if await run_in_thread(partial(workers.update, problems=problems)):
                    reported = problems
            is_well()
            await asyncio.sleep(REPORT_SECONDS)


def _refuse_poolers() -> None:
    """Fail at once if the database can't be used, for example behind a pooler. If it's unreachable, wait for it."""
    with suppress(psycopg.Error):
        if problem := pooler_problem():
            raise CommandError(problem)


def _allow_many_connections() -> None:
    """Raise the limit of open files: each delivery in flight is one.

    On most systems, a process gets 1,024 unless it asks for more.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
