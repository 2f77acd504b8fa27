"""Bulk redeliveries as lists show them: the title by what they hold, and how many logs have which outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...models import BulkRedelivery, BulkRedeliveryState
from ...redelivery.progress import ItemCounts, count_items
from ...redelivery.titles import logs_to_send, titles_of, with_logs_counted


@dataclass(frozen=True)
class ListedBulkRedelivery:
    bulk: BulkRedelivery
    title: str
    numbers: ItemCounts


def listed_bulk_redeliveries(bulks: Sequence[BulkRedelivery], user) -> list[ListedBulkRedelivery]:
    """Of started ones. At most three queries."""
    titles, numbers = titles_of(bulks, user), count_items(bulks)
    return [
        ListedBulkRedelivery(bulk, with_logs_counted(titles[bulk.pk], numbers[bulk.pk].total), numbers[bulk.pk])
        for bulk in bulks
    ]


def listed_plans(plans: Sequence[BulkRedelivery], user) -> list[ListedBulkRedelivery]:
    """At most four queries."""
    titles, numbers, to_send = titles_of(plans, user), count_items(plans), logs_to_send(plans)
    for plan in plans:
        if plan.state == BulkRedeliveryState.PLANNED and not plan.problem:
            titles[plan.pk] = with_logs_counted(titles[plan.pk], numbers[plan.pk].selected, to_send[plan.pk])
    return [ListedBulkRedelivery(plan, titles[plan.pk], numbers[plan.pk]) for plan in plans]
