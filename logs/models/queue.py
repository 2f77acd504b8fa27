"""A lane: the queue of a subscription, in order, and what an operator may do with it. One event at a time is in flight."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .audit import AuditAction, AuditEntry
from .choices import AttemptTrigger, State
from .fields import ObjectIdField
from .querysets import WebhookLogQuerySet

QUEUE_CHANNEL = "cotadmin_due"
DISPATCH_SIGNAL = "run"  # in the place of a lane: runs are put into their lanes by the workers
RESUMED_FIELDS: dict[str, Any] = {"held_at": None, "held_log": "", "held_error": ""}


class QueueMixin(models.Model):
    """The columns and verbs that a subscription has as a lane.

    Every verb says whether it won, is on record, and wakes the worker. Who needs the rows of logs and of their subscription
    locks the logs first: so nobody waits in a circle.
    """

    # No event that waits stands before this position, so nobody has to look there (logs/delivery/queue_front.py).
    waiting_from = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Counts what a worker must notice before it sends the next event that it has read already.
    lane_version = models.BigIntegerField(default=0, editable=False)
    holds_when_exhausted = models.BooleanField(
        _("after the last attempt"),
        default=False,
        choices=[(False, _("Continue with the next event")), (True, _("Pause the queue until someone decides"))],
    )
    held_at = models.DateTimeField(_("paused since"), null=True, editable=False)
    # The exhausted log that the lane is on hold for; "" where a person holds it.
    held_log = ObjectIdField(blank=True, editable=False)
    # What the database said of the outcome of that log, which it does not take: nothing at all is sent then. "" else.
    held_error = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    # Not active, but what waits is sent all the same.
    is_draining = models.BooleanField(default=False, editable=False)

    logs: Any

    class Meta:
        abstract = True

    def waiting(self) -> WebhookLogQuerySet:
        """The logs that are due in this lane, now or later, in the order in which they will be sent."""
        return self.logs.filter(next_attempt_at__isnull=False).order_by("turn", "position", "id")

    def hold(self, *, by) -> bool:
        """Send nothing more but re-deliveries; False where it is on hold already."""
        return self._change(Q(held_at=None), AuditAction.HELD, by, held_at=Now(), held_log="")

    def release(self, *, by) -> bool:
        """Go on with what waits; False where it is not on hold."""
        return self._change(Q(held_at__isnull=False), AuditAction.RELEASED, by, **RESUMED_FIELDS)

    def send_waiting(self, *, by) -> bool:
        """Send what waited when the subscription was deactivated; False where it is active, or does so already."""
        is_idle = Q(is_active=False, is_draining=False)
        return self._change(is_idle, AuditAction.SENT_WAITING, by, is_draining=True, **RESUMED_FIELDS)

    def skip_what_waits(self, *, by, reason: str) -> int:
        """Take what waited when the subscription was deactivated out of the lane; how many, 0 where it is active."""
        idle = type(self)._base_manager.filter(Q(is_active=False), pk=self.pk)
        if not idle.exists():
            return 0
        with transaction.atomic():
            # No join in the condition: each row is asked once more when somebody else was at it first.
            waiting = self.waiting().order_by()
            stays = Q(state=State.SUCCEEDED) | Q(trigger=AttemptTrigger.VARIANT)  # as in Round.skip
            given_up = waiting.filter(stays).update(next_attempt_at=None)
            skipped = waiting.update(next_attempt_at=None, state=State.SKIPPED) + given_up
            apps.get_model("logs", "RunEntry").objects.filter(subscription=self.pk).mark_removed()
            values = {"lane_version": F("lane_version") + 1, "is_draining": False} | RESUMED_FIELDS
            if not skipped or not idle.update(**values):  # none: it was activated meanwhile
                transaction.set_rollback(True)
                return 0
            AuditEntry.record(by, AuditAction.SKIPPED_WAITING, self.pk, f"{skipped}: {reason}")
        return skipped

    def notify_workers(self) -> None:
        """That the lane has changed, at commit: the next event goes out as the subscription says now."""
        type(self)._base_manager.filter(pk=self.pk).update(lane_version=F("lane_version") + 1)
        notify_workers(self.pk)

    def _change(self, condition: Q, action: AuditAction, by, **columns: Any) -> bool:
        with transaction.atomic():
            lanes = type(self)._base_manager.filter(condition, pk=self.pk)
            if not lanes.update(lane_version=F("lane_version") + 1, **columns):
                return False
            AuditEntry.record(by, action, self.pk)
            notify_workers(self.pk)
        return True


# One sequence gives the positions of all lanes. It is asked while the lane is locked, so the positions of a lane are in order of
# commit, and the row of the lane stays as it is: an old snapshot would keep a version of it for each event that comes in.
_TAKE_POSITION = """
WITH lane AS MATERIALIZED (SELECT id FROM logs_subscription WHERE id = %s FOR NO KEY UPDATE)
SELECT nextval('logs_position') FROM lane
"""


def take_position(lane: str) -> int:
    """A new place at the end of a lane. Locks the lane until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_POSITION, [lane])
        return cursor.fetchone()[0]


def notify_workers(*lanes: str) -> None:
    """Tell the workers, at commit, that there is something to do in these lanes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, lane) FROM unnest(%s::text[]) AS lane", [QUEUE_CHANNEL, list(lanes)])
