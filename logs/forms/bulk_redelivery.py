"""The choices of a plan, and the form that starts it: what the user saw, and the reason."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import RolloutPolicy, Run, SupersededPolicy
from ..redelivery.preview import PlanChoices, PlanPreview

CONFIRM_ABOVE = 1_000  # logs: above this, a click alone doesn't start it
MAX_RATE = 1_000  # logs per second
FAILURE_PERCENT = 20
_BETWEEN_DIGITS = re.compile(r"[\s.,'’]")


class BulkChoicesForm(forms.Form):
    """`BulkChoicesForm(request.POST, run=run)`; unbound, it holds the page's initial choices.

    Call `is_valid()` before `choices`.
    """

    lane = forms.MultipleChoiceField(label=_("Subscriptions"), required=False)
    stale_choice = forms.ChoiceField(label=_("Superseded logs"), required=False, choices=SupersededPolicy.choices)
    sends_received = forms.BooleanField(label=_("Delivered logs"), required=False)
    canary = forms.ChoiceField(label=_("Canary"), choices=RolloutPolicy.choices, initial=RolloutPolicy.STEPS)
    tries = forms.TypedChoiceField(label=_("Attempts per log"), coerce=int, initial=1)
    rate = forms.IntegerField(
        label=_("Max rate (logs/s)"),
        required=False,
        min_value=1,
        max_value=MAX_RATE,
        help_text=_("Leave empty to send as fast as each receiver answers."),
    )
    failure_percent = forms.IntegerField(
        label=_("Pause when failures exceed (%)"),
        min_value=0,
        max_value=100,
        initial=FAILURE_PERCENT,
        help_text=_("Measured over the last 50 logs. Any canary failure also pauses the bulk redelivery."),
    )

    def __init__(self, data: Any = None, *, run: Run) -> None:
        super().__init__(data)
        self.fields["lane"].choices = [(pk, pk) for pk in run.lanes]  # type: ignore[attr-defined]
        numbers = sorted({1, settings.DELIVERY_MAX_ATTEMPTS})
        self.fields["tries"].choices = [(number, _tries(number)) for number in numbers]  # type: ignore[attr-defined]
        for name in ("rate", "failure_percent"):
            self.fields[name].widget.attrs |= {"class": "input", "inputmode": "numeric"}

    def clean_stale_choice(self) -> str:
        return self.cleaned_data["stale_choice"] or SupersededPolicy.LEAVE

    @property
    def choices(self) -> PlanChoices | None:
        """The choices; None if the page should use its defaults. Invalid choices count as not chosen."""
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
    """`number`: how many logs the user saw would be sent. `typed`: the same number typed in, if there are many."""

    reason = forms.CharField(
        label=_("Reason for this redelivery"),
        max_length=200,
        help_text=_("Shown with your name in the list of bulk redeliveries and in the results."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    number = forms.IntegerField()
    typed = forms.CharField(required=False, max_length=20)

    def matches_preview(self, plan: PlanPreview) -> bool:
        """Whether the plan is still what the user saw; if not, `errors` says what changed or is wrong."""
        if not self.is_valid():
            return False
        if not plan.total:
            self.add_error(None, gettext("Nothing was started: with these choices, there is nothing to send."))
        elif plan.total != self.cleaned_data["number"]:
            self.add_error(None, gettext("Nothing was started: the numbers have changed. Check them again."))
        elif plan.total > CONFIRM_ABOVE and _BETWEEN_DIGITS.sub("", self.cleaned_data["typed"]) != str(plan.total):
            self.add_error("typed", gettext("Type the number of logs to send: %(number)s.") % {"number": plan.total})
        return not self.errors


def _tries(number: int) -> str:
    if number == 1:
        return gettext("one attempt")
    text = ngettext(
        "up to %(number)s attempt, %(seconds)s s apart",
        "up to %(number)s attempts, %(seconds)s s apart",
        number,
    )
    return text % {"number": number, "seconds": f"{settings.DELIVERY_RETRY_DELAY:g}"}
