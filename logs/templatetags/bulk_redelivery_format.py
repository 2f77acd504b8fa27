"""Formatting of bulk redeliveries: states, outcomes, receiver states, progress and durations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..models import BulkRedelivery, BulkRedeliveryItem, BulkRedeliveryState, ItemOutcome
from ..redelivery.progress import ItemCounts, StageProgress
from ..stats.receiver_state import ReceiverHealth, ReceiverState
from .number_format import grouped
from .ui import icon

register = template.Library()

Look = tuple[str, str]  # the state whose colours it has, and its icon
BULK_STATES: dict[str, Look] = {
    BulkRedeliveryState.PLANNING: ("pending", "clock"),
    BulkRedeliveryState.PLANNED: ("pending", "clock"),
    BulkRedeliveryState.RUNNING: ("pending", "play"),
    BulkRedeliveryState.PAUSED: ("retrying", "pause"),
    BulkRedeliveryState.STOPPED: ("skipped", "stop"),
    BulkRedeliveryState.FINISHED: ("delivered", "check"),
}
OUTCOMES: dict[str, Look] = {
    ItemOutcome.PLANNED: ("pending", "clock"),
    ItemOutcome.EXCLUDED: ("skipped", "not"),
    ItemOutcome.WAITING: ("pending", "clock"),
    ItemOutcome.QUEUED: ("pending", "flow"),
    ItemOutcome.DELIVERED: ("delivered", "check"),
    ItemOutcome.FAILED: ("failed", "x"),
    ItemOutcome.SKIPPED: ("skipped", "skip"),
}
RECEIVER_STATES: dict[ReceiverState, tuple[str, str, Promise]] = {
    ReceiverState.INACTIVE: ("skipped", "off", gettext_lazy("Inactive")),
    ReceiverState.PAUSED: ("failed", "pause", gettext_lazy("Queue paused")),
    ReceiverState.FAILING: ("failed", "x", gettext_lazy("Still failing")),
    ReceiverState.RECOVERED: ("delivered", "check", gettext_lazy("Recovered")),
    ReceiverState.RECEIVING: ("delivered", "check", gettext_lazy("Working")),
    ReceiverState.QUIET: ("skipped", "clock", gettext_lazy("No traffic in 7 days")),
}
STAGE_STATES: dict[str, tuple[str, str, Promise]] = {
    "passed": ("delivered", "check", gettext_lazy("Passed")),
    "failed": ("failed", "x", gettext_lazy("Failed")),
    "done": ("delivered", "check", gettext_lazy("Done")),
    "running": ("pending", "play", gettext_lazy("Running")),
    "paused": ("retrying", "pause", gettext_lazy("Paused")),
    "waiting": ("skipped", "clock", gettext_lazy("Next")),
    "stopped": ("skipped", "stop", gettext_lazy("Stopped")),
}
METER_WIDTH = 1000


def _badge(state: str, symbol: str, word: Any) -> SafeString:
    return format_html('<span class="badge" data-state="{}">{}{}</span>', state, icon(symbol), word)


@register.simple_tag
def bulk_badge(bulk: BulkRedelivery) -> SafeString:
    return _badge(*BULK_STATES[bulk.state], bulk.get_state_display())


@register.simple_tag
def outcome_badge(item: BulkRedeliveryItem) -> SafeString:
    return _badge(*OUTCOMES[item.outcome], item.get_outcome_display())


@register.simple_tag
def receiver_badge(receiver: ReceiverHealth) -> SafeString:
    return _badge(*RECEIVER_STATES[receiver.state])


@register.simple_tag
def stage_badge(stage: StageProgress) -> SafeString:
    return _badge(*STAGE_STATES[stage.state])


@register.simple_tag
def stage_name(number: int) -> str:
    return {1: _("One of each subscription"), 2: _("10 %")}.get(number, _("The rest"))


@register.simple_tag
def meter(numbers: ItemCounts, size: str = "") -> SafeString:
    """A progress bar: delivered, failed, remaining. Skipped logs aren't drawn, as they are none of these."""
    whole = max(numbers.total, 1)
    ok, fail = (round(part * METER_WIDTH / whole, 1) for part in (numbers.delivered, numbers.failed))
    label = _("%(delivered)s delivered, %(failed)s failed, %(to_go)s remaining") % {
        "delivered": grouped(numbers.delivered),
        "failed": grouped(numbers.failed),
        "to_go": grouped(numbers.to_go),
    }
    return format_html(
        '<svg class="progress" data-size="{}" viewBox="0 0 {} 10" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="track" width="{}" height="10"/><rect class="delivered" width="{}" height="10"/>'
        '<rect class="failed" x="{}" width="{}" height="10"/></svg>',
        *(size, METER_WIDTH, label, METER_WIDTH, ok, ok, fail),
    )


@register.simple_tag
def sent_summary(numbers: ItemCounts) -> SafeString:
    """Nothing sent yet. / 40 of 138 sent: 38 delivered, 2 failed. / All 138 sent: 136 delivered, 2 failed."""
    if not numbers.sent:
        return format_html("<b>{}</b>", _("Nothing sent yet."))
    text = _("%(sent)s of %(total)s sent:")
    if numbers.sent == numbers.total > 1:
        text = _("All %(total)s sent:")
    sent = text % {"sent": grouped(numbers.sent), "total": grouped(numbers.total)}
    return format_html("<b>{}</b> {}.", sent, format_html_join(", ", "{}", _results_of(numbers)))


def _results_of(numbers: ItemCounts) -> Iterator[tuple[str]]:
    """What came of the logs that were sent: only what there is."""
    if number := numbers.delivered:
        yield (ngettext("%(number)s delivered", "%(number)s delivered", number) % {"number": grouped(number)},)
    if number := numbers.failed:
        text = ngettext("%(number)s failed", "%(number)s failed", number) % {"number": grouped(number)}
        yield (format_html('<b class="fail-text">{}</b>', text),)
    if number := numbers.retrying:
        yield (ngettext("%(number)s being retried", "%(number)s being retried", number) % {"number": grouped(number)},)


@register.filter
def about(length: timedelta | None) -> str:
    """less than 10 s, about 40 s, about 5 min, about 2 h: no more exact than the estimate."""
    if length is None:
        return _("not known")
    seconds = length.total_seconds()
    if seconds < 10:
        return _("less than 10 s")
    if seconds <= 90:
        return _("about %(number)s s") % {"number": ceil(seconds / 10) * 10}
    if seconds <= 90 * 60:
        return _("about %(number)s min") % {"number": round(seconds / 60)}
    return _("about %(number)s h") % {"number": round(seconds / 3600)}


@register.filter
def in_a_second(rate: float) -> str:
    """1.6 per second; below one, the number per minute."""
    if rate >= 1:
        return _("%(number)s per second") % {
            "number": number_format(round(rate, 1 if rate < 10 else 0), 1 if rate < 10 else 0)
        }
    number = max(round(rate * 60), 1)
    return ngettext("%(number)s per minute", "%(number)s per minute", number) % {"number": number}
