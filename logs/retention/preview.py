"""What a retention would remove now, told at once whatever the size: `prune --dry-run` takes its time, and tells exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..cotalker import objectid
from ..db.payload_partitions import months_made
from ..db.timeouts import Count, bounded_count
from ..models import Payload, Retention
from .limits import logs_before, payloads_before
from .settled import number_settled_before


@dataclass(frozen=True)
class Preview:
    """`payloads`: with those that stay because their logs are not settled. A moment is None where nothing expires."""

    payloads_before: datetime | None
    payloads: Count
    months: int
    logs_before: datetime | None
    logs: int


def preview(retention: Retention) -> Preview:
    payloads_end, logs_end = payloads_before(retention), logs_before(retention)
    payloads, months = Count(0), 0
    if payloads_end:
        payloads = bounded_count(Payload.objects.filter(pk__lt=objectid.lowest(payloads_end)))
        months = sum(month < payloads_end for month in months_made())
    return Preview(payloads_end, payloads, months, logs_end, number_settled_before(logs_end) if logs_end else 0)
