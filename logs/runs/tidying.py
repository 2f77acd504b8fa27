"""Brings a run into line with what others did meanwhile to its logs, lanes and people."""

from __future__ import annotations

from django.db import connection

from ..models import Run, Subscription, Why
from .steering import skip_waiting, withdraw

# A queued log that is not due any more was settled by the recorder, with its entry, or taken out of its lane by a person.
_TAKEN_OUT = """
UPDATE logs_runentry entry SET outcome = 'skipped', why = 'taken_out', settled_at = now()
FROM logs_webhooklog log
WHERE entry.run_id = %(run)s AND entry.outcome = 'queued' AND log.id = entry.log_id AND log.next_attempt_at IS NULL
"""
# A lane on hold sends re-deliveries and nothing that stands among the waiting. The order is that of all who lock several logs.
_HELD = """
WITH held AS (
    SELECT log.id FROM logs_runentry entry JOIN logs_webhooklog log ON log.id = entry.log_id
    JOIN logs_subscription lane ON lane.id = entry.subscription_id
    WHERE entry.run_id = %(run)s AND entry.outcome = 'queued' AND log.turn = 2 AND log.next_attempt_at IS NOT NULL
        AND lane.held_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
)
UPDATE logs_webhooklog log SET turn = 1 FROM held WHERE log.id = held.id AND log.turn = 2
"""


def tidy(run: Run) -> None:
    """The run must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN_OUT, {"run": run.pk})
        cursor.execute(_HELD, {"run": run.pk})
    lanes = Subscription.objects.filter(pk__in=run.lanes)
    visible = set(lanes.visible_to(run.responsible).values_list("pk", flat=True)) if run.responsible else set(run.lanes)
    sent = set(lanes.filter(is_active=True).exclude(url="").values_list("pk", flat=True))
    for why, gone in ((Why.INVISIBLE, set(run.lanes) - visible), (Why.INACTIVE, visible - sent)):
        if gone and run.entries.open().filter(subscription__in=gone).exists():
            withdraw(run, gone)
            skip_waiting(run, why, gone)
