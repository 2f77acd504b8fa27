"""What somebody should know before a run is started: of each thing that stands in its way, whose receivers are meant."""

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
    """`is_grave`: it will keep logs from being received. `lanes`: the subscriptions that it is about."""

    text: str
    lanes: list[Any]
    is_grave: bool = False


def plan_warnings(receivers: Iterable[ReceiverHealth]) -> list[PlanWarning]:
    """`receivers`: of the lanes that get something."""
    receivers = list(receivers)
    return [*_refused(receivers), *_failing(receivers), *_held(receivers), *_waiting(receivers), *_others(receivers)]


def _refused(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    guard = DestinationFilter.from_settings()
    if lanes := [one.lane for one in receivers if _is_refused(guard, one.lane.url)]:
        text = ngettext(
            "The guard refuses the URL of %(number)s subscription: its logs will fail without being sent.",
            "The guard refuses the URLs of %(number)s subscriptions: their logs will fail without being sent.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes, is_grave=True)


def _is_refused(guard: DestinationFilter, url: str) -> bool:
    """As far as that is known without asking a name server."""
    try:
        guard.check_url(url)
    except DestinationBlocked:
        return True
    return False


def _failing(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.reception == ReceiverState.FAILING]:
        text = ngettext(
            "%(number)s receiver has taken nothing since its last failure. A canary shows whether it does now.",
            "%(number)s receivers have taken nothing since their last failures. A canary shows whether they do now.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes, is_grave=True)


def _held(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.reception == ReceiverState.HELD]:
        text = ngettext(
            "%(number)s lane is on hold: it sends the logs of this run, and stays on hold.",
            "%(number)s lanes are on hold: they send the logs of this run, and stay on hold.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes)


def _waiting(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if one.lane.has_due]:
        count = total_waiting(lanes)
        text = ngettext(
            "%(number)s event waits in these lanes. The run and what waits take turns.",
            "%(number)s events wait in these lanes. The run and what waits take turns.",
            count.number or 0,
        )
        yield PlanWarning(text % {"number": count}, lanes)


def _others(receivers: list[ReceiverHealth]) -> Iterator[PlanWarning]:
    if lanes := [one.lane for one in receivers if not one.lane.we_deliver]:
        text = ngettext(
            "Cotalker sends the new events of %(number)s subscription: they may arrive between the logs of this run.",
            "Cotalker sends the new events of %(number)s subscriptions: they may arrive between the logs of this run.",
            len(lanes),
        )
        yield PlanWarning(text % {"number": len(lanes)}, lanes)
