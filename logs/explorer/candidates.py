"""The logs of a kind in the order of time. Where the rollups tell that there are any, they are looked up; logs of another kind
are hardly looked at, however many they are.
"""

from __future__ import annotations

from ..db.cursor_pagination import Key, in_order
from ..db.raw_sql import answers
from ..stats.buckets import FINEST, floor
from .criteria import Criteria
from .in_stretches import ALL, Stretch, in_each, ranges_of
from .stretches import next_stretches

SORTED_HERE = 2000  # logs; more are sorted by an index


def candidates(criteria: Criteria, place: Key | None, *, is_older: bool, limit: int) -> list[Key]:
    """The next `limit` logs of the kind after `place` in the list, towards the older or the newer; fewer at its end."""
    criteria = criteria.of_kinds()
    if not criteria.kinds and criteria.subscriptions is None:
        return in_order(criteria.logs(), place, is_older=is_older, limit=limit)
    found: list[Key] = []
    edge = None
    if place is not None:
        start = floor(place.created_at)
        edge = start if is_older else start + FINEST
        here = criteria.logs().filter(created_at__gte=start, created_at__lt=start + FINEST)
        found = in_order(here, place, is_older=is_older, limit=limit)
    is_all = False
    while len(found) < limit and not is_all:
        stretches, is_all = next_stretches(criteria, edge, is_older=is_older, wanted=limit - len(found))
        if stretches:
            found += _logs_in(stretches, criteria, is_older=is_older, limit=limit - len(found))
            edge = stretches[-1].start if is_older else stretches[-1].end
        elif not is_all:  # a log has just changed, or the rollups are wrong: the logs themselves tell
            logs = criteria.logs()
            if edge is not None:
                logs = logs.before(edge) if is_older else logs.since(edge)
            return found + in_order(logs, None, is_older=is_older, limit=limit - len(found))
    return found


def _logs_in(stretches: list[Stretch], criteria: Criteria, *, is_older: bool, limit: int) -> list[Key]:
    conditions = [criteria.written_kind]
    if criteria.since is not None:
        conditions.append(("created_at >= %s", [criteria.since]))
    if criteria.until is not None:
        conditions.append(("created_at < %s", [criteria.until]))
    some = ALL  # without an order: to sort these few, PostgreSQL might walk through all logs by their age
    if sum(one.count for one in stretches) > SORTED_HERE:
        direction = "DESC" if is_older else "ASC"
        some = f"ORDER BY created_at {direction}, id {direction} LIMIT {limit}"
    [rows] = answers(in_each(ranges_of(stretches), "logs_webhooklog", "created_at", "created_at, id", conditions, some))
    return sorted((Key(*row) for row in rows), reverse=is_older)[:limit]
