"""The choices of a plan, and the form that starts it: what the user saw, and the reason."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import BulkRedelivery, RolloutPolicy, SupersededPolicy
from ..redelivery.preview import PlanChoices, PlanPreview
from ..redelivery.recovery import NO_QUEUES, BlockedQueues
from .base import StrictForm

CONFIRM_ABOVE = 1_000  # logs: above this, a click alone doesn't start it
MAX_RATE = 1_000  # logs per second
FAILURE_PERCENT = 20
KEPT_CHOICES = "superseded_policy", "includes_delivered", "rollout", "max_attempts", "rate", "failure_percent"
QUEUE_FIELDS = "retry", "resume"
MAX_KEPT_LENGTH = 1_500  # characters
_BETWEEN_DIGITS = re.compile(r"[\s.,'’]")


class BulkChoicesForm(forms.Form):
    """`BulkChoicesForm(request.POST, bulk=bulk)`; unbound, it holds the page's initial choices.

    Call `is_valid()` before `choices`.
    """

    subscriptions = forms.MultipleChoiceField(label=_("Subscriptions"), required=False)
    # Two fields: a queue may have been paused since the person chose to retry it.
    retry = forms.MultipleChoiceField(label=_("Queues"), required=False)
    resume = forms.MultipleChoiceField(label=_("Queues"), required=False)
    superseded_policy = forms.ChoiceField(
        label=_("Superseded logs"), required=False, choices=SupersededPolicy.choices, initial=SupersededPolicy.EXCLUDE
    )
    includes_delivered = forms.BooleanField(label=_("Delivered logs"), required=False)
    rollout = forms.ChoiceField(label=_("Canary"), choices=RolloutPolicy.choices, initial=RolloutPolicy.STAGES)
    max_attempts = forms.TypedChoiceField(label=_("Attempts per log"), coerce=int, initial=1)
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

    def __init__(self, data: Any = None, *, bulk: BulkRedelivery, queues: BlockedQueues | None = None) -> None:
        super().__init__(data)
        self.queues = queues or NO_QUEUES
        queue_choices = [(pk, pk) for pk in (bulk.incident.subscription_ids if bulk.incident else [])]
        for name in QUEUE_FIELDS:
            self.fields[name].choices = queue_choices  # type: ignore[attr-defined]
        subscription_choices = [(pk, pk) for pk in bulk.selected_subscriptions]
        self.fields["subscriptions"].choices = subscription_choices  # type: ignore[attr-defined]
        numbers = sorted({1, settings.DELIVERY_MAX_ATTEMPTS})
        attempts_choices = [(number, _attempts_label(number)) for number in numbers]
        self.fields["max_attempts"].choices = attempts_choices  # type: ignore[attr-defined]
        for name in ("rate", "failure_percent"):
            self.fields[name].widget.attrs |= {"class": "input", "inputmode": "numeric"}

    def clean_superseded_policy(self) -> str:
        return self.cleaned_data["superseded_policy"] or SupersededPolicy.EXCLUDE

    @property
    def choices(self) -> PlanChoices | None:
        """The choices; None if the page should use its defaults. Invalid choices count as not chosen."""
        if not self.is_bound:
            return None
        self.is_valid()
        chosen = self.cleaned_data
        return PlanChoices(
            selected_subscriptions=frozenset(chosen.get("subscriptions", ())),
            superseded_policy=chosen.get("superseded_policy", SupersededPolicy.EXCLUDE),
            includes_delivered=chosen.get("includes_delivered", False),
            rollout=chosen.get("rollout", RolloutPolicy.STAGES),
            rate=chosen.get("rate"),
        )

    @property
    def chosen_queues(self) -> BlockedQueues:
        """The blocked queues to retry or resume; at first all of them. Call `is_valid()` before."""
        if not self.is_bound:
            return self.queues
        return self.queues.chosen(*(self.cleaned_data.get(name, ()) for name in QUEUE_FIELDS))

    def query_string(self, plan: PlanPreview) -> str:
        """Of the plan's URL: the choices that differ from the initial ones. Invalid ones aren't kept.

        A URL has no room for hundreds of subscriptions: then it is empty, and means the initial choices.
        """
        pairs = [
            (name, "on" if value is True else str(value))
            for name, value in self.cleaned_data.items()
            if name in KEPT_CHOICES and value is not None and value != (self.fields[name].initial or False)
        ]
        chosen = plan.choices.selected_subscriptions
        without = [pk for pk, queue in plan.queues.items() if queue.possible and pk not in chosen]
        blocked = [pk for pk in self.queues.ids if pk not in self.chosen_queues.ids]
        query = urlencode([*pairs, *(("without", pk) for pk in without), *(("blocked", pk) for pk in blocked)])
        return f"?{query}" if query and len(query) <= MAX_KEPT_LENGTH else ""


class PlanQueryForm(BulkChoicesForm, StrictForm):
    """The choices in the URL of a plan, so that Back, a reload and a link keep them: `?superseded_policy=send&without=6268…`.

    Unbound without a query. What the query doesn't have is as at first. `without`: subscriptions that are not selected.
    `blocked`: queues that are neither retried nor resumed.
    """

    without = forms.MultipleChoiceField(label=_("Subscriptions"), required=False)
    blocked = forms.MultipleChoiceField(label=_("Queues"), required=False)

    def __init__(self, query: QueryDict, *, bulk: BulkRedelivery, queues: BlockedQueues | None = None) -> None:
        super().__init__(self._with_initial(query, bulk) if query else None, bulk=bulk, queues=queues)
        self.fields["blocked"].choices = self.fields["retry"].choices  # type: ignore[attr-defined]
        self.fields["without"].choices = self.fields["subscriptions"].choices  # type: ignore[attr-defined]

    def _with_initial(self, query: QueryDict, bulk: BulkRedelivery) -> QueryDict:
        data = query.copy()
        for name in KEPT_CHOICES:
            if name not in query and self.base_fields[name].initial is not None:
                data[name] = str(self.base_fields[name].initial)
        if "subscriptions" not in query:
            excluded_ids = query.getlist("without")
            data.setlist("subscriptions", [pk for pk in bulk.selected_subscriptions if pk not in excluded_ids])
        if bulk.incident and not any(name in query for name in QUEUE_FIELDS):
            unblocked = set(bulk.incident.subscription_ids) - set(query.getlist("blocked"))
            for name in QUEUE_FIELDS:
                data.setlist(name, sorted(unblocked))
        return data

    def clean_includes_delivered(self) -> bool:
        if self.data.get("includes_delivered") not in (None, "on"):
            raise forms.ValidationError(gettext("The only value is “on”."))
        return self.cleaned_data["includes_delivered"]


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
        if not plan.total and not plan.settled and not self.chosen_queues.ids:
            self.add_error(None, gettext("Nothing was started: with these choices, there is nothing to send."))
        elif plan.total != self.cleaned_data["number"]:
            self.add_error(None, gettext("Nothing was started: the numbers have changed. Check them again."))
        elif plan.total > CONFIRM_ABOVE and _BETWEEN_DIGITS.sub("", self.cleaned_data["typed"]) != str(plan.total):
            self.add_error("typed", gettext("Type the number of logs to send: %(number)s.") % {"number": plan.total})
        return not self.errors


def _attempts_label(number: int) -> str:
    if number == 1:
        return gettext("one attempt")
    text = ngettext(
        "up to %(number)s attempt, %(seconds)s s apart",
        "up to %(number)s attempts, %(seconds)s s apart",
        number,
    )
    return text % {"number": number, "seconds": f"{settings.DELIVERY_RETRY_DELAY:g}"}
