"""A separate database for a benchmark, created before it and dropped after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cotadmin.settings")
os.environ.setdefault("AUTO_GENERATE_KEYS", "1")


@contextmanager
def fresh_database() -> Iterator[None]:
    """Set up Django on an empty, migrated database beside the configured one."""
    import django

    django.setup()
    from django.db import connections

    creation = connections["default"].creation
    name = creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connections["default"].close_pool()  # type: ignore[attr-defined]
        creation.destroy_test_db(name, verbosity=0)


@contextmanager
def kept_database(name: str, *, fresh: bool = False) -> Iterator[None]:
    """Set up Django on a database of that name, which is kept. `fresh`: empty it first. It is migrated in any case."""
    import django

    django.setup()
    from django.db import connections

    connection = connections["default"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=not fresh)
    try:
        yield
    finally:
        connection.close_pool()  # type: ignore[attr-defined]


def log(text: str) -> None:
    """Print progress to standard error, so that standard output contains only the result."""
    print(text, file=sys.stderr, flush=True)
