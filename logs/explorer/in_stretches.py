"""Rows in stretches of time, which may be thousands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ..db.raw_sql import Written, every

# One after another, each by an index: PostgreSQL takes longer to plan for hundreds of conditions than to meet them.
_IN_EACH = """
SELECT found.*
FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::text[]) AS stretch (start, stop, lane)
CROSS JOIN LATERAL (
    SELECT {columns} FROM {table}
    WHERE {conditions} AND {moment} >= stretch.start AND {moment} < stretch.stop{of_lane}
    {some}
) AS found
"""
ALL = "OFFSET 0"  # it says nothing, but PostgreSQL would else choose for itself what to begin with


@dataclass(frozen=True)
class Stretch:
    """Five minutes or more in which `subscriptions` have `count` logs of a kind; None: they are many."""

    start: datetime
    end: datetime
    subscriptions: frozenset[str] | None
    count: int


class Range(NamedTuple):
    """`subscription`: None where it may be any."""

    start: datetime
    end: datetime
    subscription: str | None


def ranges_of(stretches: Iterable[Stretch]) -> list[Range]:
    """Of each subscription its own, where they are known of all stretches. Those that follow one another are one."""
    ordered = sorted(stretches, key=lambda one: one.start)
    is_known = all(one.subscriptions is not None for one in ordered)
    found: list[Range] = []
    last: dict[str | None, int] = {}  # of each subscription: the place in `found`
    for one in ordered:
        for subscription in (one.subscriptions or ()) if is_known else [None]:
            place = last.get(subscription)
            if place is not None and found[place].end == one.start:
                found[place] = found[place]._replace(end=one.end)
            else:
                last[subscription] = len(found)
                found.append(Range(one.start, one.end, subscription))
    return found


def in_each(
    ranges: Iterable[Range], table: str, moment: str, columns: str, conditions: Iterable[Written], some: str = ALL
) -> Written:
    """The rows of the table in each range, of which there is one at least. `moment`: the column that tells the time; `some`:
    which rows of each.
    """
    starts, ends, subscriptions = map(list, zip(*ranges, strict=True))
    text, values = every(conditions)
    of_lane = "" if subscriptions[0] is None else " AND subscription_id = stretch.lane"
    asked = _IN_EACH.format(columns=columns, table=table, conditions=text, moment=moment, of_lane=of_lane, some=some)
    return asked, [starts, ends, subscriptions, *values]


def in_any(ranges: Iterable[Range], moment: str) -> Written:
    """That a row is in one of them. Only few: see `in_each`."""
    text = " OR ".join(f"{moment} >= %s AND {moment} < %s" for _one in ranges)
    return f"({text})", [bound for one in ranges for bound in (one.start, one.end)]
