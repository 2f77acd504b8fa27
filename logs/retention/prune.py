"""Pruning: removes expired payloads, then logs that are too old. Only one process prunes at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection

from ..models import Retention
from .cutoffs import log_cutoff, payload_cutoff
from .log_deletion import count_deletable_before, delete_logs
from .payload_expiry import ExpiredMonth, expire

PRUNE_LOCK = 0x7072756E  # any number, the same everywhere: one process prunes at a time

_IS_LOCKED = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""


class AlreadyRunning(Exception):
    """Another process is pruning."""


@dataclass(slots=True)
class PruneResult:
    """What a run has removed so far, or would remove if it weren't dry."""

    months: list[ExpiredMonth] = field(default_factory=list)
    logs: int = 0
    earlier_payloads: int = 0  # of the last run, if this one continues it

    @property
    def payloads(self) -> int:
        return self.earlier_payloads + sum(month.removed for month in self.months)

    @property
    def busy_months(self) -> int:
        return sum(month.is_busy for month in self.months)


def prune(
    *,
    is_dry: bool = False,
    goes_on: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[PruneResult], None] = lambda outcome: None,
) -> PruneResult:
    """Remove what is older than the days of `Retention` allow. `on_step` gets the result so far after each committed step.

    It can be interrupted anywhere. The next run continues, and with `goes_on` adds to the numbers of the last. It stops early
    if a person requests it, or changes the days: what they now want to keep must not be removed. A dry run only counts, and
    changes nothing. Raises AlreadyRunning.
    """
    outcome, retention = PruneResult(), Retention.current()
    if goes_on:
        outcome.logs, outcome.earlier_payloads = retention.run_logs, retention.run_payloads

    def must_stop() -> bool:
        return should_stop() or retention.must_stop()

    with _alone():
        if not goes_on and not is_dry:
            Retention.begin_run()
        for _step in _steps(retention, outcome, is_dry, must_stop):
            if not is_dry:  # now and not at the end, because it may be interrupted
                Retention.record_run(payloads=outcome.payloads, logs=outcome.logs, busy_months=outcome.busy_months)
            on_step(outcome)
            if must_stop():
                break
    return outcome


def _steps(retention: Retention, outcome: PruneResult, is_dry: bool, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Fills `outcome`. The first step only says that the run has begun."""
    yield
    if before := payload_cutoff(retention):
        if not is_dry:
            Retention.set_expired_before(before)
        for month in expire(before, is_dry=is_dry, should_stop=should_stop):
            outcome.months.append(month)
            yield
    if before := log_cutoff(retention):
        for number in [count_deletable_before(before)] if is_dry else delete_logs(before):
            outcome.logs += number
            yield


def is_running() -> bool:
    """Whether a process is pruning now."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_LOCKED, [PRUNE_LOCK])
        return cursor.fetchone()[0]


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [PRUNE_LOCK])
        if not cursor.fetchone()[0]:
            raise AlreadyRunning
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PRUNE_LOCK])
