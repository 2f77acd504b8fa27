"""The embedded PostgreSQL, with real processes on a data folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).parents[2]
USE_IT = """
import sys
from pathlib import Path
import psycopg
from cotadmin.embedded_postgres.server import ensure_server
host = ensure_server(Path(sys.argv[1]), "cotadmin")
with psycopg.connect(host=host, user="postgres", dbname="cotadmin", autocommit=True) as connection:
    connection.execute("SELECT pg_advisory_lock(1)")
    connection.execute("CREATE TABLE IF NOT EXISTS seen (pid int)")
    connection.execute("INSERT INTO seen SELECT pg_backend_pid()")
    version, number = connection.execute("SELECT current_setting('server_version_num')::int, count(*) FROM seen").fetchone()
    connection.execute("SELECT pg_advisory_unlock(1)")
    print(version, number, flush=True)
sys.stdin.read()
"""


class User:
    """A process that connects to the server, says so, and stays until it is asked to end."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-c", USE_IT, str(data)]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def said(self) -> list[int]:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return [int(word) for word in line.split()]

    def end(self) -> None:
        _out, error = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, error

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "postgres"
    yield data
    if server := running(data):  # a test failed: leave nothing behind
        server.send_signal(signal.SIGINT)
        server.wait(30)


def running(data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
        return None
    return process if process.is_running() and process.status() != psutil.STATUS_ZOMBIE else None


def test_the_first_process_starts_the_server_and_the_last_stops_it(data):
    users = [User(data) for _ in range(3)]
    assert sorted(user.said()[1] for user in users) == [1, 2, 3]
    users[0].end()
    users[1].end()
    assert running(data)
    users[2].end()
    assert not running(data)


def test_the_server_is_postgresql_18_and_keeps_its_data(data):
    first = User(data)
    assert first.said()[0] // 10000 == 18
    first.end()
    second = User(data)
    assert second.said()[1] == 2
    second.end()


def test_a_killed_process_does_not_keep_the_server_running(data):
    killed, last = User(data), User(data)
    killed.said()
    last.said()
    killed.kill()
    last.end()
    assert not running(data)


def test_a_killed_server_is_restarted(data):
    first = User(data)
    first.said()
    server = running(data)
    assert server
    for process in [server, *server.children(recursive=True)]:
        process.kill()
    first.kill()
    second = User(data)
    assert second.said()[1] == 2
    second.end()


def test_with_a_configured_database_the_embedded_server_is_not_imported():
    code = """
import sys, django
django.setup()
from django.db import connections
connections["default"].get_connection_params()
print(sorted(name for name in sys.modules if "pgserver" in name or "embedded" in name))
"""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "cotadmin.settings",
        "DATABASE_URL": "postgres://somebody@localhost/cotadmin",
        "SECRET_KEY": "x",
        "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_lock_file_of_another_user_does_not_matter(data, tmp_path):
    """Where another user of the machine runs a program that embeds the same server."""
    first = User(data)
    first.said()
    first.end()
    assert (data.parent / "postgres.lock").exists()
