"""Keeps the background loops of a process running: it restarts a loop that ends; one that keeps failing ends the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from cotadmin.database import is_connection_lost

logger = logging.getLogger("logs.worker")
MIN_BACKOFF_SECONDS = 0.5  # doubled with each failure
MAX_BACKOFF_SECONDS = 8.0
CANCEL_AGAIN_SECONDS = 15.0  # longer than the work that a loop finishes when it is cancelled
MAX_FAILURES = 8  # in a row; a lost database connection does not count
Work = Callable[[Callable[[], None]], Awaitable[None]]


async def cancel_all(tasks: Collection[asyncio.Task[Any]]) -> list[Any]:
    """Cancel the tasks and wait until all have ended. Returns their results and exceptions.

    A cancellation can get lost in a library, for example while its connection breaks, so a task that goes on is cancelled again.
    """
    running: Collection[asyncio.Task[Any]] = [task for task in tasks if not task.done()]
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
    return await asyncio.gather(*tasks, return_exceptions=True)


class Supervisor:
    """Call `keep(name, work)` for each loop, then `await stop()`.

    `problems`: the error name of each loop that is failing now. `gone`: the loops that it gave up on; it calls `on_gone`
    for the first one, which should end the process.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self.problems: dict[str, str] = {}
        self.gone: list[str] = []
        self._on_gone = on_gone
        self._tasks: list[asyncio.Task[None]] = []

    def keep(self, name: str, work: Work) -> None:
        """Run `work(is_well)` until `stop()`. `work` calls `is_well` whenever it makes progress, and never returns by itself."""
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    async def stop(self) -> None:
        await cancel_all(self._tasks)

    async def _keep(self, name: str, work: Work) -> None:
        failures = waits = 0

        def is_well() -> None:
            nonlocal failures, waits
            failures = waits = 0
            if self.problems.pop(name, None):
                logger.info("background loop %s recovered", name)

        while failures < MAX_FAILURES:
            try:
                await work(is_well)
                raise RuntimeError("background loop ended unexpectedly")
            except Exception as error:
                self.problems[name] = type(error).__name__
                if is_connection_lost(error):
                    kind = type(error).__name__
                    logger.warning("background loop %s lost its database connection, restarting: %s", name, kind)
                else:
                    failures += 1
                    logger.exception("background loop %s failed, restarting", name)
            await asyncio.sleep(min(MIN_BACKOFF_SECONDS * 2**waits, MAX_BACKOFF_SECONDS))
            waits = min(waits + 1, 20)
        logger.error("background loop %s keeps failing, stopping the worker", name)
        self.gone.append(name)
        self._on_gone()
