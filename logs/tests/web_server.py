"""gunicorn as in an installation, on the database of the tests; and a client that sends HTTP byte by byte."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from .processes import PATIENCE, PROJECT, environment


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict


class WebServer:
    """The constructor returns once it answers. `more` goes into its environment."""

    def __init__(self, workers: int = 2, threads: int = 4, **more: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "cotadmin.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [
                *command,
                "--workers",
                str(workers),
                "--threads",
                str(threads),
                "--no-control-socket",
                "--log-level",
                "warning",
            ],
            cwd=PROJECT,
            env=environment() | more,
        )
        self._wait()

    def _wait(self) -> None:
        """It listens before it has read its code."""
        until = time.monotonic() + 2 * PATIENCE  # noqa: TID251  a deadline
        while time.monotonic() < until:  # noqa: TID251  a deadline
            try:
                if self.get("/healthz").startswith(b"HTTP/1.1 200"):
                    return
            except OSError:
                assert self.process.poll() is None, "the web server ended"
                time.sleep(0.05)
        raise AssertionError("the web server does not answer")

    def get(self, address: str, **headers: str) -> bytes:
        """The whole answer, from the first byte of its head."""
        with self.connect() as connection:
            connection.sendall(head(address, "GET", **headers))
            return read_all(connection)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def head(address: str, method: str = "POST", **headers: str) -> bytes:
    lines = [f"{method} {address} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def read_answer(connection: socket.socket) -> Answer:
    top, _, body = read_all(connection).partition(b"\r\n\r\n")
    return Answer(int(top.split()[1]), json.loads(body))
