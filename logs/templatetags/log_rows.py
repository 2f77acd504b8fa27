"""What the explorer has by the dozen: rows, values of facets, bars. This is what their Jinja2 templates work with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from django import template
from django.http import HttpRequest, QueryDict
from django.template import Context, engines
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from ..logsearch.facets import Facet, FacetValue, facet_param
from ..logsearch.filterset import EVENT_TYPES
from ..logsearch.histogram import Histogram
from ..logsearch.query_params import querystring, toggle_excluded, with_params
from ..models import WebhookLog
from .components import badge
from .log_format import event_label, log_badge, masked, seconds_between_looks, stand_in_note
from .log_list import drawn_bars, has_row_selection, log_columns
from .ui import duration, icon, state_badge, when

register = template.Library()


@register.simple_tag(takes_context=True)
def log_rows(context: Context, logs: Iterable[WebhookLog]) -> SafeString:
    """`list_query`, in the context: the query string of the list that the rows belong to."""
    request = context["request"]
    list_query = str(context.get("list_query") or "")
    query = QueryDict(list_query.removeprefix("?"))
    explorer = reverse("logs:webhook_log_list")  # once: a list has some hundred addresses

    @lru_cache  # the rows share most values
    def narrowed(**values: Any) -> str:
        params = {name: facet_param(name, value) for name, value in values.items()}
        return explorer + querystring(with_params(query, **params))

    @lru_cache
    def excluded(name: str, value: Any) -> str:
        return explorer + querystring(toggle_excluded(query, name, facet_param(name, value)))

    values = {
        "logs": logs,
        "list_query": list_query,
        "columns": log_columns(context),
        "has_row_selection": has_row_selection(context),
        "may_redeliver": request.user.has_perm("logs.redeliver_webhooklog"),
        "narrowed": narrowed,
        "excluded": excluded,
        "type_label": type_label,
        "when": partial(when, context),
        "url": reverse,
        "_": gettext,
    }
    functions = (
        badge,
        duration,
        event_label,
        icon,
        log_badge,
        masked,
        seconds_between_looks,
        stand_in_note,
        state_badge,
    )
    values |= {function.__name__: function for function in functions}
    return _rendered("logs/list/_log_rows.jinja.html", values, request)


@register.simple_tag(takes_context=True)
def facet_values(context: Context, facet: Facet, values: Iterable[FacetValue]) -> SafeString:
    query, explorer = context["explorer"].query, reverse("logs:webhook_log_list")

    def excluding(item: FacetValue) -> str:
        """The URL of the list without the logs of this value; if they are excluded, with them."""
        return explorer + querystring(toggle_excluded(query, facet.name, item.value))

    shown = {"facet": facet, "values": values, "excluding": excluding, "icon": icon, "_": gettext}
    return _rendered("logs/list/_facet_values.jinja.html", shown, context["request"])


@register.simple_tag(takes_context=True)
def histogram_bars(context: Context, shown: Histogram) -> SafeString:
    bars = drawn_bars(context["explorer"].query, shown)
    return _rendered("logs/list/_histogram_bars.jinja.html", {"bars": bars}, context["request"])


def _rendered(name: str, values: dict[str, Any], request: HttpRequest) -> SafeString:
    return mark_safe(engines["jinja2"].get_template(name).render(values, request))  # noqa: S308  # Jinja2 escapes


def type_label(event_type: str) -> str:
    """What a filter calls the events of this type."""
    return str(EVENT_TYPES[facet_param("type", event_type)])
