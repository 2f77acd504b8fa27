"""Reads datetimes from the database with psycopg's own loader, which is written in C. Django replaces it with one in Python
that takes twenty times as long for the same result; a page reads hundreds.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import Loader
from psycopg.pq import Format

_TIMESTAMPTZ = psycopg.adapters.types["timestamptz"].oid


class TimestamptzLoader(Loader):
    """psycopg's loader, for sessions in UTC. `timezone` shows Django that it doesn't need to register its own."""

    timezone = UTC

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Loader:  # type: ignore[misc]
        of_psycopg = psycopg.adapters.get_loader(_TIMESTAMPTZ, Format.TEXT)
        assert of_psycopg is not None
        return of_psycopg(oid, context)  # type: ignore[return-value]


def register_timestamptz_loader(connection: Any, **_signal: object) -> None:
    """Receiver of the signal `connection_created`."""
    if connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", TimestamptzLoader)
