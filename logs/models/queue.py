"""The queue of a subscription: its events in order, and what an operator may do with it. One event is in flight at a time."""

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

QUEUE_CHANNEL = "cotadmin_queues"
DISPATCH_SIGNAL = "dispatch"  # sent instead of a subscription id: workers queue the items of bulk redeliveries
RESUMED_FIELDS: dict[str, Any] = {"paused_at": None, "blocking_log": "", "blocking_error": ""}


class QueueMixin(models.Model):
    """The columns and actions of a subscription's queue.

    Every action returns whether it took effect, writes an audit entry and wakes the worker. Code that needs both the logs and
    their subscription locks the logs first. That avoids deadlocks.
    """

    # No waiting event has a lower sequence, so no query looks below it (logs/delivery/queue_front.py).
    first_sequence = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Counts the changes that a worker must notice before it sends an event it has already read.
    queue_version = models.BigIntegerField(default=0, editable=False)
    pause_on_exhausted = models.BooleanField(
        _("after the last attempt"),
        default=False,
        choices=[(False, _("Continue with the next event")), (True, _("Pause the queue until someone decides"))],
    )
    paused_at = models.DateTimeField(_("paused since"), null=True, editable=False)
    # The exhausted log for which the queue is paused; "" if a person paused it.
    blocking_log = ObjectIdField(blank=True, editable=False)
    # The database's error when it refused that log's outcome; "" otherwise. While it is set, the queue sends nothing at all.
    blocking_error = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    # The subscription isn't active, but its waiting events are sent anyway.
    is_draining = models.BooleanField(default=False, editable=False)

    logs: Any

    class Meta:
        abstract = True

    def waiting(self) -> WebhookLogQuerySet:
        """The logs queued here, in the order in which they will be sent, now or later."""
        return self.logs.filter(next_attempt_at__isnull=False).order_by("priority", "sequence", "id")

    def pause(self, *, by) -> bool:
        """Pause the queue: only redeliveries are sent. False if it's already paused."""
        return self._change(Q(paused_at=None), AuditAction.QUEUE_PAUSED, by, paused_at=Now(), blocking_log="")

    def resume(self, *, by) -> bool:
        """Resume the queue: waiting events are sent again. False if it isn't paused."""
        return self._change(Q(paused_at__isnull=False), AuditAction.QUEUE_RESUMED, by, **RESUMED_FIELDS)

    def send_waiting(self, *, by) -> bool:
        """Send the events that waited when the subscription was deactivated. False if it's active, or already sends them."""
        is_idle = Q(is_active=False, is_draining=False)
        return self._change(is_idle, AuditAction.SENT_WAITING, by, is_draining=True, **RESUMED_FIELDS)

    def skip_waiting(self, *, by, reason: str) -> int:
        """Skip the events that waited when the subscription was deactivated. Returns how many; 0 if it's active."""
        idle = type(self)._base_manager.filter(Q(is_active=False), pk=self.pk)
        if not idle.exists():
            return 0
        with transaction.atomic():
            # No join in the condition: PostgreSQL checks a row again if another transaction changed it first.
            waiting = self.waiting().order_by()
            stays = Q(state=State.DELIVERED) | Q(trigger=AttemptTrigger.OVERRIDE)  # as in RedeliverableMixin.skip
            given_up = waiting.filter(stays).update(next_attempt_at=None)
            skipped = waiting.update(next_attempt_at=None, state=State.SKIPPED) + given_up
            apps.get_model("logs", "BulkRedeliveryItem").objects.filter(subscription=self.pk).mark_removed()
            values = {"queue_version": F("queue_version") + 1, "is_draining": False} | RESUMED_FIELDS
            if not skipped or not idle.update(**values):  # no row updated: it was activated meanwhile
                transaction.set_rollback(True)
                return 0
            AuditEntry.record(by, AuditAction.SKIPPED_WAITING, self.pk, f"{skipped}: {reason}")
        return skipped

    def notify_workers(self) -> None:
        """Tell the workers, at commit, that the queue has changed. The next event is sent with the subscription's new values."""
        type(self)._base_manager.filter(pk=self.pk).update(queue_version=F("queue_version") + 1)
        notify_workers(self.pk)

    def _change(self, condition: Q, action: AuditAction, by, **columns: Any) -> bool:
        with transaction.atomic():
            queues = type(self)._base_manager.filter(condition, pk=self.pk)
            if not queues.update(queue_version=F("queue_version") + 1, **columns):
                return False
            AuditEntry.record(by, action, self.pk)
            notify_workers(self.pk)
        return True


# One PostgreSQL sequence serves all queues. It is read while the queue is locked, so numbers within a queue are in order of
# commit. The queue's row isn't updated: an old snapshot would keep one version of it for each event that comes in.
_NEXT_SEQUENCE = """
WITH queue AS MATERIALIZED (SELECT id FROM logs_subscription WHERE id = %s FOR NO KEY UPDATE)
SELECT nextval('logs_queue_sequence') FROM queue
"""


def next_sequence(subscription_id: str) -> int:
    """A new sequence at the end of a queue. Locks the queue until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_SEQUENCE, [subscription_id])
        return cursor.fetchone()[0]


def notify_workers(*subscription_ids: str) -> None:
    """Tell the workers, at commit, that these queues have work to do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, id) FROM unnest(%s::text[]) AS id", [QUEUE_CHANNEL, list(subscription_ids)]
        )
