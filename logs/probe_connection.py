"""The database connection of probes: their own, and impatient.

The pages' pool waits for half a minute when the database is gone or all of its connections are busy. Who asks whether this
installation is well wants to know within seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError, connections

CONNECT_SECONDS = 2
QUERY_SECONDS = 2


@contextmanager
def probe_connection() -> Iterator[psycopg.Connection]:
    """In autocommit, closed afterwards. Raises psycopg.Error, also for a query that takes too long."""
    try:
        parameters = connections["default"].get_connection_params()  # may start the embedded server
    except DatabaseError as error:
        raise psycopg.OperationalError(str(error)) from error
    parameters["connect_timeout"] = CONNECT_SECONDS
    parameters["options"] = f"{parameters.get('options', '')} -c statement_timeout={QUERY_SECONDS}s"
    with psycopg.connect(**parameters, autocommit=True) as connection:
        yield connection
