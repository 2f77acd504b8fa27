"""A complete cotadmin on its own embedded PostgreSQL, which crashes or is stopped under its worker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..factories import COMPANY, sample
from ..processes import PROJECT, Worker, wait_until

SECONDS_TO_GO_ON = 10


class Installation:
    """Its database, its keys and its worker are apart from those of the other tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
            "DJANGO_SETTINGS_MODULE": "cotadmin.settings",
            "DATA_DIR": str(folder),
            "AUTO_GENERATE_KEYS": "1",
            "FORCE_HTTPS": "0",
            "DELIVERY_ALLOWED_NETWORKS": "127.0.0.1/32",
        }

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def send_event(self, number: int) -> str:
        """With `manage.py send_event`; the id of its log."""
        event = sample("webhook_log_task_create_failed")["event"] | {"company": COMPANY}
        event["data"]["serial"] = number
        path = self.folder / f"event{number}.json"
        path.write_text(json.dumps(event))
        [pk] = [word for word in self.manage("send_event", str(path)).split() if len(word) == 24]
        return pk

    def postmaster(self) -> int:
        """The server's process; 0 while there is none."""
        try:
            return int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0


@pytest.fixture
def installation(tmp_path, receiver) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    installation.manage("migrate", "--verbosity", "0")
    subscription = tmp_path / "subscription.json"
    subscription.write_text(json.dumps(sample("webhook_subscription") | {"company": COMPANY, "url": receiver.url}))
    installation.manage("import_subscriptions", str(subscription))
    installation.manage("shell", "-c", "from logs.models import *; Subscription.objects.update(is_delivered_here=True)")
    yield installation


@pytest.fixture
def worker(installation) -> Iterator[Worker]:
    worker = Worker(installation.environment)
    worker.read_until("queue shards")
    yield worker
    assert worker.stop() == 0


def test_delivery_continues_by_itself_after_the_database_has_crashed(installation, worker, receiver):
    first = installation.send_event(1)
    wait_until(lambda: receiver.ids == [first])
    [backend, *_others] = installation.manage(
        "shell",
        "-c",
        "from django.db import connection as c; k = c.cursor(); "
        "k.execute(\"SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cotadmin worker%'\"); print(*k.fetchone())",
    ).split()[-1:]
    os.kill(int(backend), signal.SIGKILL)  # PostgreSQL ends every other connection and recovers, as after any crash
    second = installation.send_event(2)
    wait_until(lambda: receiver.ids == [first, second], SECONDS_TO_GO_ON)


def test_delivery_continues_by_itself_after_the_database_was_stopped(installation, worker, receiver):
    first = installation.send_event(1)
    wait_until(lambda: receiver.ids == [first])
    stopped = installation.postmaster()
    os.kill(stopped, signal.SIGINT)  # a fast shutdown; the worker needs it again, and starts it
    wait_until(lambda: installation.postmaster() not in (0, stopped), SECONDS_TO_GO_ON)
    second = installation.send_event(2)
    wait_until(lambda: receiver.ids == [first, second], SECONDS_TO_GO_ON)
