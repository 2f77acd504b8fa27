"""The form behind every way to create a plan: which logs to redeliver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..logsearch.filterset import WebhookLogFilterSet
from ..logsearch.finder import Finder
from ..logsearch.query_params import list_url
from ..logsearch.stats import LogStats
from ..models import BulkRedelivery, Incident, SelectionSource
from ..redelivery.drafts import QUICK_PLAN_LIMIT, Selection
from ..redelivery.recovery import failed_logs_of
from ..redelivery.selection import MAX_SELECTED, extract_ids, freeze_query, items_still_failing
from ..templatetags.ui import humanbytes

MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_QUERY_LENGTH = 4000
QUICK_SEARCH_SECONDS = 2_000  # logs: a text search has to read each of them


class SelectionForm(forms.Form):
    """`SelectionForm(request.POST, request.FILES, user=request.user)`; once it is valid, `.selection` holds what was selected.

    Strict: anything unknown, invalid or missing is an error, never "everything".
    """

    data: QueryDict
    selection: Selection

    source = forms.ChoiceField(choices=SelectionSource.choices)
    ids = forms.CharField(
        label=_("Ids"),
        required=False,
        widget=forms.Textarea(attrs={"class": "input", "rows": 10, "autocomplete": "off", "spellcheck": "false"}),
    )
    file = forms.FileField(label=_("Or a file that contains them"), required=False, allow_empty_file=True)
    bulk = forms.ModelChoiceField(BulkRedelivery.objects.none(), required=False)
    incident = forms.ModelChoiceField(Incident.objects.none(), required=False)

    def __init__(self, *args: Any, user, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["bulk"].queryset = BulkRedelivery.objects.visible_to(user).started()  # type: ignore[attr-defined]
        self.fields["incident"].queryset = Incident.objects.visible_to(user)  # type: ignore[attr-defined]

    def clean(self) -> None:
        ways = {
            SelectionSource.FILTER: self._filtered,
            SelectionSource.SELECTED: self._selected,
            SelectionSource.IDS: self._listed,
            SelectionSource.STILL_FAILING: self._still_failing,
            SelectionSource.INCIDENT: self._of_incident,
        }
        if not self.errors:
            self.selection = ways[SelectionSource(self.cleaned_data["source"])]()

    def _filtered(self) -> Selection:
        if "query" not in self.data:
            raise ValidationError(gettext("The filter is missing. Load the page again."))
        if self.data.get("since") == "":
            raise ValidationError(gettext("Enter a start time."))
        filterset = WebhookLogFilterSet(self.filter_query, user=self.user)
        if filterset.problems:
            raise ValidationError(
                [f"{label}: {error}" for label, errors in filterset.problems.items() for error in errors]
            )
        figures = LogStats(Finder(filterset.criteria))
        number = figures.total.number or 0
        if not number and figures.is_exact:
            raise ValidationError(gettext("No log matches the filter."))
        query = freeze_query(self.filter_query, filterset.criteria)
        if len(query) > MAX_QUERY_LENGTH:
            raise ValidationError(gettext("The filter is too long to save with the plan. Choose fewer values."))
        is_known = (
            _at_most(number) <= (QUICK_PLAN_LIMIT if filterset.criteria.uses_dimensions_only else QUICK_SEARCH_SECONDS)
            and figures.is_exact
        )
        return Selection(SelectionSource.FILTER, query=query, number=number if is_known else None)

    def _selected(self) -> Selection:
        return self._of_ids(SelectionSource.SELECTED, self.data.getlist("log"), gettext("No logs are selected."))

    def _listed(self) -> Selection:
        texts = [self.cleaned_data["ids"], _text_of(self.cleaned_data["file"])]
        ids = [pk for text in texts for pk in extract_ids(text)]
        nothing = gettext("No ids found. A log’s id has 24 characters: digits and the letters a to f.")
        if not any(texts):
            nothing = gettext("Paste log ids, or choose a file that contains them.")
        return self._of_ids(SelectionSource.IDS, ids, nothing)

    def _still_failing(self) -> Selection:
        bulk = self.cleaned_data["bulk"]
        if bulk is None:
            raise ValidationError(gettext("The bulk redelivery is missing. Load the page again."))
        number = items_still_failing(bulk).order_by()[: QUICK_PLAN_LIMIT + 1].count()
        if not number:
            raise ValidationError(gettext("No log of this bulk redelivery is still failing."))
        return Selection(SelectionSource.STILL_FAILING, parent=bulk, number=number)

    def _of_incident(self) -> Selection:
        """An incident without failed logs may still have queues to retry or resume."""
        incident = self.cleaned_data["incident"]
        if incident is None:
            raise ValidationError(gettext("The incident is missing. Load the page again."))
        number = failed_logs_of(incident, self.user).order_by()[: MAX_SELECTED + 1].count()
        return Selection(SelectionSource.INCIDENT, incident=incident, number=_at_most(number))

    def _of_ids(self, source: SelectionSource, ids: Sequence[str], nothing: str) -> Selection:
        unique = tuple(dict.fromkeys(pk.lower() for pk in ids if pk))
        if not unique:
            raise ValidationError(nothing)
        return Selection(source, ids=unique, number=_at_most(len(unique)))

    @property
    def filter_query(self) -> QueryDict:
        """The filter, with the start time that a form without JavaScript sends separately."""
        query = QueryDict(self.data.get("query", ""), mutable=True)
        if since := self.data.get("since"):
            query["since"] = since
        return query

    @property
    def limit(self) -> str:
        return humanbytes(MAX_FILE_BYTES)

    @property
    def most(self) -> str:
        return _grouped(MAX_SELECTED)

    @property
    def way_back(self) -> str:
        """The URL where the selection can be corrected: the filtered logs, the bulk redelivery, or all logs."""
        chosen = getattr(self, "cleaned_data", {})
        if source := chosen.get("bulk") or chosen.get("incident"):
            return source.get_absolute_url()
        return list_url(self.filter_query) if self.data.get("query") else reverse("logs:webhook_log_list")


def _at_most(number: int) -> int:
    if number > MAX_SELECTED:
        text = gettext(
            "You selected %(number)s logs; a plan can have at most %(most)s. Choose a shorter time range or fewer logs."
        )
        raise ValidationError(text % {"number": _grouped(number), "most": _grouped(MAX_SELECTED)})
    return number


def _text_of(file: UploadedFile | None) -> str:
    if file is None:
        return ""
    if (file.size or 0) > MAX_FILE_BYTES:
        raise ValidationError(gettext("The file is larger than %(limit)s.") % {"limit": humanbytes(MAX_FILE_BYTES)})
    data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = gettext("Line %(line)s of the file is not UTF-8 text. Save it as plain text, CSV or JSON.")
        raise ValidationError(text % {"line": _grouped(line)}) from error


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
