"""The database connection of probes: their own, with short timeouts.

The pages' pool waits for up to half a minute if the database is down or all of its connections are busy. A health check
needs an answer within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cotadmin.database import add_option, connection_parameters

CONNECT_SECONDS = 2
QUERY_SECONDS = 2


@contextmanager
def probe_connection() -> Iterator[psycopg.Connection]:
    """A connection in autocommit, closed afterwards. Raises psycopg.Error, also if a query takes too long."""
    parameters = connection_parameters()
    parameters["connect_timeout"] = CONNECT_SECONDS
    add_option(parameters, "statement_timeout", f"{QUERY_SECONDS}s")
    with psycopg.connect(**parameters, autocommit=True) as connection:
        yield connection
