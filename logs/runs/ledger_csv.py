"""The whole ledger of a run as CSV, for a file that outlives the run: streamed, masked, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ..models import Run
from ..payloads.masking import mask_text, masked_keys

AT_ONCE = 1_000
BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    *("run", "reason", "started_by", "started_at", "source", "filter"),
    *("number", "log", "event_at", "object", "object_name", "subscription", "subscription_name"),
    *("before_state", "before_status", "before_cause"),
    *("outcome", "why", "stale", "repair"),
    *("try", "status", "cause", "fingerprint", "queued_at", "settled_at", "duration_ms"),
)
# What is read of each entry; rows, as models of which little is read take four times as long.
_READ = (
    *("number", "log", "log__created_at", "log__object_id", "log__object_name", "subscription", "subscription__name"),
    *("before_state", "before_status", "before_cause", "outcome", "why", "is_stale", "is_repair"),
    *("attempt_number", "status", "cause", "fingerprint", "queued_at", "settled_at", "duration_ms"),
)
# What a spreadsheet takes for a formula, also after it has thrown away the spaces before it.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


class _Line:
    """What `csv` writes to: the line that it wrote last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def ledger_csv(run: Run) -> Iterator[str]:
    """A line at a time, the names of the columns first. Memory does not grow with the number of logs.

    It begins with a byte order mark: without one, Excel takes UTF-8 for the charset of its country.
    """
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    yield BYTE_ORDER_MARK + line.text
    about = _about(run)
    for entry in _entries(run):
        writer.writerow([_harmless(value) for value in (*about, *_of(entry))])
        yield line.text


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    last = 0
    while found := list(run.entries.filter(number__gt=last).order_by("number").values(*_READ)[:AT_ONCE]):
        yield from found
        last = found[-1]["number"]


def _about(run: Run) -> tuple[Any, ...]:
    query = mask_text(run.query, masked_keys())
    return run.pk, run.reason, run.started_by or "", _utc(run.started_at), run.source, query


def _of(entry: dict[str, Any]) -> Iterator[Any]:
    """The values in the order of the columns, as they are written."""
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
    """An apostrophe makes a text of what would be a formula."""
    text = "" if value is None else str(value)
    is_formula = text[:1] in ("\t", "\r", "\n") or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if is_formula else text
