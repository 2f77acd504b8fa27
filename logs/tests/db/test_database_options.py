"""DATABASE_URL applies to every connection: of pages, of a worker, of its jobs and of probes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest
from django.db import OperationalError, connection, connections

from cotadmin.database import connection_parameters
from logs.delivery.database import connect
from logs.monitoring.connection import probe_connection

pytestmark = pytest.mark.django_db(transaction=True)
WHO = "SELECT current_user"


def ask_as_a_page(query: str) -> str:
    other = connections.create_connection("default")
    other.settings_dict = other.settings_dict | {"OPTIONS": {**other.settings_dict["OPTIONS"], "pool": False}}
    try:
        with other.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    finally:
        other.close()


def ask_as_a_worker(query: str) -> str:
    async def ask() -> str:
        async with AsyncExitStack() as stack:
            return (await (await (await connect(stack)).execute(query)).fetchone())[0]

    return asyncio.run(ask())


def ask_as_a_job(query: str) -> str:
    with psycopg.connect(**connection_parameters()) as other:
        return other.execute(query).fetchone()[0]


def ask_as_a_probe(query: str) -> str:
    with probe_connection() as other:
        return other.execute(query).fetchone()[0]


ALL = pytest.mark.parametrize("ask", [ask_as_a_page, ask_as_a_worker, ask_as_a_job, ask_as_a_probe])


@pytest.fixture
def database(monkeypatch):
    """`database(OPTIONS={…}, HOST=…)`: as if DATABASE_URL said so."""

    def configure(OPTIONS: dict | None = None, **more: str) -> None:
        configured = connections["default"].settings_dict
        for name, value in more.items():
            monkeypatch.setitem(configured, name, value)
        for name, value in (OPTIONS or {}).items():
            monkeypatch.setitem(configured["OPTIONS"], name, value)

    return configure


@ALL
def test_every_connection_refuses_a_server_of_the_wrong_kind(database, ask):
    database(OPTIONS={"target_session_attrs": "standby"})
    with pytest.raises((psycopg.OperationalError, OperationalError), match="standby"):
        ask(WHO)


@ALL
def test_every_connection_finds_the_host_that_answers(database, monkeypatch, ask):
    backend = type(connections["default"])
    parameters = backend.get_connection_params

    def two_hosts(self) -> dict:
        values = parameters(self)
        return values | {"host": f"/nowhere,{values.get('host', '')}"}

    monkeypatch.setattr(backend, "get_connection_params", two_hosts)
    assert ask("SELECT current_database()") == connection.settings_dict["NAME"]


@ALL
def test_every_connection_assumes_the_configured_role(database, ask):
    with connection.cursor() as cursor:
        cursor.execute('CREATE ROLE "some one"')
    try:
        database(OPTIONS={"assume_role": "some one"})
        assert ask(WHO) == "some one"
    finally:
        with connection.cursor() as cursor:
            cursor.execute('DROP ROLE "some one"')
