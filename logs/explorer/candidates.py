"""The logs of a kind in the order of time. Where the rollups tell that there are any, they are looked up; logs of another kind
are hardly looked at, however many they are.
"""

from __future__ import annotations

from django.db.models import BooleanField, F, Func, QuerySet

from ..paging import Key, in_order
from ..rollups.spans import FINEST, floor
from .criteria import Criteria
from .stretches import Stretch, inside, joined, next_stretches

SORTED_HERE = 2000  # logs; more are sorted by an index


def candidates(criteria: Criteria, place: Key | None, *, is_older: bool, limit: int) -> list[Key]:
    """The next `limit` logs of the kind after `place` in the list, towards the older or the newer; fewer at its end."""
    logs = criteria.of_kinds().logs()
    if not criteria.kinds and criteria.subscriptions is None:
        return in_order(logs, place, is_older=is_older, limit=limit)
    found: list[Key] = []
    edge = None
    if place is not None:
        start = floor(place.created_at)
        edge = start if is_older else start + FINEST
        here = logs.filter(created_at__gte=start, created_at__lt=start + FINEST)
        found = in_order(here, place, is_older=is_older, limit=limit)
    is_all = False
    while len(found) < limit and not is_all:
        stretches, is_all = next_stretches(criteria, edge, is_older=is_older, wanted=limit - len(found))
        if stretches:
            found += _logs_in(logs, stretches, is_older=is_older, limit=limit - len(found))
            edge = stretches[-1].start if is_older else stretches[-1].end
    return found


def _logs_in(logs: QuerySet, stretches: list[Stretch], *, is_older: bool, limit: int) -> list[Key]:
    within = logs.filter(_Within(tuple(joined(stretches, is_older=is_older))))
    if sum(one.count for one in stretches) > SORTED_HERE:
        return in_order(within, None, is_older=is_older, limit=limit)
    # Without an order: to sort these few, PostgreSQL might walk through all logs by their age.
    keys = [Key(*row) for row in within.order_by().values_list("created_at", "pk")]
    return sorted(keys, reverse=is_older)[:limit]


class _Within(Func):
    """Whether a log is in one of the stretches. In one piece: Django takes longer to put hundreds of conditions together than
    PostgreSQL to meet them.
    """

    output_field = BooleanField()

    def __init__(self, stretches: tuple[Stretch, ...]) -> None:
        super().__init__(F("created_at"), F("subscription"))
        self.stretches = stretches

    def as_sql(self, compiler, connection, **_context):  # type: ignore[override]
        (moment, _none), (lane, _none) = [compiler.compile(one) for one in self.source_expressions]
        return inside(moment, lane, self.stretches)
