"""The rules by which failures become incidents (docs/adr/0032-incidents.md). Pure: `update.py` reads and stores.

1. What fails at one receiver belongs together, whatever the subscription and the cause.
2. A failure continues an incident of its receiver if it comes within 30 minutes of its failures. So flapping is one incident.
3. Later than that, it continues the incident only if its subscription has delivered nothing since.
4. It never continues an incident whose receiver has worked again for more than 30 minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

GAP = timedelta(minutes=30)
MAX_RECEIVER_LENGTH = 300


@dataclass(frozen=True)
class Failure:
    """A log's newest failed attempt. `failed_at`: for an imported log, when it was created."""

    log_id: str
    state: str
    cause: str
    subscription_id: str
    company_id: str
    failed_at: datetime
    receiver: str

    @property
    def order(self) -> tuple[datetime, str]:
        return self.failed_at, self.log_id


@dataclass
class Span:
    """From the first to the last failure of an incident. `incident_id` is None until it is stored.

    `added`: the failures that were found to continue it.
    """

    started_at: datetime
    last_failed_at: datetime
    recovered_at: datetime | None = None
    incident_id: int | None = None
    added: list[Failure] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        self.added.append(failure)
        self.started_at = min(self.started_at, failure.failed_at)
        self.last_failed_at = max(self.last_failed_at, failure.failed_at)
        if self.recovered_at and failure.failed_at > self.recovered_at:
            self.recovered_at = None


# Whether this subscription has delivered anything between two moments.
HasDelivered = Callable[[str, datetime, datetime], bool]


def receiver_of(url: str, subscription_id: str) -> str:
    """The host of a URL, with its port if it names one. Without a readable host: the subscription's id."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return subscription_id
    if not host:
        return subscription_id
    return (f"{host}:{port}" if port else host)[:MAX_RECEIVER_LENGTH]


def add_to_spans(spans: list[Span], failures: Iterable[Failure], has_delivered: HasDelivered) -> None:
    """Add each failure to the span that it continues, or to a new one. `spans`: all that are near, of one receiver."""
    for failure in sorted(failures, key=lambda failure: failure.order):
        newest_first = sorted(spans, key=lambda span: span.started_at, reverse=True)
        span = next((span for span in newest_first if _continues(failure, span, has_delivered)), None)
        if span is None:
            span = Span(failure.failed_at, failure.failed_at)
            spans.append(span)
        span.add(failure)


def _continues(failure: Failure, span: Span, has_delivered: HasDelivered) -> bool:
    moment = failure.failed_at
    if span.recovered_at and moment > span.recovered_at + GAP:
        return False
    if span.started_at - GAP <= moment <= span.last_failed_at + GAP:
        return True
    start, end = sorted((moment, span.started_at if moment < span.started_at else span.last_failed_at))
    return not has_delivered(failure.subscription_id, start, end)
