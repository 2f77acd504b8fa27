"""The results of a bulk redelivery, page by page: every selected log, and its outcome.

Also all results as CSV, for a file that outlives the bulk redelivery: streamed, masked, and harmless in a spreadsheet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from ..models import BulkRedelivery, BulkRedeliveryItem, ItemOutcome, SkipReason, State
from ..payloads.masking import mask_text, masked_keys

RESULTS_PAGE_SIZE = 50
# The outcomes that can be shown, by their word in the URL.
SHOWN_OUTCOMES: dict[str, Q] = {
    "": Q(),
    "delivered": Q(outcome=ItemOutcome.DELIVERED),
    "failed": Q(outcome=ItemOutcome.FAILED),
    "skipped": Q(outcome=ItemOutcome.SKIPPED),
    "excluded": Q(outcome=ItemOutcome.EXCLUDED),
    "waiting": Q(outcome__in=[ItemOutcome.WAITING, ItemOutcome.QUEUED]),
    "planned": Q(outcome=ItemOutcome.PLANNED),
    "superseded": Q(is_superseded=True) & ~Q(outcome=ItemOutcome.EXCLUDED),
    "delivered_before": Q(before_state=State.DELIVERED) & ~Q(outcome=ItemOutcome.EXCLUDED),
}
_ON_ITEMS_TO_SEND = ("planned", "superseded", "delivered_before")  # of a plan
_HEAVY = ("log__search", "log__response", "log__extra", "subscription__document", "subscription__description")


def is_elsewhere() -> Exists:
    """Whether another bulk redelivery has the item's log. Of a plan, such an item counts as excluded, as in `preview.py`."""
    return Exists(BulkRedeliveryItem.objects.open().filter(log=OuterRef("log")))


def outcome_condition(bulk: BulkRedelivery, word: str) -> Q:
    """The items with this outcome, by its word in the URL."""
    condition = SHOWN_OUTCOMES[word]
    if bulk.is_plan and word == "excluded":
        return condition | Q(outcome=ItemOutcome.PLANNED) & Q(is_elsewhere())
    if bulk.is_plan and word in _ON_ITEMS_TO_SEND:
        return condition & ~Q(is_elsewhere())
    return condition


def reason_condition(bulk: BulkRedelivery, reason: str) -> Q:
    """The items that are excluded or were skipped for this reason."""
    condition = Q(skip_reason=reason)
    if bulk.is_plan and reason == SkipReason.OTHER_BULK_REDELIVERY:
        return condition | Q(outcome=ItemOutcome.PLANNED) & Q(is_elsewhere())
    return condition


def count_outcomes(bulk: BulkRedelivery, items: QuerySet[BulkRedeliveryItem], words: Iterable[str]) -> dict[str, int]:
    """How many of the items each word shows. One query, so that no number differs from the rows behind it."""
    counts = {f"shown_{word}": Count("pk", filter=outcome_condition(bulk, word)) for word in words}
    return {name.removeprefix("shown_"): number for name, number in items.order_by().aggregate(**counts).items()}


def with_logs(items: QuerySet[BulkRedeliveryItem]) -> QuerySet[BulkRedeliveryItem]:
    """Loads what a row shows of the log and its subscription."""
    return items.select_related("log", "subscription").defer(*_HEAVY)


def results_page(
    bulk: BulkRedelivery, items: QuerySet[BulkRedeliveryItem]
) -> tuple[list[BulkRedeliveryItem], int | None]:
    """The items, and the number after which the next page starts; None on the last page. One query."""
    if bulk.is_plan:
        items = items.annotate(is_elsewhere=is_elsewhere())
    rows = list(with_logs(items)[: RESULTS_PAGE_SIZE + 1])
    for item in rows:
        if bulk.is_plan and item.outcome == ItemOutcome.PLANNED and item.is_elsewhere:  # type: ignore[attr-defined]
            item.outcome, item.skip_reason = ItemOutcome.EXCLUDED, SkipReason.OTHER_BULK_REDELIVERY
    next_after = rows[RESULTS_PAGE_SIZE - 1].number if len(rows) > RESULTS_PAGE_SIZE else None
    return rows[:RESULTS_PAGE_SIZE], next_after


def latest_finished(bulk: BulkRedelivery, number: int) -> list[BulkRedeliveryItem]:
    """The logs that were sent or skipped last. One query."""
    return list(with_logs(bulk.items.filter(finished_at__isnull=False)).order_by("-finished_at", "-number")[:number])


CSV_BATCH_SIZE = 1_000
BYTE_ORDER_MARK = "\ufeff"
CSV_COLUMNS = (
    *("run", "reason", "started_by", "started_at", "source", "filter"),
    *("number", "log", "event_at", "object", "object_name", "subscription", "subscription_name"),
    *("before_state", "before_status", "before_cause"),
    *("outcome", "skip_reason", "stale", "repair"),
    *("attempt", "status", "cause", "fingerprint", "queued_at", "finished_at", "duration_ms"),
)
# The columns read of each item. They are read as dicts: models with deferred fields take four times as long.
_READ = (
    *("number", "log", "log__created_at", "log__object_id", "log__object_name", "subscription", "subscription__name"),
    *("before_state", "before_status", "before_cause"),
    *("outcome", "skip_reason", "is_superseded", "is_latest_resend"),
    *("attempt_number", "status", "cause", "fingerprint", "queued_at", "finished_at", "duration_ms"),
)
# A spreadsheet takes text that starts with one of these for a formula, even after leading spaces, which it drops.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


class _Line:
    """The file that `csv` writes to. Keeps only the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def results_csv(bulk: BulkRedelivery) -> Iterator[str]:
    """Yields one line at a time, the column names first. Memory doesn't grow with the number of logs.

    The text starts with a byte order mark: without one, Excel reads UTF-8 as the charset of its country.
    """
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(CSV_COLUMNS)
    yield BYTE_ORDER_MARK + line.text
    of_bulk = _values_of_bulk(bulk)
    for item in _items(bulk):
        writer.writerow([_harmless(value) for value in (*of_bulk, *_values_of_item(item))])
        yield line.text


def _items(bulk: BulkRedelivery) -> Iterator[dict[str, Any]]:
    last = 0
    while batch := list(bulk.items.filter(number__gt=last).order_by("number").values(*_READ)[:CSV_BATCH_SIZE]):
        yield from batch
        last = batch[-1]["number"]


def _values_of_bulk(bulk: BulkRedelivery) -> tuple[Any, ...]:
    query = mask_text(bulk.query, masked_keys())
    return bulk.pk, bulk.reason, bulk.started_by or "", _utc(bulk.started_at), bulk.source, query


def _values_of_item(item: dict[str, Any]) -> Iterator[Any]:
    """The values as they are written, in the order of the columns."""
    for name, value in item.items():
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
