"""Failure groups: failures of one subscription with one cause and one fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.crypto import salted_hmac

from ..delivery.fingerprint_limit import OTHER_FINGERPRINT
from ..delivery.queue_summary import is_blocked
from ..models import Cause, State
from ..payloads.masking import mask_text, masked_keys
from .boundary_logs import LogLookup, LookupResult
from .group_counts import FailureKind
from .period import Period
from .receiver_state import LastAttempts
from .traffic import TrafficBar


@dataclass(frozen=True)
class FailureGroup:
    """`first_at`, `last_at`: when its first and last logs were created. `failed_at`: when its receiver last failed like this.

    `subscription`: its subscription. `example`: its newest log, None if all of its logs have changed since they were counted.
    """

    period: Period
    kind: FailureKind
    subscription: Any
    first_at: datetime
    last_at: datetime
    failed_at: datetime
    example: LookupResult | None
    attempts: LastAttempts
    bars: list[TrafficBar] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.kind.number

    @property
    def key(self) -> str:
        """Names the group in a page, without saying anything about the responses."""
        kind = [self.kind.subscription, self.kind.cause, self.kind.fingerprint]
        return salted_hmac("logs.failure_group", repr(kind)).hexdigest()[:12]

    @property
    def cause_label(self) -> str:
        return str(dict(Cause.choices).get(self.kind.cause, self.kind.cause))

    @property
    def is_mixed(self) -> bool:
        """Whether its responses differ: the subscription had more different failures in a day than are kept apart."""
        return self.kind.fingerprint == OTHER_FINGERPRINT

    @property
    def has_recovered(self) -> bool:
        """Not while its queue is blocked, whatever was delivered before."""
        return self.attempts.has_delivered_after(self.failed_at) and not is_blocked(self.subscription)

    @property
    def is_paused(self) -> bool:
        return self.subscription.paused_at is not None

    @property
    def address(self) -> str:
        """The URL of its logs in the explorer."""
        return f"{reverse('logs:webhook_log_list')}?{self.query}"

    @property
    def has_masked_values(self) -> bool:
        """Whether keys were masked after its fingerprint was made, so that it can't stand in a page."""
        return mask_text(self.kind.fingerprint, masked_keys()) != self.kind.fingerprint

    @property
    def query(self) -> str:
        """The filter that finds its logs; others of this cause too if it `has_masked_values`."""
        query = {
            "state": State.FAILED,
            "subscription": self.kind.subscription,
            "cause": self.kind.cause,
            "fingerprint": "" if self.has_masked_values else self.kind.fingerprint,
            "range": self.period.name,
        }
        return urlencode({key: value for key, value in query.items() if value})


def group_lookups(shown: Sequence[FailureKind]) -> list[LogLookup]:
    """The lookups that these groups need."""
    return [*(kind.newest for kind in shown), *(kind.oldest for kind in shown)]


def failure_groups(
    period: Period,
    shown: Iterable[FailureKind],
    subscriptions: Mapping[str, Any],
    results: Mapping[LogLookup, LookupResult],
    attempts: Mapping[str, LastAttempts],
) -> list[FailureGroup]:
    """`results`: the results of `group_lookups`. `attempts`: of their subscriptions. Without bars."""
    groups = []
    for kind in shown:
        newest, oldest = results.get(kind.newest), results.get(kind.oldest)
        last_at, last = newest.created_at if newest else kind.since, attempts[kind.subscription]
        groups.append(
            FailureGroup(
                period,
                kind,
                subscriptions[kind.subscription],
                first_at=oldest.created_at if oldest else kind.since,
                last_at=last_at,
                failed_at=max(
                    last_at, newest.finished_at if newest else last_at, last.failed_by.get(kind.cause, last_at)
                ),
                example=newest,
                attempts=last,
            )
        )
    return groups


def with_bars(groups: Iterable[FailureGroup], bars_of: Mapping[FailureKind, list[TrafficBar]]) -> list[FailureGroup]:
    return [replace(group, bars=bars_of[group.kind]) for group in groups]
