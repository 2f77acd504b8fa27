"""All failures of a time, those that are alike together: for the page of failure groups."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..db.timeouts import Count
from ..delivery.queue_summary import count_due, heads_of
from ..models import Subscription
from .groups import FailureGroup, failures_over_time, groups_of, lanes_with, questions, with_bars
from .kinds import Kind, kinds_of
from .moments import look_up
from .period import Period
from .reception import last_attempts, questions_about

SHOWN = 50
MOST = 500  # are looked at; more would not be read


@dataclass(frozen=True)
class Failures:
    """`count` groups of `failed` logs, of which `groups` are shown."""

    groups: list[FailureGroup]
    count: Count
    failed: Count

    @property
    def is_cut(self) -> bool:
        return self.count.is_least or len(self.groups) < (self.count.number or 0)

    @property
    def still_failing(self) -> int:
        return sum(not group.has_recovered for group in self.groups)


def failures_of(
    user, period: Period, subscriptions: Collection[str], causes: Collection[str], *, newest_first: bool, all_: bool
) -> Failures:
    """Of these subscriptions and causes; none chosen: of all that the user may see. Six queries.

    What waits is counted only where it is shown: in lanes that are on hold.
    """
    lanes = heads_of(Subscription.objects.visible_to(user))
    chosen = list(subscriptions) or (None if user.is_superuser else list(lanes))
    kinds = kinds_of(period, chosen)
    found = [kind for kind in kinds.failures if kind.subscription in lanes and (not causes or kind.cause in causes)]
    candidates = sorted(found, key=_last_bucket, reverse=True)[:MOST] if newest_first else found[:MOST]
    with_groups = lanes_with(candidates)
    told = look_up([*questions(candidates), *questions_about(kinds, with_groups)])
    attempts = last_attempts(period, kinds, with_groups, told)
    groups = groups_of(period, candidates, lanes, told, attempts)
    if newest_first:
        groups.sort(key=lambda group: group.last_at, reverse=True)
    shown = groups if all_ else groups[:SHOWN]
    count_due([group.lane for group in shown if group.is_held])
    return Failures(
        groups=with_bars(shown, failures_over_time(period, [group.kind for group in shown])),
        count=kinds.counted(len(found)),
        failed=kinds.counted(sum(kind.number for kind in found)),
    )


def _last_bucket(kind: Kind) -> tuple:
    return kind.until, kind.number
