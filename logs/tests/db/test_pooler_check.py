"""A pooler that changes the connection between transactions is refused with a sentence; one that keeps it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connections

from logs.db.pooler_check import NO_OPTIONS_MESSAGE, TRANSACTION_MODE_MESSAGE, pooler_problem

from .pooler import Pooler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def through(monkeypatch) -> Iterator[Callable[..., None]]:
    """`through(is_by_transaction=True)`: from now on, connections go through such a pooler."""
    poolers: list[Pooler] = []

    def start(**options) -> None:
        backend = type(connections["default"])
        parameters = backend.get_connection_params
        values = parameters(connections["default"])
        host, port = str(values.get("host") or "localhost"), int(values.get("port") or 5432)
        server = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        poolers.append(Pooler(server, **options))
        elsewhere = {"host": "127.0.0.1", "port": str(poolers[0].port), "sslmode": "disable", "gssencmode": "disable"}
        monkeypatch.setattr(backend, "get_connection_params", lambda self: parameters(self) | elsewhere)

    yield start
    for pooler in poolers:
        pooler.close()


def reported_problems() -> list[str]:
    return [str(message.msg) for message in run_checks(databases=["default"]) if message.id == "logs.E001"]


def test_a_direct_connection_has_no_problem():
    assert pooler_problem() == ""
    assert reported_problems() == []


def test_a_transaction_pooler_is_refused_by_the_check_migrate_and_the_worker(through):
    through(is_by_transaction=True)
    assert reported_problems() == [TRANSACTION_MODE_MESSAGE]
    with pytest.raises(CommandError, match="pool_mode = session"):
        call_command("run_worker")


def test_a_session_pooler_is_accepted(through):
    through(is_by_transaction=False)
    assert pooler_problem() == ""


def test_a_pooler_that_refuses_startup_settings_is_named(through):
    through(is_by_transaction=True, refuses="unsupported startup parameter: options")
    assert reported_problems() == [NO_OPTIONS_MESSAGE]


def test_an_unreachable_database_is_not_reported_as_a_pooler(through):
    through(is_by_transaction=True, refuses="the database system is starting up")
    assert reported_problems() == []
