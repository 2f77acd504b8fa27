"""Formatting of logs, with masked values masked."""

import re
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..cotalker.outcomes import is_stand_in_status
from ..delivery import queue_status
from ..logsearch.filterset import ACTIONS, EVENT_TYPES
from ..models import FINISHED_STATES, State, WebhookLog
from ..models.choices import EVENT_LABELS
from ..payloads.json_tree import OPENED_LEVELS
from ..payloads.masking import mask_headers, mask_text, mask_url, masked_keys
from .ui import state_badge

register = template.Library()

_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


@register.simple_tag
def stand_in_note(status: int | None, cause: str) -> str:
    """Why a status isn't shown as the receiver's; "" if it is."""
    if not is_stand_in_status(status, cause):
        return ""
    return _("The receiver didn’t answer. Cotalker logged %(status)s in place of an answer.") % {"status": status}


@register.filter
def masked(text: str | None) -> str:
    """A response with the values of masked keys masked."""
    return mask_text(text, masked_keys()) if text else ""


@register.filter
def masked_url(url: str) -> str:
    return mask_url(url, masked_keys())


@register.filter
def masked_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return mask_headers(headers, masked_keys())


@register.filter
def host_of(url: str) -> str:
    """The host name and port of a URL, without credentials; "" if it is no URL."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


@register.filter
def seconds_between_looks(log: WebhookLog) -> int:
    """Seconds between polls for a queued log: long, if it may stay like this for hours."""
    return queue_status.poll_interval(log)


@register.simple_tag
def log_badge(log: WebhookLog) -> SafeString:
    """The badge of the log's state. A finished log that is queued again is pending, whatever its last outcome."""
    is_sent_again = log.is_queued and log.state in FINISHED_STATES
    return state_badge(State.PENDING if is_sent_again else log.state)


@register.filter
def visible(text: str) -> str:
    """Show invisible characters, and those that change the writing direction, as \\u202e: values must not look alike."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@register.simple_tag
def excerpt(text: str, start: int, length: int = 240) -> str:
    """A part of a long value."""
    return f"{'…' if start else ''}{text[start : start + length]}{'…' if start + length < len(text) else ''}"


@register.simple_tag
def event_label(log: WebhookLog) -> str:
    """What happened, in two words: "Task edited". Unknown types and actions are shown unchanged."""
    if known := EVENT_LABELS.get((log.event_type, log.action)):
        return str(known)
    kind = EVENT_TYPES.get(log.event_type, log.event_type)
    action = ACTIONS.get(log.action, log.action)
    return _("%(type)s %(action)s") % {"type": kind, "action": action}


@register.simple_tag
def place_address(log: WebhookLog, pointer: str, needle: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """The URL that opens the payload tree at a pointer; for a deep pointer, the page of the nodes around it.

    `fields`: the other parameters of the page's URL.
    """
    if pointer.count("/") > OPENED_LEVELS:
        parent = pointer.rpartition("/")[0]
        query = [*fields, ("pointer", parent), ("find", needle), ("at", pointer)]
        return f"{reverse('logs:payload_chunk', args=[log.pk])}?{urlencode(query)}#selected-node"
    return f"{log.get_absolute_url()}?{urlencode([*fields, ('find', needle), ('at', pointer)])}#selected-node"
