"""The query strings of the pages that list, and of the poll of all pages."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from ..db.cursor_pagination import InvalidCursor
from ..delivery.queue_list import QueueCursor, decode_queue_cursor
from ..models import Priority, WebhookLog
from ..models.querysets import SubscriptionQuerySet
from ..stats.period import TIME_RANGES
from ..stats.subscription_list import SUBSCRIPTION_SORTS
from .base import StrictForm

DEFAULT_RANGE = "24h"


class RangeForm(StrictForm):
    """`?range=7d`; call `is_valid()` before `range_name`."""

    range = forms.ChoiceField(label=_("Range"), required=False, choices=[(key, key) for key in TIME_RANGES])

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields["range"].required = "range" in data  # an empty one is as invalid as any other

    @property
    def range_name(self) -> str:
        return self.cleaned_data["range"] or DEFAULT_RANGE


_BETWEEN_ATTEMPTS = WebhookLog.objects.filter(
    subscription=OuterRef("pk"), next_attempt_at__isnull=False, priority=Priority.RETRY
)
QUEUE_STATES = {
    "active": Q(is_active=True),
    # Same rule as delivery.queue_summary.is_blocked, which checks one subscription.
    "blocked": (Q(is_active=True) | Q(is_draining=True)) & (Q(paused_at__isnull=False) | Exists(_BETWEEN_ATTEMPTS)),
    "inactive": Q(is_active=False, is_placeholder=False),
    "placeholder": Q(is_placeholder=True),
}


class SubscriptionFilterForm(StrictForm):
    """`SubscriptionFilterForm(request.GET)`; call `is_valid()` before `found_in(subscriptions)`."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("active", _("Active")),
            ("blocked", _("Blocked")),
            ("inactive", _("Inactive")),
            ("placeholder", _("Not imported")),
        ],
    )

    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[(f"{sign}{name}", name) for name in SUBSCRIPTION_SORTS for sign in ("", "-")],
    )

    @property
    def is_filtered(self) -> bool:
        return any(value for name, value in self.cleaned_data.items() if name != "sort")

    @property
    def order(self) -> str:
        return self.cleaned_data["sort"] or "success"

    def found_in(self, subscriptions: SubscriptionQuerySet) -> SubscriptionQuerySet:
        matching = subscriptions.filter(QUEUE_STATES.get(self.cleaned_data["state"], Q()))
        words = self.cleaned_data["q"]
        return matching.searched(words) if words else matching


class LiveForm(StrictForm):
    """`?seen=…&shown=…`: the marks of the counts and of the region that a page shows."""

    seen = forms.CharField(required=False, max_length=40)
    shown = forms.CharField(required=False, max_length=40)


class QueueListForm(StrictForm):
    """`?after=…`: the queues after that one. `seen`: what a poll's page shows."""

    after = forms.CharField(label=_("After"), required=False, strip=False)
    seen = forms.CharField(required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields["after"].required = "after" in data

    def clean_after(self) -> QueueCursor | None:
        """None for the first page."""
        cursor = self.cleaned_data["after"]
        try:
            return decode_queue_cursor(cursor) if cursor else None
        except InvalidCursor as error:
            raise ValidationError(str(error), code="invalid") from error
