"""The results of a bulk redelivery, page by page: every selected log, and its outcome.

Also all results as CSV, for a file that outlives the bulk redelivery: streamed, masked, and harmless in a spreadsheet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from ..models import ItemOutcome, Run, RunEntry, SkipReason, State
from ..payloads.masking import mask_text, masked_keys

RESULTS_PAGE_SIZE = 50
# The outcomes that can be shown, by their word in the URL.
SHOWN_OUTCOMES: dict[str, Q] = {
    "": Q(),
    "delivered": Q(outcome=ItemOutcome.SUCCEEDED),
    "failed": Q(outcome=ItemOutcome.FAILED),
    "skipped": Q(outcome=ItemOutcome.SKIPPED),
    "left_out": Q(outcome=ItemOutcome.LEFT_OUT),
    "waiting": Q(outcome__in=[ItemOutcome.WAITING, ItemOutcome.QUEUED]),
    "planned": Q(outcome=ItemOutcome.PLANNED),
    "stale": Q(is_stale=True) & ~Q(outcome=ItemOutcome.LEFT_OUT),
    "received": Q(before_state=State.SUCCEEDED) & ~Q(outcome=ItemOutcome.LEFT_OUT),
}
_HEAVY = ("log__search", "log__response", "log__extra", "subscription__document", "subscription__description")


class ResultsFilterForm(forms.Form):
    """The filter of the results. Strict: an unknown name or value is an error."""

    data: QueryDict
    show = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[(word, word) for word in SHOWN_OUTCOMES if word]
    )
    why = forms.ChoiceField(label=_("Reason"), required=False, choices=SkipReason.choices)
    lane = forms.RegexField(r"^[0-9a-f]{24}\Z", label=_("Subscription"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=[("last", _("Newest first"))])
    after = forms.IntegerField(label=_("After"), required=False, min_value=0, max_value=2**31 - 1)

    def clean(self) -> None:
        for name in self.data:
            if name not in self.fields:
                self.add_error(None, _("There is no filter “%(name)s”.") % {"name": name[:60]})
            elif len(self.data.getlist(name)) > 1:
                self.add_error(name, _("Only one value can be given."))

    def found_in(self, run: Run) -> QuerySet[RunEntry]:
        """The items that match, in the chosen order, after the chosen cursor."""
        chosen = self.cleaned_data
        entries = run.entries.filter(SHOWN_OUTCOMES[chosen["show"]])
        if chosen["why"]:
            entries = entries.filter(why=chosen["why"])
        if chosen["lane"]:
            entries = entries.filter(subscription=chosen["lane"])
        if chosen["after"] is not None:
            entries = entries.filter(**{"number__lt" if self.is_last_first else "number__gt": chosen["after"]})
        return entries.order_by("-number" if self.is_last_first else "number")

    @property
    def is_last_first(self) -> bool:
        return self.cleaned_data["sort"] == "last"

    @property
    def is_filtered(self) -> bool:
        return any(self.cleaned_data[name] for name in ("show", "why", "lane"))

    def address(self, **changes: str) -> str:
        """The query of the first page, with these values changed. A value of "" removes its parameter."""
        query = self.data.copy()
        query.pop("after", None)
        for name, value in changes.items():
            query.setlist(name, [value] if value else [])
        return "?" + query.urlencode()


def with_logs(entries: QuerySet[RunEntry]) -> QuerySet[RunEntry]:
    """Loads what a row shows of the log and its subscription."""
    return entries.select_related("log", "subscription").defer(*_HEAVY)


def results_page(entries: QuerySet[RunEntry]) -> tuple[list[RunEntry], int | None]:
    """The items, and the number after which the next page starts; None on the last page. One query."""
    found = list(with_logs(entries)[: RESULTS_PAGE_SIZE + 1])
    return found[:RESULTS_PAGE_SIZE], found[RESULTS_PAGE_SIZE - 1].number if len(found) > RESULTS_PAGE_SIZE else None


def latest_finished(run: Run, number: int) -> list[RunEntry]:
    """The logs that were sent or skipped last. One query."""
    return list(with_logs(run.entries.filter(settled_at__isnull=False)).order_by("-settled_at", "-number")[:number])


CSV_BATCH_SIZE = 1_000
BYTE_ORDER_MARK = "\ufeff"
CSV_COLUMNS = (
    *("run", "reason", "started_by", "started_at", "source", "filter"),
    *("number", "log", "event_at", "object", "object_name", "subscription", "subscription_name"),
    *("before_state", "before_status", "before_cause"),
    *("outcome", "why", "stale", "repair"),
    *("try", "status", "cause", "fingerprint", "queued_at", "settled_at", "duration_ms"),
)
# The columns read of each item. They are read as dicts: models with deferred fields take four times as long.
_READ = (
    *("number", "log", "log__created_at", "log__object_id", "log__object_name", "subscription", "subscription__name"),
    *("before_state", "before_status", "before_cause", "outcome", "why", "is_stale", "is_repair"),
    *("attempt_number", "status", "cause", "fingerprint", "queued_at", "settled_at", "duration_ms"),
)
# A spreadsheet takes text that starts with one of these for a formula, even after leading spaces, which it drops.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


class _Line:
    """The file that `csv` writes to. Keeps only the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def results_csv(run: Run) -> Iterator[str]:
    """Yields one line at a time, the column names first. Memory doesn't grow with the number of logs.

    The text starts with a byte order mark: without one, Excel reads UTF-8 as the charset of its country.
    """
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(CSV_COLUMNS)
    yield BYTE_ORDER_MARK + line.text
    about = _about(run)
    for entry in _entries(run):
        writer.writerow([_harmless(value) for value in (*about, *_of(entry))])
        yield line.text


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    last = 0
    while found := list(run.entries.filter(number__gt=last).order_by("number").values(*_READ)[:CSV_BATCH_SIZE]):
        yield from found
        last = found[-1]["number"]


def _about(run: Run) -> tuple[Any, ...]:
    query = mask_text(run.query, masked_keys())
    return run.pk, run.reason, run.started_by or "", _utc(run.started_at), run.source, query


def _of(entry: dict[str, Any]) -> Iterator[Any]:
    """The values as they are written, in the order of the columns."""
    for name, value in entry.items():
        if name == "log__object_name":
            yield "" if masked_keys().matches("name") else value
        elif name == "fingerprint":
            yield mask_text(value, masked_keys())
        elif isinstance(value, bool):
            yield "yes" if value else "no"
        elif isinstance(value, datetime):
            yield _utc(value)
        else:
            yield value


def _utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if moment else ""


def _harmless(value: Any) -> str:
    """A leading apostrophe turns a would-be formula into text."""
    text = "" if value is None else str(value)
    is_formula = text[:1] in ("\t", "\r", "\n") or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if is_formula else text
