"""Small pieces used on every page: icons, state badges, times, sizes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from html import escape
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ..logsearch.query_params import is_shown_once
from ..models import State

register = template.Library()

_STATE_ICONS = {
    State.PENDING: "clock",
    State.RETRYING: "retry",
    State.DELIVERED: "check",
    State.FAILED: "x",
    State.SKIPPED: "skip",
    State.SUPERSEDED: "stale",
}
STATES: dict[str, tuple[str, Any]] = {state.value: (_STATE_ICONS[state], state.label) for state in State}
MINUTE, HOUR, DAY = 60, 3600, 86400
RELATIVE_LIMIT = 7 * DAY  # older datetimes are shown as a date


@register.simple_tag
@lru_cache  # a list has hundreds of icons, with a dozen names
def icon(name: str) -> SafeString:
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("logs/icons.svg"), name)


@register.simple_tag
def state_badge(state: str) -> SafeString:
    """Colour, icon and word. An unknown state is shown unchanged."""
    symbol, word = STATES.get(state, ("info", state))
    return _badge(state, symbol, str(word))


@lru_cache
def _badge(state: str, symbol: str, word: str) -> SafeString:
    return format_html('<span class="badge" data-state="{}">{}{}</span>', state, icon(symbol), word)


@register.simple_tag
def state_icon(state: str) -> SafeString:
    return icon(STATES.get(state, ("info", state))[0])


@register.simple_tag(takes_context=True)
def when(context: Context, moment: datetime | None, *, in_sentence: bool = False) -> SafeString:
    """A short age, or the exact time if the user prefers that; js/controls.js switches between them.

    `in_sentence`: "3 min ago", where nothing else says that it is an age.
    """
    if moment is None:
        return SafeString("–")
    zone, now = timezone.get_current_timezone(), timezone.now()
    local = moment.astimezone(zone)
    is_this_year = local.year == now.astimezone(zone).year
    age = _ago(local, now, is_this_year=is_this_year, in_sentence=in_sentence)
    exact = _exact(local, is_this_year=is_this_year)
    is_exact = getattr(context.get("preferences"), "times", "") == "exact"
    age, exact = escape(age), escape(exact)
    # A list has fifty of these. With format_html they'd take as long as all the rest.
    return mark_safe(  # noqa: S308  # translated text is escaped
        f'<time datetime="{_iso(moment)}" title="{escape(_in_both_zones(local))}" data-absolute="{exact}"'
        + (f' data-relative="{age}">{exact}</time>' if is_exact else f">{age}</time>")
    )


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    """The local date and time, with UTC as title."""
    if value is None:
        return SafeString("–")
    local = timezone.localtime(value)
    shown = _("%(date)s %(time)s") % {"date": dated(local, "SHORT_DATE_FORMAT"), "time": f"{local:%H:%M:%S}"}
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(value), _in_both_zones(local), shown)


@register.simple_tag
def utc(value: datetime) -> SafeString:
    """UTC to the millisecond, for people whose time zone is unknown. JavaScript adds their browser's local time."""
    shown = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    return format_html('<time datetime="{}" data-utc>{} UTC</time>', value.astimezone(UTC).isoformat(), shown)


def _iso(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _in_both_zones(local: datetime) -> str:
    return f"{dated(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S (%z)} · {local.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _exact(local: datetime, *, is_this_year: bool) -> str:
    """14 Apr 09:04:12; for another year, the year instead of the seconds."""
    if is_this_year:
        return f"{dated(local)} {local:%H:%M:%S}"
    return f"{dated(local, 'SHORT_DATE_FORMAT')} {local:%H:%M}"


def dated(local: datetime, pattern: str = "MONTH_DAY_FORMAT") -> str:
    """Like Django's `date_format`, but cached, for patterns with only the date: 14 Apr."""
    return _day(local.date(), pattern, get_language())


def clock_time(local: datetime) -> str:
    """22:30, with seconds unless they are zero; 23:30 (UTC−3) if local time shows that time twice."""
    text = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return text if is_shown_once(local) else f"{text} ({_offset(local)})"


def _offset(local: datetime) -> str:
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


@lru_cache(maxsize=1024)  # the rows of a list mostly share a few days
def _day(day: date, pattern: str, language: str | None) -> str:
    return date_format(day, pattern)


def _ago(local: datetime, now: datetime, *, is_this_year: bool, in_sentence: bool) -> str:
    seconds = int((now - local).total_seconds())
    if not -DAY < seconds < RELATIVE_LIMIT:
        return f"{dated(local)} {local:%H:%M}" if is_this_year else dated(local, "SHORT_DATE_FORMAT")
    if seconds < 0:
        return _("in %(time)s") % {"time": _length(-seconds)}
    return _("%(time)s ago") % {"time": _length(seconds)} if in_sentence else _length(seconds)


def _length(seconds: int) -> str:
    if seconds < MINUTE:
        return _("%(number)s s") % {"number": seconds}
    if seconds < HOUR:
        return _("%(number)s min") % {"number": seconds // MINUTE}
    if seconds < DAY:
        return _("%(number)s h") % {"number": seconds // HOUR}
    return _("%(number)s d") % {"number": seconds // DAY}


@register.filter
def duration(milliseconds: float | None) -> str:
    """88 ms, 1.3 s, 2 min; – if unknown."""
    if milliseconds is None:
        return "–"
    if round(milliseconds) < 1000:
        return _("%(number)s ms") % {"number": round(milliseconds)}
    seconds = round(milliseconds / 1000, 1)
    if seconds < MINUTE:
        return _("%(number)s s") % {"number": number_format(seconds, 1)}
    return _length(int(seconds))


@register.filter
def lasted(length: timedelta) -> str:
    """31 s, 5 min, 3 d: a length of time in its largest unit."""
    return _length(int(length.total_seconds()))


@register.filter
def humanbytes(size: int) -> str:
    """812 B, 1.4 KB, 6.2 MB."""
    if size < 1024:
        return f"{size} B"
    kilobytes = round(size / 1024, 1)  # number_format truncates, it doesn't round
    if kilobytes < 1024:
        return f"{number_format(kilobytes, 1)} KB"
    return f"{number_format(round(size / 1024 / 1024, 1), 1)} MB"
