"""gunicorn's threaded worker: some threads can wait for slow clients while the others work.

`--threads` sets how many requests are worked on at once. There are many more threads, because one that waits costs little.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from .patience import HasSocket, SlowClientWatch

WAITING_THREADS = 128


class _Pool(ThreadPoolExecutor):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.watch = SlowClientWatch()

    def submit(self, serve: Callable[..., Any], /, connection: HasSocket) -> Future[Any]:  # type: ignore[override]
        return super().submit(self._serve, serve, connection)

    def _serve(self, serve: Callable[..., Any], connection: HasSocket) -> Any:
        with self.watch.serving(connection):
            return serve(connection)


class PatientWorker(ThreadWorker):
    tpool: _Pool

    def get_thread_pool(self) -> _Pool:
        return _Pool(self.cfg.threads + WAITING_THREADS)
