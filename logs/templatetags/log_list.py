"""Formatting of the explorer's numbers and URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from django import template
from django.http import QueryDict
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from ..logsearch.columns import COLUMNS_COOKIE, LIST_COLUMNS, chosen_columns
from ..logsearch.facets import facet_param
from ..logsearch.histogram import HISTOGRAM_WIDTH, STATE_ORDER, Histogram, HistogramBar
from ..logsearch.query_params import format_local, format_utc, list_url, with_params
from ..models import State
from ..stats.charts import Rect
from .ui import STATES, clock_time, dated

register = template.Library()

LAST_LABEL = 93  # percent
YEAR = timedelta(days=366)


@register.simple_tag(takes_context=True)
def log_columns(context: Context) -> tuple[str, ...]:
    """The names of the columns that the user has chosen."""
    return chosen_columns(context["request"].COOKIES.get(COLUMNS_COOKIE))


@register.simple_tag(takes_context=True)
def has_row_selection(context: Context) -> bool:
    """Whether rows can be selected: only in the explorer, by users who may redeliver.

    A refreshed row belongs to the page that requested it.
    """
    request = context["request"]
    page = (request.htmx.current_url_abs_path or request.path).partition("?")[0]
    return page == reverse("logs:webhook_log_list") and request.user.has_perm("logs.redeliver_webhooklog")


@register.simple_tag
def all_columns() -> list[tuple[str, str]]:
    return [(name, str(label)) for name, label in LIST_COLUMNS.items()]


@register.simple_tag(takes_context=True)
def narrowed(context: Context, **values: Any) -> str:
    """The URL of this list (`list_query`), filtered by these values; on other pages, of all logs with these values."""
    query = QueryDict(str(context.get("list_query") or "").removeprefix("?"))
    return list_url(with_params(query, **{name: facet_param(name, value) for name, value in values.items()}))


@register.simple_tag(takes_context=True)
def during(context: Context, start: datetime, end: datetime) -> str:
    """The URL of the current list, restricted to the time from start to end."""
    query = context["explorer"].query
    return list_url(with_params(query, range=None, since=format_utc(start), until=format_utc(end)))


@register.simple_tag(takes_context=True)
def wider(context: Context, shown: Histogram) -> str:
    """The URL of a time range three times as long, as far as it has passed."""
    length = shown.end - shown.start
    end = max(shown.end, min(shown.end + length, timezone.now()))
    return during(context, shown.start - length, end.replace(microsecond=0))


register.filter("by_clock", format_local)


@register.filter
def state_label(state: str) -> str:
    return str(STATES[state][1])


@register.filter
def per(step: timedelta) -> str:
    """The heading of a chart whose bars have this length."""
    seconds = int(step.total_seconds())
    if seconds % 86400 == 0:
        return ngettext("Logs per day", "Logs per %(number)s days", seconds // 86400) % {"number": seconds // 86400}
    if seconds % 3600 == 0:
        return ngettext("Logs per hour", "Logs per %(number)s hours", seconds // 3600) % {"number": seconds // 3600}
    if seconds % 60 == 0:
        return ngettext("Logs per minute", "Logs per %(number)s minutes", seconds // 60) % {"number": seconds // 60}
    return _("Logs per %(number)s seconds") % {"number": seconds}


@register.filter
def time_of(bar: HistogramBar) -> str:
    """13 Apr 09:00–09:15, or only the date for a whole day."""
    return _from_to(timezone.localtime(bar.start), timezone.localtime(bar.end))


def _from_to(start: datetime, end: datetime) -> str:
    last = end - timedelta(seconds=1)
    is_one_day = start.date() == last.date()
    if start.time() == end.time() == time.min:  # whole days
        return dated(start) if is_one_day else f"{dated(start)} – {dated(last)}"
    return f"{_shortly(start)}–{clock_time(end) if is_one_day else _shortly(end)}"


@register.filter
def grouped(number: int) -> str:
    """12,431"""
    return _grouped(number, get_language())


@lru_cache(maxsize=1024)  # a chart has hundreds
def _grouped(number: int, language: str | None) -> str:
    return number_format(number, force_grouping=True)


@register.filter
def count_of(bar: HistogramBar, state: str) -> int:
    return bar.counts.get(State(state), 0)


def counted(bar: HistogramBar, words: Mapping[State, str]) -> str:
    """2 Failed, 23 Delivered"""
    language = get_language()
    parts = [f"{_grouped(number, language)} {words[state]}" for state, number in bar.counts.items()]
    return ", ".join(parts) or _("no logs")


@register.filter
def totals_in_words(shown: Histogram) -> str:
    """Failed 2, Delivered 23"""
    return ", ".join(f"{state_label(state)} {grouped(number)}" for state, number in shown.totals.items())


@register.simple_tag
def axis(shown: Histogram) -> list[tuple[str, str]]:
    """The labels of the axis: their position in percent of its width, and their text.

    A label shows the date where a day begins, otherwise the time; month and year if the chart spans over a year.
    The very end of the axis has no room for a label.
    """
    marks: list[tuple[str, str]] = []
    of_day = "YEAR_MONTH_FORMAT" if shown.end - shown.start > YEAR else "MONTH_DAY_FORMAT"
    last = None
    for number in shown.ticks:
        place = 100 * number / len(shown.bars)
        if place > LAST_LABEL:
            break
        local = timezone.localtime(shown.bars[number].start)
        is_day = shown.step >= timedelta(days=1)
        text = dated(local, of_day) if is_day else clock_time(local) if local.date() == last else _shortly(local)
        marks.append((f"{place:.2f}%", text))
        last = local.date()
    return marks


@dataclass(frozen=True)
class DrawnBar:
    """A bar of the chart: a link to its time range. `x`, `width`: of its whole area; `parts`: a rectangle for each state."""

    address: str
    title: str
    x: str
    width: str
    parts: list[tuple[str, Rect]]


def drawn_bars(query: QueryDict, shown: Histogram) -> list[DrawnBar]:
    everything = with_params(query, range=None, since=None, until=None)
    base = list_url(everything) + ("&" if everything else "?")
    width = HISTOGRAM_WIDTH / len(shown.bars)
    # These depend on the reader's time zone and language. They're slow, so they're done once for all bars.
    edges = [timezone.localtime(moment) for moment in (*(bar.start for bar in shown.bars), shown.end)]
    times = [quote_plus(format_utc(edge), safe=":") for edge in edges]
    words = {state: state_label(state) for state in STATE_ORDER}
    return [
        DrawnBar(
            address=f"{base}since={times[number]}&until={times[number + 1]}",
            title=f"{_from_to(edges[number], edges[number + 1])}: {counted(bar, words)}",
            x=f"{width * number:.1f}",
            width=f"{width:.1f}",
            parts=[(STATE_ORDER[part], rect) for part, rect in bar.parts],
        )
        for number, bar in enumerate(shown.bars)
    ]


def _shortly(local: datetime) -> str:
    return f"{dated(local)} {clock_time(local)}"
