"""A database of its own for a benchmark, made before and dropped after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cotadmin.settings")
os.environ.setdefault("AUTO_GENERATE_KEYS", "1")


@contextmanager
def fresh_database() -> Iterator[None]:
    """Django set up on an empty, migrated database beside the configured one."""
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
    """Django set up on a database of that name, which stays; `fresh`: emptied first. Migrated in any case."""
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
    """Progress goes to standard error, so that the result is alone on standard output."""
    print(text, file=sys.stderr, flush=True)
