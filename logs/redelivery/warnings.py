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
    """`is_grave`: it will keep logs from being delivered. `subscriptions`: the subscriptions that it is about."""

    text: str
    subscriptions: list[Any]
    is_grave: bool = False


def plan_warnings(receivers: Iterable[ReceiverHealth]) -> list[PlanWarning]:
    """`receivers`: those of the subscriptions that get something."""
    receivers = list(receivers)
    return [*_blocked(receivers), *_failing(receivers), *_paused(receivers), *_waiting(receivers), *_others(receivers)]


def _blocked(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    guard = DestinationFilter.from_settings()
    if subscriptions := [
        receiver.subscription for receiver in receivers if _is_blocked(guard, receiver.subscription.url)
    ]:
        text = ngettext(
            "The destination check blocks the URL of %(number)s subscription: its logs will fail without being sent.",
            "The destination check blocks the URLs of %(number)s subscriptions: their logs will fail "
            "without being sent.",
            len(subscriptions),
        )
        yield PlanWarning(text % {"number": len(subscriptions)}, subscriptions, is_grave=True)


def _is_blocked(guard: DestinationFilter, url: str) -> bool:
    """As far as this is known without a DNS lookup."""
    try:
        guard.check_url(url)
    except DestinationBlocked:
        return True
    return False


def _failing(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if subscriptions := [receiver.subscription for receiver in receivers if receiver.state == ReceiverState.FAILING]:
        text = ngettext(
            "%(number)s receiver has had no successful delivery since its last failure. A canary "
            "shows whether it works now.",
            "%(number)s receivers have had no successful deliveries since their last failures. A "
            "canary shows whether they work now.",
            len(subscriptions),
        )
        yield PlanWarning(text % {"number": len(subscriptions)}, subscriptions, is_grave=True)


def _paused(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if subscriptions := [receiver.subscription for receiver in receivers if receiver.state == ReceiverState.PAUSED]:
        text = ngettext(
            "%(number)s queue is paused: it sends the logs of this bulk redelivery and stays paused.",
            "%(number)s queues are paused: they send the logs of this bulk redelivery and stay paused.",
            len(subscriptions),
        )
        yield PlanWarning(text % {"number": len(subscriptions)}, subscriptions)


def _waiting(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if subscriptions := [receiver.subscription for receiver in receivers if receiver.subscription.has_queued]:
        count = total_waiting(subscriptions)
        text = ngettext(
            "%(number)s event is waiting in these queues. It takes turns with this bulk redelivery.",
            "%(number)s events are waiting in these queues. They take turns with this bulk redelivery.",
            count.number or 0,
        )
        yield PlanWarning(text % {"number": count}, subscriptions)


def _others(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if subscriptions := [
        receiver.subscription for receiver in receivers if not receiver.subscription.is_delivered_here
    ]:
        text = ngettext(
            "Cotalker sends the new events of %(number)s subscription: they may arrive between the "
            "logs of this bulk redelivery.",
            "Cotalker sends the new events of %(number)s subscriptions: they may arrive between the "
            "logs of this bulk redelivery.",
            len(subscriptions),
        )
        yield PlanWarning(text % {"number": len(subscriptions)}, subscriptions)
