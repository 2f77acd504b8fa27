"""Starts all of cotadmin on this machine, for a trial, development or a small installation."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from honcho import manager as honcho

from logs.demo import loading

ACCOUNT = "admin"
STOP_REQUESTED_CODES = (130, 143)  # honcho's return codes for SIGINT and SIGTERM


class Command(BaseCommand):
    help = (
        "Migrates the database, creates the first account and loads the demo if the database is "
        "empty. Then runs the web server, a worker and the demo's receiver until Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server on loopback (default 8000)")
        parser.add_argument(
            "--receiver-port", type=int, default=8001, help="port of the demo's receiver (default 8001)"
        )
        parser.add_argument("--no-demo", action="store_true", help="start without the demo and its receiver")

    def handle(self, *args, **options) -> None:
        port, receiver_port, has_demo = options["port"], options["receiver_port"], not options["no_demo"]
        _require_free(port, "PORT=8100")
        if has_demo:
            _require_free(receiver_port, "RECEIVER_PORT=8101")
        self.stdout.write("Preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        password = _first_account()
        receiver_url = f"http://127.0.0.1:{receiver_port}"
        if has_demo:
            self._prepare_demo(receiver_url)
        honcho.KILL_WAIT = settings.DELIVERY_DRAIN + 5
        manager = honcho.Manager()
        environment = _environment(receiver_port if has_demo and loading.is_loaded() else None)
        for name, command in _processes(port, receiver_port, environment):
            manager.add_process(name, command, env=environment, cwd=str(settings.BASE_DIR))
        self.stdout.write(f"\n  cotadmin: http://127.0.0.1:{port}/")
        self.stdout.write(
            f"  Sign in:  {ACCOUNT} / {password}" if password else f"  Sign in:  {ACCOUNT}, with your password"
        )
        self.stdout.write("  Stop:     Ctrl-C\n\n")
        self.stdout.flush()
        connections.close_all()
        manager.loop()
        sys.exit(0 if manager.returncode in STOP_REQUESTED_CODES else manager.returncode)

    def _prepare_demo(self, receiver_url: str) -> None:
        if loading.is_database_empty():
            self.stdout.write("Loading the demo …")
            loading.load(receiver_url)
        elif loading.is_loaded():
            loading.point_at(receiver_url)


def _require_free(port: int, another: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(f"Port {port} on 127.0.0.1 is in use. Choose another: make run {another}") from error


def _first_account() -> str:
    """Return the generated password of the first account; "" once it was changed."""
    password_file = Path(settings.DATA_DIR) / "admin_password"
    users = get_user_model()
    if not users.objects.exists():
        password = secrets.token_urlsafe(9)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(password)
        users.objects.create_superuser(ACCOUNT, password=password)
    account = users.objects.filter(username=ACCOUNT).first()
    password = password_file.read_text() if password_file.exists() else ""
    return password if password and account and account.check_password(password) else ""


def _environment(receiver_port: int | None) -> dict[str, str]:
    """Return the environment of the processes.

    The destination check blocks loopback, where the demo's receiver is. So this one address and port is allowed.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if receiver_port:
        allowed = [*settings.DELIVERY_ALLOWED_NETWORKS, f"127.0.0.1/32:{receiver_port}"]
        environment["DELIVERY_ALLOWED_NETWORKS"] = ",".join(allowed)
        environment["DEMO_RECEIVER_URL"] = f"http://127.0.0.1:{receiver_port}"
    return environment


def _processes(port: int, receiver_port: int, environment: dict[str, str]) -> list[tuple[str, str]]:
    python = f'"{sys.executable}"'
    web = f"exec {python} -m gunicorn cotadmin.wsgi --bind 127.0.0.1:{port} --workers 2 --threads 4 --log-level warning"
    processes = [("web", web), ("worker", f"exec {python} manage.py run_worker")]
    if "DEMO_RECEIVER_URL" in environment:
        processes.append(("receiver", f"exec {python} manage.py run_demo_receiver --port {receiver_port}"))
    return processes
