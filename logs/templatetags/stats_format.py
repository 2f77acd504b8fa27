"""Formatting of delivery health: changes, time ranges, the bars of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..db.timeouts import BoundedCount
from ..delivery import queue_summary
from ..models import Cause
from ..stats.period import Period
from ..stats.traffic import Traffic, TrafficBar
from .ui import clock_time, dated, duration, icon, lasted

register = template.Library()
PARTS = ("failed", "delivered")  # CSS classes of the bars' parts, from the base line up
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MUCH = 10  # times as many: above this, it says less than the number itself


@register.simple_tag
def percent_change(now: int, earlier: int) -> SafeString:
    """↑ 4.1 % more (was 12,300); 4.5 times as many; only the earlier number if neither would say much."""
    shown = number_format(earlier, force_grouping=True)
    if now == earlier:
        return _with_arrow(0, _("same as in the previous period") if now else _("0 in the previous period"))
    if not earlier:
        return _with_arrow(now, _("0 in the previous period"))
    if now > MUCH * earlier or not now:
        return _with_arrow(now - earlier, _("%(number)s in the previous period") % {"number": shown})
    if now > 2 * earlier:
        times = number_format(round(now / earlier, 1), 1)
        return _with_arrow(1, _("%(times)s times as many (was %(number)s)") % {"times": times, "number": shown})
    percent = number_format(round(abs(now - earlier) / earlier * 100, 1), 1)
    text = _("%(percent)s %% more (was %(number)s)") if now > earlier else _("%(percent)s %% less (was %(number)s)")
    return _with_arrow(now - earlier, text % {"percent": percent, "number": shown})


@register.simple_tag
def point_change(now: float | None, earlier: float | None) -> SafeString:
    """↓ 2.6 points lower (was 99.8 %)"""
    if earlier is None:
        return SafeString(_("no data for the previous period"))
    before = "100" if earlier == 100 else number_format(earlier, 1)
    if now is None or now == earlier:
        return _with_arrow(0, _("%(percent)s %% in the previous period") % {"percent": before})
    text = _("%(points)s points higher (was %(percent)s %%)")
    if now < earlier:
        text = _("%(points)s points lower (was %(percent)s %%)")
    points = number_format(round(abs(now - earlier), 1), 1)
    return _with_arrow(now - earlier, text % {"points": points, "percent": before})


@register.simple_tag
def duration_change(now: float, earlier: float | None) -> SafeString:
    """↑ 610 ms in the previous period"""
    if earlier is None:
        return SafeString(_("no data for the previous period"))
    return _with_arrow(now - earlier, _("%(time)s in the previous period") % {"time": duration(earlier)})


def _with_arrow(change: float, text: str) -> SafeString:
    arrow = icon("more-up") if change > 0 else icon("less-down") if change < 0 else ""
    return format_html("{}{}", arrow, text)


@register.simple_tag
def span_of(first: datetime, last: datetime) -> str:
    """from 13 Apr 22:41 to today 08:46, in the user's time zone; "at 07:31" if both are in the same minute."""
    start, end = _both(first, last)
    if start == end:
        return _("at %(time)s") % {"time": start}
    return _("from %(start)s to %(end)s") % {"start": start, "end": end}


@register.simple_tag
def clock(value: datetime) -> SafeString:
    """07:31, in the user's time zone; 13 Apr 22:41 if it was on another day. The title says how long ago."""
    ago = _("%(time)s ago") % {"time": lasted(max(timezone.now() - value, timedelta(0)))}
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), ago, _both(value, value)[0])


@register.simple_tag
def time_span(first: datetime, last: datetime) -> SafeString:
    """13 Apr 22:41 – today 08:46; the title says how long ago."""
    start, end = _both(first, last)
    ago = _("%(time)s ago") % {"time": lasted(max(timezone.now() - last, timedelta(0)))}
    shown = start if start == end else f"{start} – {end}"
    return format_html('<span title="{}">{}</span>', ago, shown)


def _both(first: datetime, last: datetime) -> tuple[str, str]:
    """Two datetimes to the minute, in the user's time zone; no date for today, or if the second is on the first's day."""
    start, end, today = timezone.localtime(first), timezone.localtime(last), timezone.localtime().date()
    begun = f"{start:%H:%M}" if start.date() == today else f"{dated(start)} {start:%H:%M}"
    if start.date() == end.date():
        return begun, begun if f"{start:%H:%M}" == f"{end:%H:%M}" else f"{end:%H:%M}"
    ended = _("today %(time)s") % {"time": f"{end:%H:%M}"} if end.date() == today else f"{dated(end)} {end:%H:%M}"
    return begun, ended


@register.simple_tag(takes_context=True)
def sortable_header(context: Context, first: str, text: str, **attributes: str) -> SafeString:
    """A column header that sorts the rows by it. `first`: the order after the first click."""
    now, column = context["search"].order, first.removeprefix("-")
    is_now = now.removeprefix("-") == column
    following = first if not is_now else column if now.startswith("-") else f"-{column}"
    query = context["request"].GET.copy()
    query["sort"] = following
    state = "" if not is_now else ' aria-sort="descending"' if now.startswith("-") else ' aria-sort="ascending"'
    arrow = "" if not is_now else icon("less-down" if now.startswith("-") else "more-up")
    return format_html(
        '<th class="{}" scope="col"{}><a href="?{}" title="{}">{}{}</a></th>',
        attributes["class"],
        SafeString(state),
        query.urlencode(),
        attributes.get("title", ""),
        text,
        arrow,
    )


@register.simple_tag
def step_title(traffic: Traffic) -> str:
    """Failures per 30 minutes; deliveries, if nothing failed."""
    step = traffic.period.step
    if step >= DAY:
        days = _("Failures per day") if traffic.now.failed else _("Deliveries per day")
        is_utc = not timezone.localtime(traffic.period.now).utcoffset()
        return days if is_utc else _("%(title)s (UTC)") % {"title": days}
    if step >= HOUR:
        texts = _("Failures per %(number)s hours"), _("Deliveries per %(number)s hours")
        number = step // HOUR
    else:
        texts = _("Failures per %(number)s minutes"), _("Deliveries per %(number)s minutes")
        number = step // timedelta(minutes=1)
    return texts[0 if traffic.now.failed else 1] % {"number": number}


@register.simple_tag
def spark(bars: Sequence[TrafficBar], label: str = "") -> SafeString:
    """Small bars beside a row. They are one path per part, as a page may have a hundred. Without a label, only decoration."""
    paths = ["", ""]
    for bar in bars:
        for part, rect in bar.parts:
            paths[part] += f"M{rect.x:g} {rect.y:g}h{rect.width:g}v{rect.height:g}h-{rect.width:g}z"
    drawn = format_html_join(
        "", '<path class="{}" d="{}"/>', [pair for pair in zip(PARTS, paths, strict=True) if pair[1]]
    )
    role = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="bars" data-size="spark" viewBox="0 0 240 100" preserveAspectRatio="none" {}>{}</svg>', role, drawn
    )


@register.simple_tag
def bar_title(bar: TrafficBar) -> str:
    """13 Apr 22:30–23:00: 14 failed, 3 delivered; for a whole day, only its date."""
    text = _("%(start)s–%(end)s: %(failed)s failed, %(delivered)s delivered")
    numbers = {"failed": bar.failed, "delivered": bar.delivered}
    if bar.end - bar.start >= DAY:
        day = dated(_of_its_day(bar.start, DAY))
        return _("%(day)s: %(failed)s failed, %(delivered)s delivered") % {"day": day, **numbers}
    start, end = timezone.localtime(bar.start), timezone.localtime(bar.end)
    return text % {"start": f"{dated(start)} {clock_time(start)}", "end": clock_time(end), **numbers}


@register.filter
def start_label(bar: TrafficBar) -> str:
    """13 Apr 2026 22:30"""
    local = timezone.localtime(bar.start)
    return f"{dated(local, 'SHORT_DATE_FORMAT')} {clock_time(local)}"


def _of_its_day(start: datetime, step: timedelta) -> datetime:
    """Convert to the user's time zone. Days are UTC, like the daily log counts: other zones would need many more buckets."""
    return start.astimezone(UTC) if step >= DAY else timezone.localtime(start)


@register.simple_tag
def chart_axis(period: Period) -> list[tuple[str, str]]:
    """The positions and texts of the axis labels: the date where it changes, and the time if steps are short."""
    labels, last = [], None
    for place, start in period.labelled:
        local = _of_its_day(start, period.step)
        labels.append((f"{place:.2f}%", _label(local, local.date() == last, period.step)))
        last = local.date()
    return labels


def _label(local: datetime, is_same_day: bool, step: timedelta) -> str:
    if step >= DAY:
        return dated(local)
    return clock_time(local) if is_same_day else f"{dated(local)} {clock_time(local)}"


@register.filter
def behind(subscription) -> BoundedCount:
    return queue_summary.waiting_behind(subscription)


@register.filter
def waiting(subscription) -> BoundedCount:
    return queue_summary.waiting_count(subscription)


@register.filter
def cause_label(cause: str) -> str:
    return str(dict(Cause.choices).get(cause, cause))
