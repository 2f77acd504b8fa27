"""The custom range: what people type, in their zone, as a time in UTC."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from logs.logsearch.filter_fields import LocalDateTimeField
from logs.logsearch.query_params import format_utc

NOW = "2026-11-30T12:15:40Z"  # 09:15:40 in Santiago, on a Monday
START, END = LocalDateTimeField(), LocalDateTimeField(is_end=True)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """`read(text)`: the time in UTC, as the URL has it."""

    def read(text: str, now: str = NOW, zone: str = "America/Santiago", field: LocalDateTimeField = START) -> str:
        monkeypatch.setattr("logs.logsearch.filter_fields.now", lambda: datetime.fromisoformat(now))
        with timezone.override(ZoneInfo(zone)):
            return format_utc(field.clean(text))

    return read


STARTS = {
    "08:00": "2026-11-30T11:00Z",
    "8:00": "2026-11-30T11:00Z",
    " 08:00:30 ": "2026-11-30T11:00:30Z",
    "09:15": "2026-11-30T12:15Z",
    "09:16": "2026-11-29T12:16Z",  # today's is still to come
    "22:30": "2026-11-30T01:30Z",
    "today": "2026-11-30T03:00Z",
    "today 08:00": "2026-11-30T11:00Z",
    "Today  8:00": "2026-11-30T11:00Z",
    "today 22:30": "2026-12-01T01:30Z",
    "hoy 08:00": "2026-11-30T11:00Z",
    "yesterday": "2026-11-29T03:00Z",
    "yesterday 22:30": "2026-11-30T01:30Z",
    "ayer": "2026-11-29T03:00Z",
    "Ayer 22:30": "2026-11-30T01:30Z",
    "30/11": "2026-11-30T03:00Z",
    "30/11 08:15": "2026-11-30T11:15Z",
    "30/11 22:30": "2026-12-01T01:30Z",
    "1/12 08:15": "2025-12-01T11:15Z",  # this year's is still to come
    "29/02": "2024-02-29T03:00Z",
    "30/11/2026 08:15": "2026-11-30T11:15Z",
    "31/12/2026": "2026-12-31T03:00Z",
    "-2h": "2026-11-30T10:15:40Z",
    "-30m": "2026-11-30T11:45:40Z",
    "-3d": "2026-11-27T12:15:40Z",
    "−2 H": "2026-11-30T10:15:40Z",  # with a minus sign, as phones type it
    "2026-11-30": "2026-11-30T03:00Z",
    "2026-11-30 08:15": "2026-11-30T11:15Z",
    "2026-11-30T08:15:20": "2026-11-30T11:15:20Z",
    "2026-11-30T08:15Z": "2026-11-30T08:15Z",
    "2026-11-30 08:15-05:00": "2026-11-30T13:15Z",
}


@pytest.mark.parametrize(("text", "expected"), STARTS.items())
def test_a_start_is_read_in_the_readers_zone(read, text, expected):
    assert read(text) == expected


ENDS = {
    "yesterday": "2026-11-30T03:00Z",
    "ayer": "2026-11-30T03:00Z",
    "today": "2026-12-01T03:00Z",
    "30/11": "2026-12-01T03:00Z",
    "31/12/2025": "2026-01-01T03:00Z",
    "2026-11-30": "2026-11-30T03:00Z",  # always meant its midnight
} | {text: moment for text, moment in STARTS.items() if ":" in text or text.startswith("-")}


@pytest.mark.parametrize(("text", "expected"), ENDS.items())
def test_a_day_as_an_end_means_the_end_of_the_day(read, text, expected):
    assert read(text, field=END) == expected


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("UTC", "08:00", "2026-11-30T08:00Z"),
        ("Asia/Kolkata", "08:00", "2026-11-30T02:30Z"),
        ("Pacific/Auckland", "08:00", "2026-11-29T19:00Z"),  # where it is 01:15 on 1 December
        ("Pacific/Auckland", "yesterday", "2026-11-29T11:00Z"),
        ("Pacific/Honolulu", "today", "2026-11-30T10:00Z"),
        ("Pacific/Honolulu", "08:00", "2026-11-29T18:00Z"),
    ],
)
def test_today_is_the_readers_today(read, zone, text, expected):
    assert read(text, zone=zone) == expected


class TestChangesOfTheClock:
    """In Chile, 23:00 to 24:00 of 4 April 2026 occurred twice, and 00:00 to 01:00 of 6 September did not occur."""

    @pytest.mark.parametrize(
        ("now", "text", "expected"),
        [
            ("2026-04-05T12:00:00Z", "yesterday 23:30", "2026-04-05T02:30Z"),  # the first of the two
            ("2026-04-05T12:00:00Z", "23:30", "2026-04-05T02:30Z"),
            ("2026-04-05T12:00:00Z", "04/04/2026 23:30", "2026-04-05T02:30Z"),
            ("2026-04-05T12:00:00Z", "2026-04-04 23:30", "2026-04-05T02:30Z"),
            ("2026-04-05T02:10:00Z", "23:30", "2026-04-04T02:30Z"),  # at the first 23:10
            ("2026-04-05T03:10:00Z", "23:30", "2026-04-05T02:30Z"),  # at the second 23:10
            ("2026-04-05T12:00:00Z", "yesterday", "2026-04-04T03:00Z"),
            ("2026-04-05T12:00:00Z", "-12h", "2026-04-05T00:00Z"),
            ("2026-09-06T12:00:00Z", "00:30", "2026-09-06T04:30Z"),  # with the offset before the change
            ("2026-09-06T12:00:00Z", "6/9 00:30", "2026-09-06T04:30Z"),
            ("2026-09-06T12:00:00Z", "2026-09-06 00:30", "2026-09-06T04:30Z"),
            ("2026-09-06T12:00:00Z", "today", "2026-09-06T04:00Z"),
            ("2026-09-06T12:00:00Z", "yesterday 23:30", "2026-09-06T03:30Z"),
        ],
    )
    def test_a_time_around_them_is_read_like_a_written_date(self, read, now, text, expected):
        assert read(text, now=now) == expected

    @pytest.mark.parametrize(
        ("now", "expected"),
        [("2026-04-05T12:00:00Z", "2026-04-05T04:00Z"), ("2026-09-06T12:00:00Z", "2026-09-06T04:00Z")],
    )
    def test_the_end_of_yesterday_is_the_first_moment_of_today(self, read, now, expected):
        assert read("yesterday", now=now, field=END) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("tomorrow", "mañana", "25:00", "08:60", "8", "08:00 yesterday", "yesterday08:00", "yesterday 25:00"),
        *("31/02", "31/02 08:00", "30/13", "0/1", "30/02/2026", "30/11/26", "11/30/2026", "30-11", "٠٨:٠٠"),
        *("-2w", "--2h", "-h", "+2h", "2h", "-2h 08:00", "-123456d", "yesterday -2h", "08:00..09:00"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_examples(read, text):
    with pytest.raises(ValidationError) as error:
        read(text)
    assert error.value.messages == [
        "Write a time such as 08:00, yesterday 22:30, 30/11 08:15, 2026-04-13 22:30 or -2h."
    ]


@pytest.mark.parametrize("text", ["30/11/1066 08:00", "30/11/2106", "-99999d", "0001-01-01"])
def test_a_year_without_logs_is_an_error(read, text):
    with pytest.raises(ValidationError) as error:
        read(text)
    assert error.value.messages == ["Choose a year from 1970 to 2105."]
