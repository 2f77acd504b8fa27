"""Formatting of imports: the badge of their state, and numbers with grouped thousands."""

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import Import, ImportState
from .ui import icon

register = template.Library()

LOOKS = {
    ImportState.WAITING: ("pending", "clock"),
    ImportState.RUNNING: ("pending", "play"),
    ImportState.DONE: ("delivered", "check"),
    ImportState.FAILED: ("failed", "x"),
    ImportState.CANCELLED: ("skipped", "x"),
}


@register.simple_tag
def import_badge(upload: Import) -> SafeString:
    """Colour, icon and word, as for the states of logs."""
    look, symbol = LOOKS[ImportState(upload.state)]
    return format_html(
        '<span class="badge" data-state="{}">{}{}</span>', look, icon(symbol), upload.get_state_display()
    )


@register.filter
def grouped(number: int) -> str:
    """2,000."""
    return number_format(number, use_l10n=True, force_grouping=True)
