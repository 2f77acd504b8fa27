"""Times as people type them: 08:00, yesterday 22:30, 30/11 08:15, -2h. English and Spanish words work on every page."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from django.utils.timezone import get_current_timezone

_AGO = re.compile(r"[-−](?P<number>[0-9]{1,5}) ?(?P<unit>[mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_DAY_AND_CLOCK = re.compile(
    r"""(?:(?P<word>today|hoy|yesterday|ayer)
        |(?P<day>[0-9]{1,2})/(?P<month>[0-9]{1,2})(?:/(?P<year>[12][0-9]{3}))?)?
    (?:(?:^|\ )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?""",
    re.VERBOSE,
)
_DAYS_BACK = {"today": 0, "hoy": 0, "yesterday": 1, "ayer": 1}
_ONE_DAY = timedelta(days=1)
_YEARS_TO_A_LEAP_DAY = 8


def parse_typed_time(text: str, now: datetime, *, is_end: bool = False) -> datetime | None:
    """The time in the reader's zone; None if it is written in another way. Raises ValueError if there is no such date or time.

    A time without a day, or a date without a year, is the latest that isn't in the future. A day without a time is its start,
    or its end if `is_end`. Around a clock change, `fold` stays 0: see `LocalDateTimeField`.
    """
    text = " ".join(text.casefold().split())
    if match := _AGO.fullmatch(text):
        return now.replace(microsecond=0) - timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
    match = _DAY_AND_CLOCK.fullmatch(text) if text else None
    if match is None:
        return None
    today = now.astimezone(get_current_timezone()).date()
    day = _day(match, today)
    if match["hour"] is None:
        return _at((day or today) + _ONE_DAY if is_end else day or today, time.min)
    clock = time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
    if day is None and _at(today, clock) > now:
        day = today - _ONE_DAY
    return _at(day or today, clock)


def _day(match: re.Match[str], today: date) -> date | None:
    """None if only a time was typed."""
    if word := match["word"]:
        return today - _DAYS_BACK[word] * _ONE_DAY
    if not match["day"]:
        return None
    day, month = int(match["day"]), int(match["month"])
    if match["year"]:
        return date(int(match["year"]), month, day)
    years = range(today.year, today.year - _YEARS_TO_A_LEAP_DAY - 1, -1)
    dates = (date(year, month, day) for year in years if _exists(year, month, day))
    latest = next((each for each in dates if each <= today), None)
    if latest is None:
        raise ValueError("there is no such date")
    return latest


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=get_current_timezone())
