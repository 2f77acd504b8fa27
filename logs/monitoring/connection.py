"""The database connection of probes: their own, and impatient.

The pages' pool waits for half a minute when the database is gone or all of its connections are busy. Who asks whether this
installation is well wants to know within seconds.
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
    """In autocommit, closed afterwards. Raises psycopg.Error, also for a query that takes too long."""
    parameters = connection_parameters()
    parameters["connect_timeout"] = CONNECT_SECONDS
    add_option(parameters, "statement_timeout", f"{QUERY_SECONDS}s")
    with psycopg.connect(**parameters, autocommit=True) as connection:
        yield connection
