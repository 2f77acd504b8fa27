"""Brings a run into line with what others did meanwhile to its lanes and people."""

from __future__ import annotations

from django.db import connection

from ..models import Run, Subscription, Why
from .steering import skip_waiting, withdraw

# A lane on hold sends re-deliveries and nothing that stands among the waiting. The order is that of all who lock several logs.
_HELD = """
WITH held AS (
    SELECT log.id FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'queued' AND entry.subscription_id = ANY(%(lanes)s)
        AND log.turn = 2 AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
)
UPDATE logs_webhooklog log SET turn = 1 FROM held WHERE log.id = held.id AND log.turn = 2
"""


def tidy(run: Run) -> list[str]:
    """The lanes to which more may be sent: what is of others is skipped. The run must be locked."""
    lanes = Subscription.objects.filter(pk__in=run.lanes)
    visible = set(lanes.visible_to(run.responsible).values_list("pk", flat=True)) if run.responsible else set(run.lanes)
    active = {pk: held_at for pk, held_at in lanes.filter(is_active=True).exclude(url="").values_list("pk", "held_at")}
    for why, gone in ((Why.INVISIBLE, set(run.lanes) - visible), (Why.INACTIVE, visible - active.keys())):
        if gone and run.entries.open().filter(subscription__in=gone).exists():
            withdraw(run, gone)
            skip_waiting(run, why, gone)
    if held := [pk for pk, held_at in active.items() if held_at]:
        with connection.cursor() as cursor:
            cursor.execute(_HELD, {"run": run.pk, "lanes": held})
    return sorted(visible & active.keys())
