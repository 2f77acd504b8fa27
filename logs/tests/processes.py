"""Processes of cotadmin that work on the database of the tests."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

PROJECT = Path(__file__).parents[2]
PATIENCE = 120  # seconds; a machine may be slow, and a success does not wait


def environment() -> dict[str, str]:
    """The environment in which `manage.py` works on the test database, with the tests' keys and guard."""
    parameters = connection.get_connection_params()
    host = quote(str(parameters.get("host", "localhost")), safe="")
    user, password, port = (str(parameters.get(name) or "") for name in ("user", "password", "port"))
    address = f"{quote(user)}{':' + quote(password) if password else ''}@{host}{':' + port if port else ''}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "cotadmin.settings",
        "DATABASE_URL": f"postgres://{address}/{parameters['dbname']}",
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DELIVERY_ALLOWED_NETWORKS": ",".join(settings.DELIVERY_ALLOWED_NETWORKS),
        "DELIVERY_RETRY_DELAY": str(settings.DELIVERY_RETRY_DELAY),
        "DELIVERY_LEASE_SECONDS": "3",
        "LOG_LEVEL": "DEBUG",
        "FORCE_HTTPS": "0",
        "PYTHONUNBUFFERED": "1",
        "PGAPPNAME": "cotadmin in a test",  # by which `flush` finds the sessions of a killed process
    }


def wait_until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Check repeatedly; fails if it takes too long."""
    deadline = time.monotonic() + seconds  # noqa: TID251  a deadline
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {seconds} s"  # noqa: TID251  a deadline
        time.sleep(0.02)


def somebody_waits_for_a_lock() -> bool:
    """In the database of this process; other processes may use others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the same activity all the time
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return cursor.fetchone()[0]


class Worker:
    """`manage.py run_worker` as a process; the constructor returns once it says that it runs.

    It works on the database of the tests, or in `environ`.
    """

    def __init__(self, environ: dict[str, str] | None = None, command: list[str] | None = None, **more: str) -> None:
        self.process = subprocess.Popen(
            command or [sys.executable, "manage.py", "run_worker"],
            cwd=PROJECT,
            env=(environ or environment()) | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.read_until("The worker is running.")

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)

    def read_until(self, text: str) -> None:
        """Wait until the worker has printed `text`; fails with its output if that takes too long."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the worker did not say {text!r}:\n{self.output}") from None
            self.output += line
            if text in line:
                return

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it ends by itself; its exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join()
        while not self._lines.empty():
            self.output += self._lines.get()
        return status

    def pause(self) -> None:
        """SIGSTOP, once it has taken effect."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
