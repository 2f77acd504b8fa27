"""Times are read from the database by psycopg's own loader: the same times, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from django.db import connection
from psycopg.pq import Format

pytestmark = pytest.mark.django_db
MOMENTS = [
    datetime(2026, 11, 27, 10, 38, 41, 963200, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_time_is_read_back_in_utc(moment):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz, NULL::timestamptz, ARRAY[%s::timestamptz]", [moment, moment])
        value, none, several = cursor.fetchone()
    assert (value, none, several) == (moment, None, [moment])
    assert value.tzinfo is UTC


def test_cursors_and_row_streams_read_times_in_utc_too():
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        oid = cursor.description[0].type_code
        ours = connection.connection.adapters.get_loader(oid, Format.TEXT)
        assert cursor.adapters.get_loader(oid, Format.TEXT) is ours
        assert type(ours(oid, cursor)) is psycopg.adapters.get_loader(oid, Format.TEXT)
    with connection.chunked_cursor() as stream:
        assert stream.adapters.get_loader(oid, Format.TEXT) is ours


def test_a_session_of_another_zone_keeps_the_loader_of_django():
    from logs.db.timestamps import register_timestamptz_loader

    class Other:
        timezone = timezone(timedelta(hours=-3))
        connection = None  # it would be asked for its readers

    register_timestamptz_loader(Other())
