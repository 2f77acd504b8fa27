"""The tag for the explorer's live tail."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from ..logsearch.live_tail import LIVE_TAIL_COOKIE, LiveTail, TailMarker

register = template.Library()


@register.inclusion_tag("logs/list/_live_tail.html", takes_context=True)
def live_tail(context: template.Context, explorer: Any) -> dict[str, Any]:
    """The switch of the live tail and what polls for it; nothing if no new log can appear at the top."""
    return {"live": _live_tail(context, explorer)}


def _live_tail(context: template.Context, explorer: Any) -> LiveTail | None:
    """Return the live tail; None if no new log can appear at the top.

    That's so on later pages, with oldest first, for a past time range, or with an invalid filter.
    """
    if explorer.problems or not explorer.is_newest_first or explorer.is_inside:
        return None
    until = explorer.filter.criteria.until
    if until and until < timezone.now():
        return None
    is_on = context["request"].COOKIES.get(LIVE_TAIL_COOKIE) == "on"
    return LiveTail(explorer.query, TailMarker.of(explorer.page.logs, timezone.now()), is_on)
