"""Warnings to show before a bulk redelivery is started: each problem, with the subscriptions that have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import ngettext

from ..delivery.queue_summary import total_waiting
from ..delivery.ssrf import DestinationBlocked, DestinationFilter
from ..stats.receiver_state import ReceiverHealth, ReceiverState


@dataclass(frozen=True)
class PlanWarning:
    """`is_grave`: it will keep logs from being delivered. `lanes`: the subscriptions that it is about."""

    text: str
    lanes: list[Any]
    is_grave: bool = False


def plan_warnings(receivers: Iterable[ReceiverHealth]) -> list[PlanWarning]:
    """`receivers`: those of the subscriptions that get something."""
    receivers = list(receivers)
    return [*_refused(receivers), *_failing(receivers), *_held(receivers), *_waiting(receivers), *_others(receivers)]


def _refused(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    guard = DestinationFilter.from_settings()
    if lanes := [one.lane for one in receivers if _is_refused(guard, one.lane.url)]:
        text = ngettext(
            "The destination check blocks the URL of %(number)s subscription: its logs will fail without being sent.",
            "The destination check blocks the URLs of %(number)s subscriptions: their logs will fail "
            "without being sent.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes, is_grave=True)


def _is_refused(guard: DestinationFilter, url: str) -> bool:
    """As far as this is known without a DNS lookup."""
    try:
        guard.check_url(url)
    except DestinationBlocked:
        return True
    return False


def _failing(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.reception == ReceiverState.FAILING]:
        text = ngettext(
            "%(number)s receiver has had no successful delivery since its last failure. A canary "
            "shows whether it works now.",
            "%(number)s receivers have had no successful deliveries since their last failures. A "
            "canary shows whether they work now.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes, is_grave=True)


def _held(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.reception == ReceiverState.HELD]:
        text = ngettext(
            "%(number)s queue is paused: it sends the logs of this bulk redelivery and stays paused.",
            "%(number)s queues are paused: they send the logs of this bulk redelivery and stay paused.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes)


def _waiting(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.lane.has_due]:
        count = total_waiting(lanes)
        text = ngettext(
            "%(number)s event is waiting in these queues. It takes turns with this bulk redelivery.",
            "%(number)s events are waiting in these queues. They take turns with this bulk redelivery.",
            count.number or 0,
        )
        yield PlanWarning(text % {"number": count}, lanes)


def _others(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if not one.lane.we_deliver]:
        text = ngettext(
            "Cotalker sends the new events of %(number)s subscription: they may arrive between the "
            "logs of this bulk redelivery.",
            "Cotalker sends the new events of %(number)s subscriptions: they may arrive between the "
            "logs of this bulk redelivery.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes)
