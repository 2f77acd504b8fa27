"""Which logs may go: those that are settled, and stay so while they are taken away."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ..models import RunEntry, State, Subscription, WebhookLog
from ..stats.queries import TOTAL, cells

AT_ONCE = 2_000  # logs or payloads in a transaction
_SETTLED = [State.SUCCEEDED, State.FAILED, State.SKIPPED]


def lock_settled(ids: Collection[str]) -> list[str]:
    """Those of the logs that are settled; nobody changes them until the transaction ends.

    What somebody works with at this moment is left out: it is not waited for.
    """
    settled = WebhookLog.objects.filter(pk__in=ids).settled().order_by("pk")
    locked = list(settled.select_for_update(skip_locked=True).values_list("pk", flat=True))
    # A lane may have come on hold because of one while it was being locked: asked again, nothing can change any more.
    return list(WebhookLog.objects.filter(pk__in=locked).settled().values_list("pk", flat=True))


def number_settled_before(moment: datetime) -> int:
    """How many settled logs were created before the moment, a multiple of 5 minutes: from the rollups, at any size."""
    counted = cells(None, moment, None).filter(state__in=_SETTLED).aggregate(n=TOTAL)["n"] or 0
    ended = WebhookLog.objects.before(moment).filter(state__in=_SETTLED)
    held = Subscription.objects.exclude(held_log="").values("held_log")
    waited_for = ended.filter(pk__in=RunEntry.objects.open().values("log").union(held), next_attempt_at=None)
    return counted - ended.due().count() - waited_for.count()
