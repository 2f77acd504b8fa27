"""What a queue has delivered since its logs were read: the newest event of each object."""

from __future__ import annotations

from datetime import datetime

from .claim import Delivery
from .http_client import SendOutcome


class DeliveredCache:
    """Finds logs that become superseded by another log of the same read. The query itself finds those that already were."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[datetime | None, str]] = {}

    def note(self, delivery: Delivery, outcome: SendOutcome) -> None:
        if outcome.is_success and delivery.object_id and not delivery.has_custom_url:
            place = _place(delivery)
            self._newest[delivery.object_id] = max(place, self._newest.get(delivery.object_id, place))

    def supersedes(self, delivery: Delivery) -> bool:
        newest = self._newest.get(delivery.object_id)
        return delivery.recheck_superseded and newest is not None and newest > _place(delivery)


def _place(delivery: Delivery) -> tuple[datetime | None, str]:
    return delivery.created_at, delivery.log_id
