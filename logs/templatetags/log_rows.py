"""The rows of lists of logs. They are Python and not a template: a list has fifty rows of about forty pieces each.
As a template, they took a third of their page's time (docs/adr/0018-rows-of-logs-are-python.md).

All text from a log is escaped where it is inserted. Its id needs no escaping: the database keeps it to 24 hex digits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from html import escape
from typing import Any

from django import template
from django.http import QueryDict
from django.template import Context
from django.template.defaulttags import CsrfTokenNode
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..logsearch.facets import facet_param
from ..logsearch.query_params import list_url, with_params
from ..models import State, WebhookLog
from .log_format import event_label, log_badge, masked, seconds_between_looks
from .log_list import has_row_selection, log_columns
from .ui import duration, icon, state_badge, when

register = template.Library()

_ROW = '<tr data-log="{pk}"{poll}>{cells}</tr>\n'
# While a redelivery is queued, the row polls, so that its outcome appears by itself.
_POLL = ' hx-get="{address}" hx-trigger="every {seconds}s" hx-swap="outerHTML" data-poll'
_SELECT = (
    '<td class="select"><label><input type="checkbox" name="log" value="{pk}" form="bulk-bar" aria-label="{label}">'
    "</label></td>"
)
_WHAT = '<th class="title" scope="row"><a href="{address}" data-row-link>{title}</a>{badge}</th>'
# Clicking a value filters the list by it. Keyboard users have the facets instead.
_VALUE = '<a href="{address}" tabindex="-1"{title}>{shown}</a>'
_REDELIVER = (
    '<form method="post" action="{address}" hx-post="{address}{list_query}" hx-target="closest tr" hx-swap="outerHTML" '
    'hx-disabled-elt="find button">{hidden}<input type="hidden" name="expected_attempts" value="{attempt_count}">'
    '<button class="btn" data-size="small" aria-label="{label}">{shown}</button></form>'
)
_NONE = "–"
BEFORE_OBJECT = ("age", "event")  # columns; the others follow it


@register.simple_tag(takes_context=True)
def log_row(context: Context, log: WebhookLog) -> SafeString:
    return log_rows(context, [log])


@register.simple_tag(takes_context=True)
def log_rows(context: Context, logs: Iterable[WebhookLog]) -> SafeString:
    """`list_query`, in the context: the query string of the list that the rows belong to."""
    rows = _Rows(context)
    return mark_safe("".join([rows.row(log) for log in logs]))  # noqa: S308  # each value is escaped below


class _Rows:
    """Values shared by all rows of a list, and a cache of recurring cells."""

    def __init__(self, context: Context) -> None:
        self.context = context
        request = context["request"]
        self.list_query = escape(str(context.get("list_query") or ""))
        self.query = QueryDict(str(context.get("list_query") or "").removeprefix("?"))
        columns = log_columns(context)
        # Functions, not bound methods: those would create a reference cycle, which stays in memory until garbage collection.
        self.before = [getattr(_Rows, f"_{name}") for name in columns if name in BEFORE_OBJECT]
        self.after = [getattr(_Rows, f"_{name}") for name in columns if name not in BEFORE_OBJECT]
        self.is_picked = has_row_selection(context)
        self.may_redeliver = request.user.has_perm("logs.redeliver_webhooklog")
        here = escape(request.get_full_path())
        self.hidden = f'{CsrfTokenNode().render(context)}<input type="hidden" name="next" value="{here}">'
        self.redeliver = f'{icon("send")}<span class="button-text">{escape(_("Redeliver"))}</span>'
        self.select_label, self.redeliver_label = _("Select %(title)s"), _("Redeliver %(title)s")
        self.cells: dict[Hashable, str] = {}

    def row(self, log: WebhookLog) -> str:
        title = escape(log.title)
        cells = [self._pick(log, title) if self.is_picked else "", self._state(log)]
        cells += [cell(self, log) for cell in self.before]
        cells.append(self._what(log, title))
        cells += [cell(self, log) for cell in self.after]
        cells.append(f'<td class="actions">{self._act(log, title)}</td>')
        return _ROW.format(pk=log.pk, poll=self._poll(log), cells="".join(cells))

    def _poll(self, log: WebhookLog) -> str:
        if not log.is_queued or log.trigger == "auto":
            return ""
        address = reverse("logs:webhook_log_row", args=[log.pk]) + self.list_query
        return _POLL.format(address=address, seconds=seconds_between_looks(log))

    def _pick(self, log: WebhookLog, title: str) -> str:
        return _SELECT.format(pk=log.pk, label=escape(self.select_label) % {"title": title})

    def _state(self, log: WebhookLog) -> str:
        if log.is_queued:
            return f'<td class="state">{log_badge(log)}</td>'
        return self._once(("state", log.state), lambda: self._linked("state", state_badge(log.state), state=log.state))

    def _age(self, log: WebhookLog) -> str:
        return f'<td class="time">{when(self.context, log.created_at)}</td>'

    def _event(self, log: WebhookLog) -> str:
        if not (log.event_type or log.action):
            return f'<td class="event">{_NONE}</td>'
        kind = {"type": log.event_type, "action": log.action}
        return self._once(("event", *kind.values()), lambda: self._linked("event", escape(event_label(log)), **kind))

    def _what(self, log: WebhookLog, title: str) -> str:
        badge = f' <span class="badge" data-state="pending">{escape(_("Test"))}</span>' if log.is_test else ""
        return _WHAT.format(address=log.get_absolute_url() + self.list_query, title=title, badge=badge)

    def _subscription(self, log: WebhookLog) -> str:
        pk = log.subscription_id
        return self._once(
            ("subscription", pk), lambda: self._linked("subscription", escape(str(log.subscription)), subscription=pk)
        )

    def _status(self, log: WebhookLog) -> str:
        shown = _NONE if log.status is None else str(log.status)
        return self._once(("status", log.status), lambda: self._linked("status", shown, status=log.status))

    def _cause(self, log: WebhookLog) -> str:
        return self._once(("cause", log.cause, log.response_start), lambda: self._new_cause(log))  # type: ignore[attr-defined]

    def _new_cause(self, log: WebhookLog) -> str:
        cause = ""
        if log.cause:
            cause = self._value(escape(log.cause), f' title="{escape(log.get_cause_display())}"', cause=log.cause) + " "
        shown = escape(masked(log.response_start))  # type: ignore[attr-defined]
        response = f'<code title="{shown}">{shown}</code>' if shown else ""
        return f'<td class="cause">{cause}{response}</td>'

    def _attempts(self, log: WebhookLog) -> str:
        label = escape(_("Attempts"))
        count = _NONE if log.attempt_count is None else log.attempt_count
        return f'<td class="attempts numeric" data-label="{label}">{count}</td>'

    def _took(self, log: WebhookLog) -> str:
        return f'<td class="duration numeric">{escape(duration(log.duration_ms))}</td>'

    def _id(self, log: WebhookLog) -> str:
        return f'<td class="id"><code>{log.pk}</code></td>'

    def _act(self, log: WebhookLog, title: str) -> str:
        if log.state != State.FAILED or log.is_queued or not self.may_redeliver:
            return ""
        return _REDELIVER.format(
            address=reverse("logs:redelivery_create", args=[log.pk]),
            list_query=self.list_query,
            hidden=self.hidden,
            attempt_count=log.attempt_count or 0,
            label=escape(self.redeliver_label) % {"title": title},
            shown=self.redeliver,
        )

    def _linked(self, column: str, shown: str, **values: Any) -> str:
        return f'<td class="{column}">{self._value(shown, **values)}</td>'

    def _value(self, shown: str, title: str = "", **values: Any) -> str:
        query = with_params(self.query, **{name: facet_param(name, value) for name, value in values.items()})
        return _VALUE.format(address=escape(list_url(query)), title=title, shown=shown)

    def _once(self, key: Hashable, make: Callable[[], str]) -> str:
        if key not in self.cells:
            self.cells[key] = make()
        return self.cells[key]
