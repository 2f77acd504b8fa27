"""A round: up to three attempts of a log, 30 seconds apart. Every queued log is in a round; a redelivery begins a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .audit import AuditAction, AuditEntry
from .choices import AttemptTrigger, Priority, State
from .queue import RESUMED_FIELDS, next_sequence, notify_workers

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

    from .redelivery_override import RedeliveryOverride


class RedeliveryRefused(Exception):
    """The log can't be redelivered now. The message tells a person why and what to do.

    `needs_confirmation`: it can be redelivered once the person confirms.
    """

    def __init__(self, message: str | StrPromise, *, needs_confirmation: bool = False) -> None:
        super().__init__(message)
        self.needs_confirmation = needs_confirmation


class RedeliverableMixin(models.Model):
    """The columns and actions of a log in a queue. Every action returns whether it took effect."""

    # A log is queued if next_attempt_at is set, whatever its state. Its `sequence` orders events of the same priority.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    priority = models.SmallIntegerField(choices=Priority, null=True, editable=False)
    # None: it was imported, and never accepted or sent here. Its outcome is Cotalker's.
    sequence = models.BigIntegerField(null=True, editable=False)
    attempts_left = models.SmallIntegerField(_("attempts left"), default=0, db_default=0, editable=False)
    trigger = models.CharField(max_length=10, choices=AttemptTrigger, blank=True, db_default="", editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("redelivery requested by"),
    )

    pk: str
    objects: Any
    subscription: Any
    subscription_id: str
    attempts: Any
    bulk_redelivery_items: Any
    overrides: Any
    state: str
    attempt_count: int | None

    class Meta:
        abstract = True

    @property
    def is_success(self) -> bool:
        return self.state == State.DELIVERED

    @property
    def is_queued(self) -> bool:
        return self.next_attempt_at is not None

    @property
    def is_between_attempts(self) -> bool:
        return self.is_queued and self.priority == Priority.RETRY

    @property
    def is_imported(self) -> bool:
        """Whether it was never sent here: its outcome comes from Cotalker's document."""
        return self.sequence is None

    def redelivery_error(self) -> str | StrPromise:
        """Why this log can't be sent now; "" if it can."""
        from .payload import Payload

        if not self.subscription.url:
            return _("Its subscription has no URL yet. Import the subscription, or give it a URL.")
        if not self.subscription.is_active:
            return _("Its subscription is not active. Activate it first.")
        if not Payload.objects.filter(pk=self.pk).exists():
            return _("Its payload has expired.")
        return ""

    def redeliver(self, *, by, expected_attempts: int, is_confirmed: bool = False) -> bool:
        """Queue a new round, ahead of the waiting events. False if one is already queued or made: a double click sends once.

        `expected_attempts`: the number of attempts that the person saw. A delivered or superseded log needs `is_confirmed`.
        Raises RedeliveryRefused with the reason if the log can't be sent.
        """
        if reason := self.redelivery_error():
            raise RedeliveryRefused(reason)
        if not is_confirmed:
            self._ask_to_confirm()
        state = State.DELIVERED if self.is_success else State.PENDING
        with transaction.atomic():
            begun = self._begin_round(
                AttemptTrigger.MANUAL, state, settings.DELIVERY_MAX_ATTEMPTS, by, expected_attempts
            )
        return begun is not None

    def redeliver_with_override(self, override: RedeliveryOverride, *, expected_attempts: int) -> bool:
        """Queue one attempt with the override, and store the override. False if it's queued already, or was attempted meanwhile.

        The log's outcome stays the same until something is delivered to its subscription. Raises RedeliveryRefused.
        """
        with transaction.atomic():
            begun = self._begin_round(AttemptTrigger.OVERRIDE, self.state, 1, override.requested_by, expected_attempts)
            if begun is None:
                return False
            number = (begun.attempt_count or 0) + 1
            self.overrides.filter(number=number).delete()  # an override taken out of the queue, unsent
            override.log_id, override.number = self.pk, number
            override.save()
        return True

    def _ask_to_confirm(self) -> None:
        if self.is_success:
            raise RedeliveryRefused(
                _("This log was already delivered. Confirm to send it again."), needs_confirmation=True
            )
        if type(self).objects.superseding(self).exists():
            text = _("A newer event of the same object was already delivered. Confirm to send this one after it.")
            raise RedeliveryRefused(text, needs_confirmation=True)

    def _begin_round(
        self, trigger: AttemptTrigger, state: str, attempts: int, by, expected_attempts: int
    ) -> RedeliverableMixin | None:
        """Returns the log as it is queued now; None if it has changed since the person saw it."""
        stored = self._locked()
        if stored.is_queued or stored.state != self.state or (stored.attempt_count or 0) != expected_attempts:
            return None
        # Check again: this may have changed while we waited for the row. From here on, `prune` leaves the payload alone.
        if reason := stored.redelivery_error():
            raise RedeliveryRefused(reason)
        if stored.is_imported:
            stored.save_imported_attempt()
        stored.sequence = next_sequence(self.subscription_id)
        stored.priority, stored.trigger, stored.requested_by = Priority.REDELIVERY, trigger, by
        stored.state, stored.attempts_left, stored.next_attempt_at = state, attempts, Now()
        columns = [
            "sequence",
            "priority",
            "trigger",
            "requested_by",
            "attempts_left",
            "next_attempt_at",
            "state",
            "attempt_count",
        ]
        stored.save(update_fields=columns)
        self._notice_change()
        return stored

    def save_imported_attempt(self) -> None:
        """Store the outcome of an imported log as an attempt, because later outcomes overwrite it. Doesn't save the log."""
        attempt = self.attempts.model.of_cotalker(self)
        attempt.save()
        self.attempt_count = attempt.number

    def retry_now(self, *, by) -> bool:
        """Send a queued log without waiting for its time; False if it isn't queued. A paused queue sends it and stays paused."""
        with transaction.atomic():
            stored = self._locked()
            if not stored.is_queued:
                return False
            stored.next_attempt_at = Now()
            columns = ["next_attempt_at"]
            if stored.subscription.paused_at and stored.trigger == AttemptTrigger.AUTO:
                stored.trigger, stored.requested_by = AttemptTrigger.MANUAL, by
                stored.priority = min(stored.priority, Priority.REDELIVERY)
                columns += ["trigger", "requested_by", "priority"]
            stored.save(update_fields=columns)
            AuditEntry.record(by, AuditAction.RETRIED_NOW, self.pk)
            self._notice_change()
        return True

    def skip(self, *, by, reason: str) -> bool:
        """Take a log out of its queue, which continues with the next event. False if it's neither queued nor blocking the queue.

        A delivered log stays delivered: only its redelivery is cancelled. A redelivery with changes also keeps the log's state.
        """
        with transaction.atomic():
            stored = self._locked()
            is_blocking = self._queue().filter(blocking_log=self.pk).exists()
            if not stored.is_queued and not is_blocking:
                return False
            stored.next_attempt_at = None
            if not stored.is_success and (is_blocking or stored.trigger != AttemptTrigger.OVERRIDE):
                stored.state = State.SKIPPED
            stored.save(update_fields=["next_attempt_at", "state"])
            self.bulk_redelivery_items.mark_removed()
            if is_blocking:
                self._queue().update(**RESUMED_FIELDS)
            AuditEntry.record(by, AuditAction.SKIPPED, self.pk, reason)
            self._notice_change()
        return True

    def _locked(self) -> Any:
        """The log as stored now, locked until the transaction ends."""
        return type(self)._base_manager.select_for_update().get(pk=self.pk)

    def _notice_change(self) -> None:
        self._queue().update(queue_version=F("queue_version") + 1)
        notify_workers(self.subscription_id)

    def _queue(self) -> models.QuerySet:
        return self.subscription.__class__._base_manager.filter(pk=self.subscription_id)
