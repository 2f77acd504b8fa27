"""The filter of the log explorer and of the export. Strict: an unknown filter or an invalid value finds nothing and says so.

django-filter by itself returns *all* rows then, which would be a disaster under a bulk action.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import django_filters
from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .counting import Count, bounded_count
from .models import Cause, Company, State, Subscription, WebhookLog
from .querysets import WebhookLogQuerySet
from .search import logs_matching

RANGES = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
STATUS_CLASSES = {
    "success": Q(status__range=(200, 209)),
    "2xx": Q(status__range=(210, 299)),
    "3xx": Q(status__range=(300, 399)),
    "4xx": Q(status__range=(400, 499)),
    "5xx": Q(status__range=(500, 599)),
    "none": Q(status=None),
    "other": Q(status__lt=200) | Q(status__gt=599),
}
EVENT_TYPES = {
    "COTUser": _("User"),
    "COTTask": _("Task"),
    "COTSurvey": _("Survey"),
    "COTProperty": _("Element"),
    "COTNote": _("Note"),
    "Auth": _("Login"),
    "other": _("Something else"),
}
ACTIONS = {
    "create": _("create"),
    "edit": _("edit"),
    "delete": _("delete"),
    "logout": _("logout"),
    "other": _("something else"),
}
MOMENT_FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]
NOT_FILTERS = {"after"}  # the place in the list


@dataclass(frozen=True)
class ActiveFilter:
    """One value that is filtered by, in words, and the query without it."""

    label: str
    text: str
    rest: QueryDict

    @property
    def address(self) -> str:
        return "?" + self.rest.urlencode()


class MomentField(forms.DateTimeField):
    """A date and time in the person's zone."""

    default_error_messages = {"invalid": _("Write a date as 2026-04-13 or 2026-04-13 22:30.")}

    def __init__(self, **kwargs) -> None:
        super().__init__(input_formats=MOMENT_FORMATS, **kwargs)

    def to_python(self, value):
        moment = super().to_python(value)
        if moment is not None and not 1970 <= moment.year <= 2105:
            raise forms.ValidationError(_("Choose a year from 1970 to 2105."), code="invalid")
        return moment


class MomentFilter(django_filters.Filter):
    field_class = MomentField


def _choices(name: str, label, choices, **kwargs) -> django_filters.MultipleChoiceFilter:
    return django_filters.MultipleChoiceFilter(field_name=name, label=label, choices=choices, distinct=False, **kwargs)


class WebhookLogFilter(django_filters.FilterSet):
    """`WebhookLogFilter(request.GET, user=request.user)`; `.qs` is empty unless `.is_valid()`."""

    q = django_filters.CharFilter(method="search", label=_("Words"), max_length=500)
    range = django_filters.ChoiceFilter(method="within_range", label=_("Range"), choices=[(key, key) for key in RANGES])
    since = MomentFilter(field_name="created_at", lookup_expr="gte", label=_("From"))
    until = MomentFilter(field_name="created_at", lookup_expr="lt", label=_("To"))
    state = _choices("state", _("State"), State.choices)
    result = django_filters.ChoiceFilter(
        method="with_result", label=_("Result"), choices=[("SUCCESS", "SUCCESS"), ("FAILED", "FAILED")]
    )
    cause = _choices("cause", _("Cause"), Cause.choices)
    status = django_filters.MultipleChoiceFilter(
        method="in_status_class",
        label=_("Status"),
        choices=[
            ("success", "200–209"),
            ("2xx", "210–299"),
            ("3xx", "3xx"),
            ("4xx", "4xx"),
            ("5xx", "5xx"),
            ("none", _("no status")),
            ("other", _("other")),
        ],
    )
    type = _choices("event_type", _("Event"), list(EVENT_TYPES.items()), method="known_or_other")
    action = _choices("action", _("Action"), list(ACTIONS.items()), method="known_or_other")
    subscription = django_filters.ModelMultipleChoiceFilter(
        label=_("Subscription"), queryset=lambda request: Subscription.objects.none(), distinct=False
    )
    company = django_filters.ModelMultipleChoiceFilter(
        field_name="subscription__company",
        label=_("Company"),
        queryset=lambda request: Company.objects.none(),
        distinct=False,
    )

    class Meta:
        model = WebhookLog
        fields: list[str] = []

    def __init__(self, data: QueryDict, *, user=None) -> None:
        """`user` None stands for the command line, which sees everything."""
        visible = WebhookLog.objects.all() if user is None else WebhookLog.objects.visible_to(user)
        self.subscriptions = Subscription.objects.all() if user is None else Subscription.objects.visible_to(user)
        self.companies = Company.objects.all() if user is None else Company.objects.visible_to(user)
        self.user = user
        super().__init__(data, visible)
        self.form.fields["subscription"].queryset = self.subscriptions.only("name")
        self.form.fields["company"].queryset = self.companies

    @cached_property
    def problems(self) -> dict[str, list[str]]:
        """What is wrong, by the label of the filter; empty where all is right."""
        found = {
            str(self.form.fields[name].label): errors for name, errors in self.form.errors.items() if name != "__all__"
        }
        for name in self.data:
            if name not in self.filters and name not in NOT_FILTERS:
                found[name[:60]] = [_("There is no such filter.")]
            elif name in self.filters and not _takes_several(self.filters[name]) and len(self.data.getlist(name)) > 1:
                found[str(self.form.fields[name].label)] = [_("Only one value can be given.")]
        since, until = (self.form.cleaned_data.get(name) for name in ("since", "until"))
        if since and until and since >= until:
            found[str(_("To"))] = [_("This is not after “From”.")]
        return found

    def is_valid(self) -> bool:
        return not self.problems

    @property
    def is_filtered(self) -> bool:
        return any(value for name in self.filters for value in self.data.getlist(name))

    @cached_property
    def active(self) -> list[ActiveFilter]:
        """What is filtered by, value by value, in the order of the address."""
        found = []
        for name in self.data:
            for value in self.data.getlist(name):
                if value and name in self.filters:
                    found.append(
                        ActiveFilter(
                            str(self.form.fields[name].label), self._text(name, value), self._without(name, value)
                        )
                    )
        return found

    def _text(self, name: str, value: str) -> str:
        choices = {"subscription": self.subscriptions, "company": self.companies}
        if name in choices:
            chosen = choices[name].filter(pk=value.lower()).first()
            return str(chosen) if chosen else value
        return str(dict(getattr(self.form.fields[name], "choices", ())).get(value, value))

    def _without(self, name: str, value: str) -> QueryDict:
        rest = self.data.copy()
        rest.setlist(name, [other for other in rest.getlist(name) if other != value])
        rest.pop("after", None)
        return rest

    def counts_without_each(self) -> list[tuple[ActiveFilter, Count]]:
        """For an empty result: how many logs there would be without each filter, best first."""
        counted = [(one, bounded_count(WebhookLogFilter(one.rest, user=self.user).qs)) for one in self.active]
        return sorted((pair for pair in counted if pair[1]), key=lambda pair: -(pair[1].number or 0))

    @property
    def qs(self) -> WebhookLogQuerySet:
        return super().qs if self.is_valid() else self.queryset.none()

    def search(self, logs: WebhookLogQuerySet, name: str, value: str) -> WebhookLogQuerySet:
        return logs.filter(logs_matching(value))

    def within_range(self, logs: WebhookLogQuerySet, name: str, value: str) -> WebhookLogQuerySet:
        return logs.since(timezone.now() - RANGES[value])

    def with_result(self, logs: WebhookLogQuerySet, name: str, value: str) -> WebhookLogQuerySet:
        return logs.succeeded() if value == "SUCCESS" else logs.failed()

    def in_status_class(self, logs: WebhookLogQuerySet, name: str, values: list[str]) -> WebhookLogQuerySet:
        chosen = Q()
        for value in values:
            chosen |= STATUS_CLASSES[value]
        return logs.filter(chosen)

    def known_or_other(self, logs: WebhookLogQuerySet, name: str, values: list[str]) -> WebhookLogQuerySet:
        """Cotalker may add types and actions; those that we do not know are found as "other"."""
        known = EVENT_TYPES if name == "event_type" else ACTIONS
        chosen = Q(**{f"{name}__in": values})
        if "other" in values:
            chosen |= ~Q(**{f"{name}__in": list(known)})
        return logs.filter(chosen)


def _takes_several(one: django_filters.Filter) -> bool:
    return isinstance(one, django_filters.MultipleChoiceFilter)
