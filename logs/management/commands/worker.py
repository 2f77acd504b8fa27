"""Runs deliveries and background jobs until it is told to stop."""

import asyncio
import gc
import logging
import resource
import signal
from contextlib import suppress

import psycopg
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

from logs.delivery.worker import RECONNECT_SECONDS, DeliveryLoop
from logs.partitions import make_months_ahead
from logs.rollups.folding import fold
from logs.runs.feeding import feed

logger = logging.getLogger("logs.jobs")
FOLD_SECONDS = 2.0
MANY = 50_000  # differences
FEED_SECONDS = {True: 0.05, False: 0.1}  # while a run is running, by whether lanes had room for more of it
FEED_IDLE_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Sends what is due to the receivers and runs background jobs (imports). Start as many as you like, on as many machines: "
        "they share the lanes. SIGTERM or Ctrl-C: finishes what is in flight, then stops."
    )

    def handle(self, *args, **options) -> None:
        _allow_many_connections()
        gc.freeze()  # what is loaded stays: it need not be walked again and again for what could be freed
        asyncio.run(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        deliveries = DeliveryLoop()
        jobs = (_run_jobs(), _fold_rollups(), _feed_runs(deliveries.run_began), asyncio.to_thread(_make_months))
        others = [asyncio.create_task(job) for job in jobs]

        def stop() -> None:
            logger.info("stopping: what is in flight is finished first")
            deliveries.stop()
            for task in others:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        self.stdout.write("The worker is running.")
        self.stdout.flush()
        try:
            await deliveries.run()
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)


def _allow_many_connections() -> None:
    """Each delivery in flight is an open file, of which a process is given 1,024 on most systems unless it asks for more."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run_jobs() -> None:
    """Procrastinate's worker; it ends when the database does, and is begun anew until the command is told to stop."""
    while True:
        try:
            await _run_jobs_once()
        except (psycopg.Error, ConnectorException, OSError) as error:
            logger.warning("background jobs stopped, beginning again: %s", type(error).__name__)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _run_jobs_once() -> None:
    connector = await asyncio.to_thread(app.connector.get_worker_connector)  # type: ignore[attr-defined]
    with app.replace_connector(connector) as worker_app:
        async with worker_app.open_async():
            await worker_app.run_worker_async(install_signal_handlers=False, listen_notify=True, concurrency=2)


async def _fold_rollups() -> None:
    """Keeps the differences that the pages have to read few. Several workers take turns."""
    while True:
        await asyncio.to_thread(_fold_what_came_in)
        await asyncio.sleep(FOLD_SECONDS)


def _fold_what_came_in() -> None:
    try:
        close_old_connections()
        while fold() > MANY:  # else what comes in meanwhile would be folded crumb by crumb
            pass
    except DatabaseError as error:
        logger.warning("the figures of the pages were not added up, trying again: %s", type(error).__name__)


async def _feed_runs(run_began: asyncio.Event) -> None:
    """Puts the logs of re-delivery runs into their lanes. Several workers take turns."""
    while True:
        run_began.clear()
        number = await asyncio.to_thread(_feed_what_runs)
        if number is not None:
            await asyncio.sleep(FEED_SECONDS[number > 0])
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(run_began.wait(), FEED_IDLE_SECONDS)


def _feed_what_runs() -> int | None:
    try:
        close_old_connections()
        return feed()
    except DatabaseError as error:
        logger.warning("re-delivery runs were not moved on, trying again: %s", type(error).__name__)
        return None


def _make_months() -> None:
    """At the start; later the job of the same name does."""
    try:
        make_months_ahead()
    except DatabaseError as error:
        logger.warning("the months to come were not made, the next job will: %s", type(error).__name__)
