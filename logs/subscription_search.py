"""The search of the list of subscriptions. Strict: an unknown parameter or value is an error, never "everything"."""

from __future__ import annotations

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from .models import Turn, WebhookLog
from .models.querysets import SubscriptionQuerySet
from .stats.subscription_list import SORTS

_BETWEEN_TRIES = WebhookLog.objects.filter(
    subscription=OuterRef("pk"), next_attempt_at__isnull=False, turn=Turn.BETWEEN_TRIES
)
STATES = {
    "active": Q(is_active=True),
    # As health.lanes.is_blocked says it of one.
    "blocked": (Q(is_active=True) | Q(is_draining=True)) & (Q(held_at__isnull=False) | Exists(_BETWEEN_TRIES)),
    "inactive": Q(is_active=False, is_placeholder=False),
    "placeholder": Q(is_placeholder=True),
}


class SubscriptionSearch(forms.Form):
    """`SubscriptionSearch(request.GET)`; ask `is_valid()` before `found_in(subscriptions)`."""

    data: QueryDict
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
        label=_("Order"), required=False, choices=[(f"{sign}{name}", name) for name in SORTS for sign in ("", "-")]
    )

    def clean(self) -> None:
        for name in self.data:
            if name not in self.fields:
                self.add_error(None, _("There is no filter “%(name)s”.") % {"name": name[:60]})
            elif len(self.data.getlist(name)) > 1:
                self.add_error(name, _("Only one value can be given."))

    @property
    def is_filtered(self) -> bool:
        return any(value for name, value in self.cleaned_data.items() if name != "sort")

    @property
    def order(self) -> str:
        return self.cleaned_data["sort"] or "success"

    def found_in(self, subscriptions: SubscriptionQuerySet) -> SubscriptionQuerySet:
        found = subscriptions.filter(STATES.get(self.cleaned_data["state"], Q()))
        words = self.cleaned_data["q"]
        return found.searched(words) if words else found
