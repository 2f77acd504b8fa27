"""What is chosen of a plan, and the word that starts it: what was seen, and why it is done."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import RolloutPolicy, Run, SupersededPolicy
from ..redelivery.preview import PlanChoices, PlanPreview

CONFIRM_ABOVE = 1_000  # logs: so many are not started by a click alone
MAX_RATE = 1_000  # logs in a second
FAILURE_PERCENT = 20
_BETWEEN_DIGITS = re.compile(r"[\s.,'’]")


class BulkChoicesForm(forms.Form):
    """`RunChoicesForm(request.POST, run=run)`; unbound, it is as the page begins. Ask `is_valid()` before `choices`."""

    lane = forms.MultipleChoiceField(label=_("Subscriptions"), required=False)
    stale_choice = forms.ChoiceField(label=_("Stale logs"), required=False, choices=SupersededPolicy.choices)
    sends_received = forms.BooleanField(label=_("Received logs"), required=False)
    canary = forms.ChoiceField(label=_("Canary"), choices=RolloutPolicy.choices, initial=RolloutPolicy.STEPS)
    tries = forms.TypedChoiceField(label=_("Tries of each log"), coerce=int, initial=1)
    rate = forms.IntegerField(
        label=_("At most in a second"),
        required=False,
        min_value=1,
        max_value=MAX_RATE,
        help_text=_("Empty: as fast as each receiver answers."),
    )
    failure_percent = forms.IntegerField(
        label=_("Pause above, in percent"),
        min_value=0,
        max_value=100,
        initial=FAILURE_PERCENT,
        help_text=_("Of the last 50 logs, so many may fail. In the canary none may."),
    )

    def __init__(self, data: Any = None, *, run: Run) -> None:
        super().__init__(data)
        self.fields["lane"].choices = [(pk, pk) for pk in run.lanes]  # type: ignore[attr-defined]
        self.fields["tries"].choices = [(number, _tries(number)) for number in sorted({1, settings.DELIVERY_TRIES})]  # type: ignore[attr-defined]
        for name in ("rate", "failure_percent"):
            self.fields[name].widget.attrs |= {"class": "input", "inputmode": "numeric"}

    def clean_stale_choice(self) -> str:
        return self.cleaned_data["stale_choice"] or SupersededPolicy.LEAVE

    @property
    def choices(self) -> PlanChoices | None:
        """None where the page is to begin with its own; what is wrong is as if it was not chosen."""
        if not self.is_bound:
            return None
        self.is_valid()
        chosen = self.cleaned_data
        return PlanChoices(
            lanes=frozenset(chosen.get("lane", ())),
            stale=chosen.get("stale_choice", SupersededPolicy.LEAVE),
            sends_received=chosen.get("sends_received", False),
            canary=chosen.get("canary", RolloutPolicy.STEPS),
            rate=chosen.get("rate"),
        )


class BulkStartForm(BulkChoicesForm):
    """`number`: how many logs the person saw that it sends. `typed`: the same once more, where they are many."""

    reason = forms.CharField(
        label=_("Why is this sent again?"),
        max_length=200,
        help_text=_("For the record: it stands in the list of runs and in the ledger, with your name."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    number = forms.IntegerField()
    typed = forms.CharField(required=False, max_length=20)

    def matches_preview(self, plan: PlanPreview) -> bool:
        """Whether the person saw what would happen now; what is wrong is among the errors then."""
        if not self.is_valid():
            return False
        if not plan.total:
            self.add_error(None, gettext("Nothing was started: with these choices nothing would be sent."))
        elif plan.total != self.cleaned_data["number"]:
            self.add_error(None, gettext("Nothing was started: the numbers have changed. Look at them once more."))
        elif plan.total > CONFIRM_ABOVE and _BETWEEN_DIGITS.sub("", self.cleaned_data["typed"]) != str(plan.total):
            self.add_error(
                "typed", gettext("Type the number of logs that are sent: %(number)s.") % {"number": plan.total}
            )
        return not self.errors


def _tries(number: int) -> str:
    if number == 1:
        return gettext("one try")
    text = ngettext(
        "a round: up to %(number)s try, %(seconds)s s apart",
        "a round: up to %(number)s tries, %(seconds)s s apart",
        number,
    )
    return text % {"number": number, "seconds": f"{settings.DELIVERY_RETRY_DELAY:g}"}
