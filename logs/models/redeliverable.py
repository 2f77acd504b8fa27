"""A round: up to three tries of a log, 30 seconds apart. Every log that is due is in one; a re-delivery begins another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .audit import AuditAction, AuditEntry
from .choices import AttemptTrigger, Priority, State
from .queue import RESUMED_FIELDS, notify_workers, take_position

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

    from .redelivery_override import Variant


class RedeliveryRefused(Exception):
    """The log cannot be sent again now; the message tells a person why and what to do.

    `asks`: it can, once the person has confirmed that it is wanted.
    """

    def __init__(self, message: str | StrPromise, *, asks: bool = False) -> None:
        super().__init__(message)
        self.asks = asks


class RedeliverableMixin(models.Model):
    """The columns and verbs that a log has as part of a lane. Every verb says whether it won."""

    # Due means that next_attempt_at is set, whatever the state; turn and position are its place in the lane.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    turn = models.SmallIntegerField(choices=Priority, null=True, editable=False)
    # None: it was imported, never accepted nor sent here, and what it tells is Cotalker's outcome.
    position = models.BigIntegerField(null=True, editable=False)
    tries_left = models.SmallIntegerField(_("attempts left"), default=0, db_default=0, editable=False)
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
    run_entries: Any
    variants: Any
    state: str
    retry: int | None

    class Meta:
        abstract = True

    @property
    def is_success(self) -> bool:
        return self.state == State.SUCCEEDED

    @property
    def is_due(self) -> bool:
        return self.next_attempt_at is not None

    @property
    def is_between_attempts(self) -> bool:
        return self.is_due and self.turn == Priority.BETWEEN_TRIES

    @property
    def is_imported(self) -> bool:
        """Whether nothing was done with it here: its outcome is what Cotalker's document says."""
        return self.position is None

    def why_not_redeliverable(self) -> str | StrPromise:
        """The reason why nobody can send this log now, "" where it can be sent."""
        from .payload import Payload

        if not self.subscription.url:
            return _("Its subscription has no URL yet. Import the subscription, or give it a URL.")
        if not self.subscription.is_active:
            return _("Its subscription is not active. Activate it first.")
        if not Payload.objects.filter(pk=self.pk).exists():
            return _("Its payload has expired.")
        return ""

    def redeliver(self, *, by, expected_attempts: int, is_confirmed: bool = False) -> bool:
        """Queue a new round, ahead of what waits; False where that is queued or made already: a double click sends once.

        `expected_attempts` is the number of tries that the person saw. A log that was received, or of whose object a newer event
        was, needs `is_confirmed`.
        Raises RedeliveryRefused with the reason where it cannot be sent.
        """
        if reason := self.why_not_redeliverable():
            raise RedeliveryRefused(reason)
        if not is_confirmed:
            self._ask_to_confirm()
        state = State.SUCCEEDED if self.is_success else State.PENDING
        with transaction.atomic():
            begun = self._begin_round(
                AttemptTrigger.MANUAL, state, settings.DELIVERY_MAX_ATTEMPTS, by, expected_attempts
            )
        return begun is not None

    def redeliver_with_override(self, variant: Variant, *, expected_attempts: int) -> bool:
        """Queue one try as the variant says, which is stored with it; False where something is queued or was tried meanwhile.

        What the log tells stays as it is until its subscription receives something. Raises RedeliveryRefused.
        """
        with transaction.atomic():
            begun = self._begin_round(AttemptTrigger.VARIANT, self.state, 1, variant.made_by, expected_attempts)
            if begun is None:
                return False
            number = (begun.retry or 0) + 1
            self.variants.filter(number=number).delete()  # one that was taken out of its lane, unsent
            variant.log_id, variant.number = self.pk, number
            variant.save()
        return True

    def _ask_to_confirm(self) -> None:
        if self.is_success:
            raise RedeliveryRefused(_("This log was already delivered. Confirm to send it again."), asks=True)
        if type(self).objects.superseding(self).exists():
            text = _("A newer event of the same object was already delivered. Confirm to send this one after it.")
            raise RedeliveryRefused(text, asks=True)

    def _begin_round(
        self, trigger: AttemptTrigger, state: str, tries: int, by, expected_attempts: int
    ) -> RedeliverableMixin | None:
        """The log as it is queued now; None where it is not any more as the person saw it."""
        stored = self._locked()
        if stored.is_due or stored.state != self.state or (stored.retry or 0) != expected_attempts:
            return None
        # As it is now: it may have changed while the row was waited for. From here on `prune` leaves the payload alone.
        if reason := stored.why_not_redeliverable():
            raise RedeliveryRefused(reason)
        if stored.is_imported:
            stored.save_imported_attempt()
        stored.position = take_position(self.subscription_id)
        stored.turn, stored.trigger, stored.requested_by = Priority.REDELIVERY, trigger, by
        stored.state, stored.tries_left, stored.next_attempt_at = state, tries, Now()
        columns = ["position", "turn", "trigger", "requested_by", "tries_left", "next_attempt_at", "state", "retry"]
        stored.save(update_fields=columns)
        self._notice_change()
        return stored

    def save_imported_attempt(self) -> None:
        """Make an attempt of what an imported log tells, which later outcomes overwrite. Does not save the log."""
        attempt = self.attempts.model.of_cotalker(self)
        attempt.save()
        self.retry = attempt.number

    def retry_now(self, *, by) -> bool:
        """Send a due log without waiting for its time; False where it is not due. A lane on hold sends it and stays so."""
        with transaction.atomic():
            stored = self._locked()
            if not stored.is_due:
                return False
            stored.next_attempt_at = Now()
            columns = ["next_attempt_at"]
            if stored.subscription.held_at and stored.trigger == AttemptTrigger.AUTO:
                stored.trigger, stored.requested_by = AttemptTrigger.MANUAL, by
                stored.turn = min(stored.turn, Priority.REDELIVERY)
                columns += ["trigger", "requested_by", "turn"]
            stored.save(update_fields=columns)
            AuditEntry.record(by, AuditAction.RETRIED_NOW, self.pk)
            self._notice_change()
        return True

    def skip(self, *, by, reason: str) -> bool:
        """Take a log out of its lane, which goes on with the next; False where it does not stand in its way.

        What was received stays received: then only its re-delivery is given up. So it is with a variant, whatever the state.
        """
        with transaction.atomic():
            stored = self._locked()
            is_holding = self._lane().filter(held_log=self.pk).exists()
            if not stored.is_due and not is_holding:
                return False
            stored.next_attempt_at = None
            if not stored.is_success and (is_holding or stored.trigger != AttemptTrigger.VARIANT):
                stored.state = State.SKIPPED
            stored.save(update_fields=["next_attempt_at", "state"])
            self.run_entries.mark_removed()
            if is_holding:
                self._lane().update(**RESUMED_FIELDS)
            AuditEntry.record(by, AuditAction.SKIPPED, self.pk, reason)
            self._notice_change()
        return True

    def _locked(self) -> Any:
        """The log as it is stored now; nobody else changes it until the transaction ends."""
        return type(self)._base_manager.select_for_update().get(pk=self.pk)

    def _notice_change(self) -> None:
        self._lane().update(lane_version=F("lane_version") + 1)
        notify_workers(self.subscription_id)

    def _lane(self) -> models.QuerySet:
        return self.subscription.__class__._base_manager.filter(pk=self.subscription_id)
