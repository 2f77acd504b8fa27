"""The values of a facet. They are Python and not a template for the same reason as the rows of logs
(docs/adr/0018-rows-of-logs-are-python.md).

A label may come from a log or a person: every inserted value is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from django import template
from django.template import Context
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..logsearch.facets import Facet, FacetValue
from ..logsearch.query_params import list_url, toggle_excluded
from .ui import icon

register = template.Library()

# Its checkbox, which belongs to the form #filters, includes a value; its link excludes it.
_VALUE = (
    '<li{is_not}><label><input type="checkbox" form="filters" id="{name}-{value}" name="{name}" value="{value}"{checked}>'
    '<span title="{title}">{label}</span>{count}</label>'
    '<a href="{address}" hx-get="{address}" hx-target="#results" hx-swap="outerHTML" hx-push-url="true" '
    'aria-label="{exclude}">{icon}</a></li>\n'
)


@register.simple_tag(takes_context=True)
def facet_values(context: Context, facet: Facet, values: Iterable[FacetValue]) -> SafeString:
    query = context["explorer"].query
    exclude, stop_excluding, not_icon = _("Exclude %(value)s"), _("Stop excluding %(value)s"), icon("not")
    written = [
        _VALUE.format(
            is_not=" data-excluded" if item.is_excluded else "",
            name=facet.name,
            value=escape(item.value),
            checked=" checked" if item.is_included else "",
            title=escape(item.title),
            label=escape(item.label),
            count=_count(item),
            address=escape(list_url(toggle_excluded(query, facet.name, item.value))),
            exclude=escape((stop_excluding if item.is_excluded else exclude) % {"value": item.label}),
            icon=not_icon,
        )
        for item in values
    ]
    return mark_safe("".join(written))  # noqa: S308  # all foreign text is escaped


def _count(item: FacetValue) -> str:
    if item.count is None:
        return ""
    number = "" if item.count.number is None else item.count.number
    return f'<data value="{number}">{escape(str(item.count))}</data>'
