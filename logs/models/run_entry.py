"""A line of a run's ledger: one log, what it was before, and what became of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..querysets import RunEntryQuerySet
from .run import Run
from .states import Cause, State
from .subscription import Subscription
from .webhook_log import WebhookLog


class Outcome(models.TextChoices):
    PLANNED = "planned", _("Planned")
    LEFT_OUT = "left_out", _("Left out")
    WAITING = "waiting", _("Waiting")
    QUEUED = "queued", _("In its lane")
    SUCCEEDED = "succeeded", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")


class Why(models.TextChoices):
    """Why a log was left out of the plan, or skipped when its turn came."""

    RECEIVED = "received", _("It was received.")
    STALE = "stale", _("A newer event of the same object was received.")
    DUE = "due", _("It stands in its lane already, and is sent from there.")
    OTHER_RUN = "other_run", _("It is in another run that has not ended.")
    INACTIVE = "inactive", _("Its subscription is not active.")
    NO_URL = "no_url", _("Its subscription has no URL.")
    EXPIRED = "expired", _("Its payload has expired.")
    NOT_CHOSEN = "not_chosen", _("Its subscription was not ticked.")
    INVISIBLE = "invisible", _("Who started the run may not see it any more.")
    TAKEN_OUT = "taken_out", _("Somebody took it out of its lane.")
    LANE_LEFT = "lane_left", _("Its subscription was taken out of the run.")
    STOPPED = "stopped", _("The run was stopped.")


_OPEN = Q(outcome__in=[Outcome.WAITING, Outcome.QUEUED])


class RunEntry(models.Model):
    """`number`: its place in the run, oldest first. `before_…`: as the log stood when it was planned.

    `attempt_number`: of the last try that the run made, None where it made none.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="entries", db_index=False, verbose_name=_("run"))
    log = models.ForeignKey(
        WebhookLog, models.CASCADE, related_name="run_entries", db_index=False, verbose_name=_("webhook log")
    )
    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    number = models.IntegerField(_("number"))
    step = models.SmallIntegerField(default=3)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    why = models.CharField(_("why"), max_length=12, choices=Why, blank=True)
    # A newer event of its object had been received when it was planned.
    is_stale = models.BooleanField(_("stale"), default=False)
    # It is not sent if that is so when its turn comes.
    is_guarded = models.BooleanField(default=True)
    # The newest event of an object, sent again after its stale ones.
    is_repair = models.BooleanField(_("repair"), default=False)
    before_state = models.CharField(_("state before"), max_length=10, choices=State)
    before_status = models.IntegerField(_("status before"), null=True)
    before_cause = models.CharField(_("cause before"), max_length=10, choices=Cause, blank=True)
    queued_at = models.DateTimeField(_("queued"), null=True)
    settled_at = models.DateTimeField(_("settled"), null=True)
    attempt_number = models.IntegerField(_("try"), null=True)
    status = models.IntegerField(_("status"), null=True)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    fingerprint = models.CharField(max_length=120, blank=True)
    duration_ms = models.IntegerField(_("duration"), null=True)

    objects = RunEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of a run")
        verbose_name_plural = _("entries of runs")
        ordering = ["run", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="run_entry_number"),
            models.UniqueConstraint(fields=["log"], name="run_entry_open", condition=_OPEN),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="run_entry_outcome_known"),
            models.CheckConstraint(condition=Q(why__in=["", *Why.values]), name="run_entry_why_known"),
        ]
        indexes = [
            models.Index("run", "subscription", "outcome", "number", name="run_entry_next", condition=_OPEN),
            models.Index("run", "settled_at", name="run_entry_settled", condition=Q(settled_at__isnull=False)),
            models.Index("log", name="run_entry_of_log"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"
