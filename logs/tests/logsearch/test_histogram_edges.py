"""Where the bars of the chart begin, by the clock of the user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from logs.logsearch.histogram import MAX_BARS, STEPS, bucket_edges, choose_step


def edges_in(zone: str, start: datetime, end: datetime, step: timedelta) -> list[str]:
    with timezone.override(zone):
        return [f"{timezone.localtime(edge):%d %H:%M %z}" for edge in bucket_edges(start, end, step)]


@pytest.mark.parametrize(
    ("zone", "hours", "expected"),
    [
        ("UTC", 24, ["04 00:00 +0000", "05 00:00 +0000", "06 00:00 +0000"]),
        ("America/Santiago", 24, ["04 00:00 -0300", "05 00:00 -0400", "06 00:00 -0400"]),
        (
            "America/Santiago",
            6,
            ["04 12:00 -0300", "04 18:00 -0300", "05 00:00 -0400", "05 06:00 -0400", "05 12:00 -0400"],
        ),
        ("Asia/Kathmandu", 24, ["04 00:00 +0545", "05 00:00 +0545", "06 00:00 +0545"]),
    ],
)
def test_days_and_hours_are_those_of_the_zone(zone, hours, expected):
    start = datetime(2026, 4, 4, 16, tzinfo=UTC)  # the night in which Chile puts its clocks back
    assert edges_in(zone, start, start + timedelta(hours=20), timedelta(hours=hours)) == expected


def test_a_repeated_hour_has_two_bars_and_a_skipped_hour_has_none():
    hour = timedelta(hours=1)
    back = datetime(2026, 4, 5, 1, 30, tzinfo=UTC)
    assert edges_in("America/Santiago", back, back + 3 * hour, hour) == [
        "04 22:00 -0300",
        "04 23:00 -0300",
        "04 23:00 -0400",
        "05 00:00 -0400",
        "05 01:00 -0400",
    ]
    forward = datetime(2026, 9, 6, 3, 30, tzinfo=UTC)
    assert edges_in("America/Santiago", forward, forward + hour, hour) == [
        "05 23:00 -0400",
        "06 01:00 -0300",
        "06 02:00 -0300",
    ]
    assert edges_in("America/Santiago", forward, forward + hour, 24 * hour) == [
        "05 00:00 -0400",
        "06 01:00 -0300",
        "07 00:00 -0300",
    ]


@pytest.mark.parametrize("zone", ["UTC", "America/Santiago", "Asia/Kathmandu", "Africa/Monrovia"])
def test_any_range_has_some_bars_and_not_too_many(zone):
    start = datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)
    with timezone.override(zone):
        for length in (timedelta(seconds=1), *(step * 70 for step in STEPS), timedelta(days=136 * 365)):
            edges = bucket_edges(start, start + length, choose_step(length))
            assert 2 <= len(edges) <= MAX_BARS + 2
            assert edges[0] <= start < edges[1]
            assert edges[-2] < start + length <= edges[-1]
