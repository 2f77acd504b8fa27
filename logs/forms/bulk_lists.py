"""The query strings of the list of bulk redeliveries, and of the results of one."""

from __future__ import annotations

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from ..models import BulkRedelivery, BulkRedeliveryItem, SkipReason
from ..redelivery.results import SHOWN_OUTCOMES, outcome_condition, reason_condition
from .base import MAX_ID, StrictForm


class BulkListForm(StrictForm):
    """`?before=7`: the bulk redeliveries that ended, below number 7."""

    before = forms.IntegerField(label=_("Before"), required=False, min_value=1, max_value=MAX_ID)


class ResultsFilterForm(StrictForm):
    """`ResultsFilterForm(request.GET)`; call `is_valid()` before `found_in(bulk)`."""

    cursor_fields = ("after",)
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[(word, word) for word in SHOWN_OUTCOMES if word]
    )
    reason = forms.ChoiceField(label=_("Reason"), required=False, choices=SkipReason.choices)
    subscription = forms.RegexField(r"^[0-9a-f]{24}\Z", label=_("Subscription"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=[("last", _("Newest first"))])
    after = forms.IntegerField(label=_("After"), required=False, min_value=0, max_value=2**31 - 1)

    def found_in(self, bulk: BulkRedelivery) -> QuerySet[BulkRedeliveryItem]:
        """The items that match, in the chosen order, after the chosen cursor."""
        chosen = self.cleaned_data
        items = self.found_with_any_outcome(bulk).filter(outcome_condition(bulk, chosen["outcome"]))
        if chosen["after"] is not None:
            items = items.filter(**{"number__lt" if self.is_last_first else "number__gt": chosen["after"]})
        return items.order_by("-number" if self.is_last_first else "number")

    def found_with_any_outcome(self, bulk: BulkRedelivery) -> QuerySet[BulkRedeliveryItem]:
        """The items that match the filters other than the outcome."""
        chosen, items = self.cleaned_data, bulk.items.all()
        if chosen["reason"]:
            items = items.filter(reason_condition(bulk, chosen["reason"]))
        if chosen["subscription"]:
            items = items.filter(subscription=chosen["subscription"])
        return items

    @property
    def is_last_first(self) -> bool:
        return self.cleaned_data["sort"] == "last"

    @property
    def is_filtered(self) -> bool:
        return any(self.cleaned_data[name] for name in ("outcome", "reason", "subscription"))
