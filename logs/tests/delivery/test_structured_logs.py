"""Log messages: machine-readable fields, and never a payload, a response or the query of a URL."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection
from django.db.utils import DataError
from django.test import Client
from django.urls import Resolver404, resolve

from cotadmin.log_formatters import JsonFormatter, TextFormatter

from ..factories import make_log, make_subscription
from ..processes import PROJECT
from ..web_server import WebServer

LOG = "62742dd824c886d54e60f02b"


class Written:
    """The output of a formatter for records of all levels."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(formatter)
        self.handler.setLevel(logging.DEBUG)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in self.text.splitlines()]


def written_by(formatter: logging.Formatter) -> Iterator[Written]:
    written = Written(formatter)
    loggers = [logging.getLogger(name) for name in ("", "logs", "django.request")]
    levels = [logger.level for logger in loggers]
    logging.getLogger().addHandler(written.handler)
    logging.getLogger("logs").setLevel(logging.DEBUG)
    yield written
    logging.getLogger().removeHandler(written.handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def as_json() -> Iterator[Written]:
    yield from written_by(JsonFormatter())


@pytest.fixture
def as_lines() -> Iterator[Written]:
    yield from written_by(TextFormatter())


def log_a_failure() -> None:
    fields = {
        "log_id": LOG,
        "subscription_id": "62685990d918fb5557f9f992",
        "status": None,
        "cause": "timeout",
        "duration_ms": 20000,
    }
    logging.getLogger("logs.delivery").info("failed", extra=fields | {"payload": "hush"})


def test_json_logs_have_a_field_for_each_value(as_json):
    log_a_failure()
    [record] = as_json.records
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "INFO",
        "logger": "logs.delivery",
        "message": "failed",
        "log_id": LOG,
        "subscription_id": "62685990d918fb5557f9f992",
        "status": None,
        "cause": "timeout",
        "duration_ms": 20000,
    }


def test_lines_show_the_same_fields(as_lines):
    log_a_failure()
    assert as_lines.text.partition(" ")[2] == (
        f"INFO logs.delivery failed log_id={LOG} subscription_id=62685990d918fb5557f9f992 "
        "status=- cause=timeout duration_ms=20000\n"
    )


def test_a_record_cannot_forge_a_second_line(as_lines):
    logging.getLogger("logs").warning("Not Found: /a\r\n2026 INFO logs a lie", extra={"cause": "a\nb"})
    assert as_lines.text.count("\n") == 1
    assert as_lines.text.endswith("Not Found: /a\\r\\n2026 INFO logs a lie cause=a\\nb\n")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [200, 500])
def test_a_delivery_is_logged_with_ids_and_without_payload_response_or_query(
    as_json, as_lines, receiver, deliver, status
):
    receiver.status, receiver.body = status, b"hush-answer"
    subscription = make_subscription(url=f"{receiver.url}?token=hush-query")
    log = make_log(event={"data": {"name": "hush-payload"}})
    log.redeliver(by=None, expected_attempts=log.attempt_count)
    deliver()
    assert b"hush-payload" in receiver.requests[0].body
    assert receiver.requests[0].path.endswith("hush-query")
    records = [record for record in as_json.records if record.get("log_id") == log.pk]
    assert {record["status"] for record in records} == {status}
    assert {record["subscription_id"] for record in records} == {subscription.pk}
    assert "hush" not in as_json.text + as_lines.text


def test_a_request_is_logged_without_its_query(as_json, as_lines, client):
    client.get("/logs/nothing/?search=hush")
    assert "Not Found: /logs/nothing/" in as_json.text
    logging.getLogger("gunicorn.error").error("Error handling request GET /in/?token=hush and http://a.test/b?c=hush")
    assert "hush" not in as_json.text + as_lines.text


SECRET_ADDRESSES = ["/in/hush-endpoint", "/shared/hush-link/", "/shared/hush-link/payload.json", "/shared/hush-link"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_a_secret_url_is_never_logged(as_json, as_lines, address):
    client = Client(enforce_csrf_checks=True)
    client.get(address), client.post(address), client.put(address)
    logging.getLogger("gunicorn.error").error("Error handling request GET %s", address)
    root = address.split("/")[1]
    assert f"/{root}/…" in as_lines.text
    assert "hush" not in as_json.text + as_lines.text


@pytest.mark.parametrize("address", ["/in/hush-endpoint/", "/shared/hush-link"])
def test_a_traceback_does_not_show_a_secret_url_that_leads_nowhere(as_json, as_lines, address):
    with pytest.raises(Resolver404) as raised:
        resolve(address)
    assert "hush" in str(raised.value)
    logging.getLogger("django.request").error("Internal Server Error: %s", address, exc_info=raised.value)
    assert "Resolver404" in as_json.text
    assert "hush" not in as_json.text + as_lines.text


@pytest.mark.django_db(transaction=True)
def test_the_access_log_of_gunicorn_does_not_show_a_secret_url(tmp_path):
    written = tmp_path / "access"
    server = WebServer(GUNICORN_CMD_ARGS=f"--access-logfile {written}")
    try:
        for address in [*SECRET_ADDRESSES, "/logs/?q=hush-search"]:
            with server.connect() as connected:
                request = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nReferer: http://localhost{address}\r\n"
                connected.sendall(f"{request}Connection: close\r\n\r\n".encode())
                while connected.recv(65536):
                    pass
    finally:
        server.stop()
    lines = [line for line in written.read_text().splitlines() if "/healthz" not in line]  # requested until it answers
    assert len([line for line in lines if "HTTP/1.1" in line]) == len(SECRET_ADDRESSES) + 1
    assert "GET /shared/…/payload.json HTTP/1.1" in written.read_text()
    assert "hush" not in written.read_text()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO logs_company (id, name) VALUES ('hush', NULL)", IntegrityError),
        ("SELECT 'hush'::int", DataError),
    ],
)
def test_an_error_of_the_database_is_logged_without_values(as_json, as_lines, statement, error):
    with pytest.raises(error) as raised, connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert "hush" in str(raised.value)
    logging.getLogger("logs").error("a queue stopped: %s", raised.value, exc_info=raised.value)
    [record] = as_json.records
    assert record["error"].startswith("Traceback (most recent call last):")
    assert error.__name__ in record["error"]
    shown = as_json.text + as_lines.text
    assert "Failing row" not in shown
    assert "LINE 1" not in shown


def test_gunicorn_logs_in_the_same_format(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "logs:no_such_application", "--bind", "127.0.0.1:0", "--no-control-socket"],
        cwd=PROJECT,
        env={
            **os.environ,
            "LOG_FORMAT": "json",
            "DATA_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "cotadmin.settings",
        },
        capture_output=True,
        text=True,
    )
    records = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert records[0]["message"].startswith("Starting gunicorn")
    assert {record["logger"] for record in records} == {"gunicorn.error"}
