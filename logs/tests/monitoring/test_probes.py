"""The URLs for machines, requested as machines do: over http, without an account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from logs.models import Worker

PATHS = ["/healthz", "/readyz", "/metrics"]


@pytest.fixture
def without_database(monkeypatch):
    """New connections are refused; open ones stay."""
    database = type(connections["default"])
    parameters = database.get_connection_params
    elsewhere = {"host": "127.0.0.1", "port": "1"}
    monkeypatch.setattr(database, "get_connection_params", lambda self: parameters(self) | elsewhere)


def test_the_process_is_healthy_without_a_database(client):
    """No mark: pytest-django refuses every query here."""
    response = client.get("/healthz")
    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"ok", "text/plain")


@pytest.mark.django_db(transaction=True)
def test_it_is_ready_when_the_database_answers_and_is_migrated(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "database": "ok",
        "migrations": "ok",
        "workers": {"number": 0, "last_seen_seconds": None, "problems": [], "cannot_record_seconds": None},
    }


@pytest.mark.django_db(transaction=True)
def test_it_is_ready_without_a_worker_and_does_not_count_killed_ones(client):
    now = timezone.now()
    for name, seconds in [("a", 300), ("b", 90)]:
        Worker.objects.create(id=name, started_at=now, seen_at=now - timedelta(seconds=seconds), problems="jobs: Error")
    response = client.get("/readyz")
    assert response.status_code == 200
    workers = response.json()["workers"]
    assert (workers["number"], workers["problems"]) == (0, [])
    assert workers["last_seen_seconds"] >= 90


@pytest.mark.django_db(transaction=True)
def test_it_reports_how_many_workers_are_alive_and_which_loops_fail(client):
    now = timezone.now()
    for name, problems in [("a", ""), ("b", "compaction: ProgrammingError")]:
        Worker.objects.create(id=name, started_at=now, seen_at=now, problems=problems)
    workers = client.get("/readyz").json()["workers"]
    assert (workers["number"], workers["problems"]) == (2, ["compaction: ProgrammingError"])


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_with_a_pending_migration(client):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = '0001_other' WHERE app = 'logs' AND name = '0001_tables'")
    try:
        response = client.get("/readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = '0001_tables' WHERE name = '0001_other'")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "ok", "migrations": "not applied", "workers": None}


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_a_database(client, without_database):
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "not reachable", "migrations": "unknown", "workers": None}


@pytest.mark.django_db(transaction=True)
def test_there_are_no_metrics_without_a_database(client, settings, without_database):
    settings.METRICS_TOKEN = "s3cret"
    assert client.get("/metrics", headers={"authorization": "Bearer s3cret"}).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_a_database_that_hangs(client, monkeypatch):
    monkeypatch.setattr("logs.monitoring.connection.QUERY_SECONDS", 1)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE logs_worker IN ACCESS EXCLUSIVE MODE")
        response = client.get("/readyz")
    finally:
        other.close()
    assert (response.status_code, response.json()["ready"]) == (503, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", PATHS)
def test_probes_are_not_redirected_to_https_and_create_no_session(client, settings, path):
    settings.SECURE_SSL_REDIRECT, settings.METRICS_TOKEN = True, "s3cret"
    response = client.get(path, headers={"authorization": "Bearer s3cret"})
    assert response.status_code == 200
    assert "sessionid" not in response.cookies
    assert "no-store" in response["Cache-Control"]
    assert client.get("/").status_code == 301


@pytest.mark.parametrize("path", PATHS)
def test_probes_allow_only_reading(client, path):
    assert client.post(path).status_code == 405


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Bearer s3cret2", "bearer s3cret", "s3cret", "ñ"]
)
def test_metrics_need_their_token(client, settings, authorization):
    settings.METRICS_TOKEN = "s3cret"
    response = client.get("/metrics", headers={"authorization": authorization})
    assert (response.status_code, response.content) == (401, b"")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer s3cret"])
def test_there_are_no_metrics_until_a_token_is_set(client, settings, authorization):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"authorization": authorization}).status_code == 404
