"""A bulk redelivery (`Run`): many logs redelivered together, from the plan to the results.

An item (`RunEntry`) is one log of it: its state before, and its outcome.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .choices import Cause, State
from .company import Company
from .querysets import BulkRedeliveryItemQuerySet, BulkRedeliveryQuerySet
from .subscription import Subscription
from .webhook_log import WebhookLog


class SelectionSource(models.TextChoices):
    """Where the logs of a bulk redelivery come from."""

    FILTER = "filter", _("a log filter")
    CHOSEN = "chosen", _("logs selected one by one")
    IDS = "ids", _("a list of ids")
    STILL_FAILING = "still_failing", _("logs that still failed in another bulk redelivery")


class BulkRedeliveryState(models.TextChoices):
    PLANNING = "planning", _("Planning")
    PLANNED = "planned", _("Planned")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", _("Stopped")
    FINISHED = "finished", _("Finished")


class SupersededPolicy(models.TextChoices):
    """What to do with superseded logs: a newer event of the same object was already delivered."""

    LEAVE = "leave", _("exclude them")
    SEND = "send", _("send them too")
    REPAIR = "repair", _("send them, then redeliver the newest event of each object")


class RolloutPolicy(models.TextChoices):
    STEPS = "steps", _("one log per subscription, then 10 %, then the rest")
    ASK = "ask", _("one log per subscription, then wait for your confirmation")
    NONE = "none", _("all at once")


class PauseReason(models.TextChoices):
    PERSON = "person", _("paused by a user")
    CANARY_FAILED = "canary_failed", _("a log of the canary failed")
    CANARY_DONE = "canary_done", _("the canary was delivered; waiting for your confirmation")
    FAILURES = "failures", _("too many of the latest logs failed")
    ACCOUNT = "account", _("the user who started it is no longer allowed to redeliver")
    FAULT = "fault", _("an unexpected error")


FIRST_STAGE, LAST_STAGE = 1, 3
FAILURE_WINDOW = 50  # auto-pause counts failures among this many of the last logs


class Run(models.Model):
    source = models.CharField(_("source"), max_length=20, choices=SelectionSource)
    # The query string of the explorer's URL. It is frozen: the plan has the logs that it found at that time.
    query = models.TextField(_("filter"), blank=True)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+", verbose_name=_("previous bulk redelivery")
    )
    # Requested ids that don't exist or that the person may not see. Until planning ends: all requested ids.
    unknown = ArrayField(models.CharField(max_length=100), default=list)
    companies = models.ManyToManyField(Company, related_name="+", verbose_name=_("companies"))
    lanes = ArrayField(models.CharField(max_length=24), default=list)

    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=BulkRedeliveryState, default=BulkRedeliveryState.PLANNING
    )
    problem = models.CharField(max_length=500, blank=True)  # why it could not be planned
    stale_choice = models.CharField(
        _("superseded logs"), max_length=10, choices=SupersededPolicy, default=SupersededPolicy.LEAVE
    )
    sends_received = models.BooleanField(_("includes delivered logs"), default=False)
    canary = models.CharField(_("canary"), max_length=10, choices=RolloutPolicy, default=RolloutPolicy.STEPS)
    tries = models.PositiveSmallIntegerField(_("attempts per log"), default=1)
    rate = models.PositiveIntegerField(_("maximum logs per second"), null=True)
    failure_percent = models.PositiveSmallIntegerField(_("failure percentage for auto-pause"), default=20)

    step = models.SmallIntegerField(default=0)
    pause_reason = models.CharField(max_length=20, choices=PauseReason, blank=True)
    # Auto-pause ignores failures before this: a person saw them and resumed.
    judged_from = models.DateTimeField(null=True)
    # No more logs until then: the maximum rate is used up.
    fed_until = models.DateTimeField(null=True)

    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("planned by")
    )
    planned_at = models.DateTimeField(_("planned"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by")
    )
    started_at = models.DateTimeField(_("started"), null=True)
    # The last person to start or resume it. Logs are sent in their name, and only while they have the permission.
    responsible = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = BulkRedeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk redelivery")
        verbose_name_plural = _("bulk redeliveries")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BulkRedeliveryState.values), name="run_state_known"),
            models.CheckConstraint(condition=Q(tries__gte=1), name="run_tries"),
            models.CheckConstraint(condition=Q(rate=None) | Q(rate__gte=1), name="run_rate"),
            models.CheckConstraint(condition=Q(failure_percent__range=(0, 100)), name="run_failure_percent"),
        ]
        indexes = [
            models.Index(
                "id", name="run_open", condition=Q(state__in=[BulkRedeliveryState.RUNNING, BulkRedeliveryState.PAUSED])
            )
        ]

    def __str__(self) -> str:
        name = _("Bulk redelivery %(number)s") % {"number": self.pk}
        return f"{name} · {self.reason}" if self.reason else str(name)

    def get_absolute_url(self) -> str:
        return reverse("logs:bulk_redelivery_detail", args=[self.pk])

    @property
    def record_key(self) -> str:
        """The `about` of audit entries for this bulk redelivery."""
        return f"run {self.pk}"

    @property
    def is_plan(self) -> bool:
        return self.state in (BulkRedeliveryState.PLANNING, BulkRedeliveryState.PLANNED)

    @property
    def is_open(self) -> bool:
        return self.state in (BulkRedeliveryState.RUNNING, BulkRedeliveryState.PAUSED)

    @property
    def is_running(self) -> bool:
        return self.state == BulkRedeliveryState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == BulkRedeliveryState.PAUSED

    @property
    def has_ended(self) -> bool:
        return self.state in (BulkRedeliveryState.STOPPED, BulkRedeliveryState.FINISHED)


class ItemOutcome(models.TextChoices):
    PLANNED = "planned", _("Planned")
    LEFT_OUT = "left_out", _("Excluded")
    WAITING = "waiting", _("Waiting")
    QUEUED = "queued", _("Queued")
    SUCCEEDED = "succeeded", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")


class SkipReason(models.TextChoices):
    """Why a log was excluded from the plan, or skipped when it was about to be sent."""

    RECEIVED = "received", _("It was delivered.")
    STALE = "stale", _("A newer event of the same object was delivered.")
    DUE = "due", _("It is already in its queue and will be sent from there.")
    OTHER_RUN = "other_run", _("It is in another bulk redelivery that has not finished.")
    INACTIVE = "inactive", _("Its subscription is not active.")
    NO_URL = "no_url", _("Its subscription has no URL.")
    EXPIRED = "expired", _("Its payload has expired.")
    NOT_CHOSEN = "not_chosen", _("Its subscription was not selected.")
    INVISIBLE = "invisible", _("The person who started the bulk redelivery can no longer see this log.")
    TAKEN_OUT = "taken_out", _("It was taken out of its queue.")
    LANE_LEFT = "lane_left", _("Its subscription was excluded from the bulk redelivery.")
    STOPPED = "stopped", _("The bulk redelivery was stopped.")


_OPEN = Q(outcome__in=[ItemOutcome.WAITING, ItemOutcome.QUEUED])


class RunEntry(models.Model):
    """`number`: its order in the bulk redelivery, oldest first. `before_…`: the log's outcome at planning time.

    `attempt_number`: the last attempt that the bulk redelivery made, None if it made none.
    """

    run = models.ForeignKey(
        Run, models.CASCADE, related_name="entries", db_index=False, verbose_name=_("bulk redelivery")
    )
    log = models.ForeignKey(
        WebhookLog, models.CASCADE, related_name="run_entries", db_index=False, verbose_name=_("webhook log")
    )
    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    number = models.IntegerField(_("number"))
    step = models.SmallIntegerField(default=3)
    outcome = models.CharField(_("outcome"), max_length=10, choices=ItemOutcome)
    why = models.CharField(_("reason"), max_length=12, choices=SkipReason, blank=True)
    # A newer event of its object was already delivered at planning time.
    is_stale = models.BooleanField(_("superseded"), default=False)
    # It isn't sent if it is superseded by the time it would be sent.
    is_guarded = models.BooleanField(default=True)
    # The newest event of an object, redelivered after its superseded ones.
    is_repair = models.BooleanField(_("repair"), default=False)
    before_state = models.CharField(_("state before"), max_length=10, choices=State)
    before_status = models.IntegerField(_("status before"), null=True)
    before_cause = models.CharField(_("cause before"), max_length=10, choices=Cause, blank=True)
    queued_at = models.DateTimeField(_("queued"), null=True)
    settled_at = models.DateTimeField(_("finished"), null=True)
    attempt_number = models.IntegerField(_("attempt"), null=True)
    status = models.IntegerField(_("status"), null=True)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    fingerprint = models.CharField(max_length=120, blank=True)
    duration_ms = models.IntegerField(_("duration"), null=True)

    objects = BulkRedeliveryItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk redelivery item")
        verbose_name_plural = _("bulk redelivery items")
        ordering = ["run", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="run_entry_number"),
            models.UniqueConstraint(fields=["log"], name="run_entry_open", condition=_OPEN),
            models.CheckConstraint(condition=Q(outcome__in=ItemOutcome.values), name="run_entry_outcome_known"),
            models.CheckConstraint(condition=Q(why__in=["", *SkipReason.values]), name="run_entry_why_known"),
        ]
        indexes = [
            models.Index("run", "subscription", "outcome", "number", name="run_entry_next", condition=_OPEN),
            models.Index("run", "settled_at", name="run_entry_settled", condition=Q(settled_at__isnull=False)),
            models.Index("log", name="run_entry_of_log"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"
