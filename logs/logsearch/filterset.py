"""The filter of the log explorer and of the export. Strict: an unknown filter or an invalid value finds nothing and says so.

django-filter by itself would return *all* rows, which would be a disaster in a bulk action.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import django_filters
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..models import Cause, Company, EventAction, EventType, State, Subscription, WebhookLog
from ..payloads.masking import masked_keys
from ..stats.buckets import bucket_floor, end_of_range
from ..stats.period import TIME_RANGES
from ..stats.queries import visible_ids
from .compiler import CompiledQuery
from .criteria import SearchCriteria
from .fields import CONDITIONS
from .filter_fields import LocalDateTimeFilter, StatusFilter
from .query_language import parse_search
from .query_params import CURSOR_PARAMS, format_local, list_url, search_in_local_time, without_value

EVENT_TYPES = dict(EventType.choices) | {"other": _("Other")}
ACTIONS = dict(EventAction.choices) | {"other": _("other action")}
STATUS_LABELS = {
    "success": "200–209",
    "2xx": "210–299",
    "3xx": "3xx",
    "4xx": "4xx",
    "5xx": "5xx",
    "none": _("no status"),
    "other": _("other"),
}
NON_FILTER_PARAMS = {*CURSOR_PARAMS, "sort"}


@dataclass(frozen=True)
class ActiveFilter:
    """One value that is filtered by, or excluded: in words, and the query without it."""

    label: str
    text: str
    is_excluded: bool
    rest: QueryDict

    @property
    def address(self) -> str:
        return list_url(self.rest)


def _choices(label, choices) -> django_filters.MultipleChoiceFilter:
    return django_filters.MultipleChoiceFilter(label=label, choices=choices)


def _subscriptions(label) -> django_filters.ModelMultipleChoiceFilter:
    return django_filters.ModelMultipleChoiceFilter(label=label, queryset=lambda request: Subscription.objects.none())


class WebhookLogFilterSet(django_filters.FilterSet):
    """`WebhookLogFilterSet(request.GET, user=request.user)`. If it `.is_valid()`, its search is in `.criteria`."""

    q = django_filters.CharFilter(label=pgettext_lazy("a filter", "Search"), max_length=500)
    range = django_filters.ChoiceFilter(label=_("Range"), choices=[(key, key) for key in TIME_RANGES])
    since = LocalDateTimeFilter(label=_("From"))
    until = LocalDateTimeFilter(label=_("To"), is_end=True)
    state = _choices(_("State"), State.choices)
    not_state = _choices(_("State is not"), State.choices)
    result = django_filters.ChoiceFilter(label=_("Result"), choices=[("SUCCESS", "SUCCESS"), ("FAILED", "FAILED")])
    cause = _choices(_("Cause"), Cause.choices)
    not_cause = _choices(_("Cause is not"), Cause.choices)
    status = StatusFilter(label=_("Status"), choices=list(STATUS_LABELS.items()))
    not_status = StatusFilter(label=_("Status is not"), choices=list(STATUS_LABELS.items()))
    type = _choices(_("Event"), list(EVENT_TYPES.items()))
    not_type = _choices(_("Event is not"), list(EVENT_TYPES.items()))
    action = _choices(_("Action"), list(ACTIONS.items()))
    not_action = _choices(_("Action is not"), list(ACTIONS.items()))
    subscription = _subscriptions(_("Subscription"))
    not_subscription = _subscriptions(_("Subscription is not"))
    fingerprint = django_filters.CharFilter(label=_("Similar failures"), max_length=120, strip=False)
    company = django_filters.ModelMultipleChoiceFilter(
        label=_("Company"), queryset=lambda request: Company.objects.none()
    )

    class Meta:
        model = WebhookLog
        fields: list[str] = []

    def __init__(self, data: QueryDict, *, user=None) -> None:
        """`user` None means the command line, which sees everything."""
        self.subscriptions = Subscription.objects.all() if user is None else Subscription.objects.visible_to(user)
        self.companies = Company.objects.all() if user is None else Company.objects.visible_to(user)
        self.user = user
        super().__init__(data, WebhookLog.objects.none())

    @cached_property
    def form(self):
        """Validated on first access, so that nobody reads unchecked values."""
        form = super().form
        for name in ("subscription", "not_subscription"):
            form.fields[name].queryset = self.subscriptions.only("name")
        form.fields["company"].queryset = self.companies
        form.full_clean()
        return form

    def get_form_class(self):
        """One class for all instances: each form has copies of its fields."""
        if "form_class" not in vars(WebhookLogFilterSet):
            WebhookLogFilterSet.form_class = super().get_form_class()
        return WebhookLogFilterSet.form_class

    @cached_property
    def problems(self) -> dict[str, list[str]]:
        """What is wrong, by the filter's label; empty if all is right."""
        problems = {
            str(self.form.fields[name].label): errors for name, errors in self.form.errors.items() if name != "__all__"
        }
        for name in self.data:
            if name not in self.filters and name not in NON_FILTER_PARAMS:
                problems[name[:60]] = [_("There is no such filter.")]
            elif name in self.filters and not _takes_several(self.filters[name]) and len(self.data.getlist(name)) > 1:
                problems[str(self.form.fields[name].label)] = [_("Only one value can be given.")]
        if "q" not in self.form.errors and self.searched.problems:
            problems[str(self.form.fields["q"].label)] = [problem.message for problem in self.searched.problems]
        since, until = (self.form.cleaned_data.get(name) for name in ("since", "until"))
        if since and until and since >= until:
            problems[str(_("To"))] = [_("This must be after “From”.")]
        return problems

    def is_valid(self) -> bool:
        return not self.problems

    @property
    def is_filtered(self) -> bool:
        return any(value for name in self.filters for value in self.data.getlist(name))

    @cached_property
    def active(self) -> list[ActiveFilter]:
        """The active filters, value by value, in the order of the URL."""
        active = []
        for name in self.data:
            for value in self.data.getlist(name):
                if value and name in self.filters:
                    active.append(self._active(name, value))
        return active

    def _active(self, name: str, value: str) -> ActiveFilter:
        base = name.removeprefix("not_")
        label = str(self.form.fields[base].label)
        return ActiveFilter(label, self._text(name, value), name != base, without_value(self.data, name, value))

    def _text(self, name: str, value: str) -> str:
        if isinstance(self.filters[name], django_filters.ModelMultipleChoiceFilter):
            chosen = {row.pk: str(row) for row in self._chosen(name)}
            return chosen.get(value.lower(), value)
        if name in ("since", "until"):
            return self._written_time(name)
        if name == "q":
            return search_in_local_time(value)
        return value_in_words(name, value)

    @property
    def since_written(self) -> str:
        return self._written_time("since")

    @property
    def until_written(self) -> str:
        return self._written_time("until")

    @property
    def search_written(self) -> str:
        return search_in_local_time(self.data.get("q", ""))

    @property
    def since_problems(self) -> list[str]:
        return self.problems.get(str(self.form.fields["since"].label), [])

    @property
    def until_problems(self) -> list[str]:
        return self.problems.get(str(self.form.fields["until"].label), [])

    def _written_time(self, name: str) -> str:
        """In the reader's time zone; as typed if it isn't a valid time."""
        moment = self.form.cleaned_data.get(name)
        return format_local(moment) if moment else self.data.get(name, "")

    def _chosen(self, name: str) -> Sequence[Subscription | Company]:
        """What the form has found; nothing if one of the values is wrong."""
        return () if name in self.form.errors else self.form.cleaned_data[name]

    @property
    def qs(self):
        raise TypeError("the queryset does not include the search query: pass .criteria to a Finder")

    @cached_property
    def searched(self) -> CompiledQuery:
        """What the search box searches for, and what is wrong with it."""
        return CompiledQuery(parse_search(self.data.get("q", ""), masked_keys()), self.subscriptions)

    @cached_property
    def criteria(self) -> SearchCriteria:
        """Raises ValueError unless the filter is valid: an invalid filter must never match everything."""
        if not self.is_valid():
            raise ValueError("the filter is not valid")
        chosen = self.form.cleaned_data
        until = self._until(chosen)
        return SearchCriteria(
            subscriptions=self._visible(chosen["company"]),
            since=self._since(chosen),
            until=until,
            is_until_now=until is not None and until != chosen["until"],
            kinds=dict(self._kinds(chosen)) | self.searched.kinds,
            rest=self.searched.rest,
            few=self.searched.few,
            terms=tuple(self.searched.words),
        )

    def _visible(self, companies: Sequence[Company]) -> list[str] | None:
        if companies:
            return list(self.subscriptions.filter(company__in=companies).values_list("pk", flat=True))
        return None if self.user is None else visible_ids(self.user)

    def _since(self, chosen: dict) -> datetime | None:
        """The later of the two starts. A range starts at a bucket, so that counts and list agree."""
        starts = [chosen["since"]] if chosen["since"] else []
        if chosen["range"]:
            starts.append(bucket_floor(timezone.now() - TIME_RANGES[chosen["range"]]))
        return max(starts, default=None)

    def _until(self, chosen: dict) -> datetime | None:
        """The earlier of the two ends. Logs dated in the future are in no range."""
        ends = [chosen["until"]] if chosen["until"] else []
        if chosen["range"]:
            ends.append(end_of_range(timezone.now()))
        return min(ends, default=None)

    def _kinds(self, chosen: dict) -> Iterator[tuple[str, Q]]:
        for name, condition in CONDITIONS.items():
            included, excluded = chosen[name], chosen.get(f"not_{name}")
            if included or excluded:
                values = [included] if isinstance(included, str) else included
                yield name, (condition(values) if included else Q()) & (~condition(excluded) if excluded else Q())


def value_in_words(name: str, value: str) -> str:
    """A value of a filter as its chip shows it. A value that isn't one of the filter's choices is unchanged."""
    return str(dict(WebhookLogFilterSet.base_filters[name].extra.get("choices", ())).get(value, value))


def _takes_several(filter_: django_filters.Filter) -> bool:
    return isinstance(filter_, django_filters.MultipleChoiceFilter)
