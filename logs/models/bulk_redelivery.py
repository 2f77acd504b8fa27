"""A bulk redelivery: many logs redelivered together, from the plan to the results.

An item is one log of it: its state before, and its outcome.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .choices import (
    ENDED_BULK_STATES,
    OPEN_BULK_STATES,
    OPEN_OUTCOMES,
    BulkRedeliveryState,
    Cause,
    ItemOutcome,
    SkipReason,
    State,
)
from .company import Company
from .incident import Incident
from .querysets import BulkRedeliveryItemQuerySet, BulkRedeliveryQuerySet
from .subscription import Subscription
from .webhook_log import WebhookLog


class SelectionSource(models.TextChoices):
    """Where the logs of a bulk redelivery come from."""

    FILTER = "filter", _("a log filter")
    SELECTED = "selected", _("logs selected one by one")
    IDS = "ids", _("a list of ids")
    STILL_FAILING = "still_failing", _("logs that still failed in another bulk redelivery")
    INCIDENT = "incident", _("an incident")


class SupersededPolicy(models.TextChoices):
    """What to do with superseded logs: a newer event of the same object was already delivered."""

    EXCLUDE = "exclude", _("exclude them")
    SEND = "send", _("send them too")
    RESEND_LATEST = "resend_latest", _("send them, then redeliver the newest event of each object")


class RolloutPolicy(models.TextChoices):
    STAGES = "stages", _("one log per subscription, then 10 %, then the rest")
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
MAX_UNKNOWN_IDS = 100  # unknown ids that are kept, to be shown
FAILURE_WINDOW = 50  # auto-pause counts failures among this many of the last logs


class BulkRedelivery(models.Model):
    source = models.CharField(_("source"), max_length=20, choices=SelectionSource)
    # The query string of the explorer's URL. It is frozen: the plan has the logs that it found at that time.
    query = models.TextField(_("filter"), blank=True)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+", verbose_name=_("previous bulk redelivery")
    )
    incident = models.ForeignKey(
        Incident, models.SET_NULL, null=True, related_name="bulk_redeliveries", verbose_name=_("incident")
    )
    # Requested ids that don't exist or that the person may not see. Until planning ends: all requested ids.
    unknown = ArrayField(models.CharField(max_length=100), default=list)
    companies = models.ManyToManyField(Company, related_name="+", verbose_name=_("companies"))
    # The ids of the subscriptions that were selected in the plan.
    selected_subscriptions = ArrayField(models.CharField(max_length=24), default=list)

    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=BulkRedeliveryState, default=BulkRedeliveryState.PLANNING
    )
    problem = models.CharField(max_length=500, blank=True)  # why it could not be planned
    superseded_policy = models.CharField(
        _("superseded logs"), max_length=20, choices=SupersededPolicy, default=SupersededPolicy.EXCLUDE
    )
    includes_delivered = models.BooleanField(_("includes delivered logs"), default=False)
    rollout = models.CharField(_("canary"), max_length=10, choices=RolloutPolicy, default=RolloutPolicy.STAGES)
    max_attempts = models.PositiveSmallIntegerField(_("attempts per log"), default=1)
    rate = models.PositiveIntegerField(_("maximum logs per second"), null=True)
    failure_percent = models.PositiveSmallIntegerField(_("failure percentage for auto-pause"), default=20)

    stage = models.SmallIntegerField(default=0)
    pause_reason = models.CharField(max_length=20, choices=PauseReason, blank=True)
    # Auto-pause ignores failures before this: a person saw them and resumed.
    failures_counted_from = models.DateTimeField(null=True)
    # No more logs until then: the maximum rate is used up.
    rate_limited_until = models.DateTimeField(null=True)

    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("planned by")
    )
    planned_at = models.DateTimeField(_("planned"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by")
    )
    started_at = models.DateTimeField(_("started"), null=True)
    # The last person to start or resume it. Logs are sent in their name, and only while they have the permission.
    acting_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = BulkRedeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk redelivery")
        verbose_name_plural = _("bulk redeliveries")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BulkRedeliveryState.values), name="bulk_state_known"),
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="bulk_max_attempts"),
            models.CheckConstraint(condition=Q(rate=None) | Q(rate__gte=1), name="bulk_rate"),
            models.CheckConstraint(condition=Q(failure_percent__range=(0, 100)), name="bulk_failure_percent"),
        ]
        indexes = [models.Index("id", name="bulk_open", condition=Q(state__in=OPEN_BULK_STATES))]

    def __str__(self) -> str:
        name = _("Bulk redelivery %(number)s") % {"number": self.pk}
        return f"{name} · {self.reason}" if self.reason else str(name)

    def get_absolute_url(self) -> str:
        return reverse("logs:bulk_redelivery_detail", args=[self.pk])

    @property
    def audit_target(self) -> str:
        """The `target` of audit entries for this bulk redelivery."""
        return f"bulk {self.pk}"

    @property
    def has_more_unknown(self) -> bool:
        """Whether more ids may be unknown than were kept."""
        return len(self.unknown) >= MAX_UNKNOWN_IDS

    @property
    def is_plan(self) -> bool:
        return self.state in (BulkRedeliveryState.PLANNING, BulkRedeliveryState.PLANNED)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_BULK_STATES

    @property
    def is_running(self) -> bool:
        return self.state == BulkRedeliveryState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == BulkRedeliveryState.PAUSED

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_BULK_STATES


_OPEN = Q(outcome__in=OPEN_OUTCOMES)


class BulkRedeliveryItem(models.Model):
    """`number`: its order in the bulk redelivery, oldest first. `before_…`: the log's outcome at planning time.

    `attempt_number`: the last attempt that the bulk redelivery made, None if it made none.
    """

    bulk_redelivery = models.ForeignKey(
        BulkRedelivery, models.CASCADE, related_name="items", db_index=False, verbose_name=_("bulk redelivery")
    )
    log = models.ForeignKey(
        WebhookLog, models.CASCADE, related_name="bulk_redelivery_items", db_index=False, verbose_name=_("webhook log")
    )
    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    number = models.IntegerField(_("number"))
    stage = models.SmallIntegerField(default=3)
    outcome = models.CharField(_("outcome"), max_length=10, choices=ItemOutcome)
    skip_reason = models.CharField(_("reason"), max_length=30, choices=SkipReason, blank=True)
    # A newer event of its object was already delivered at planning time.
    is_superseded = models.BooleanField(_("superseded"), default=False)
    # It isn't sent if it is superseded by the time it would be sent.
    recheck_superseded = models.BooleanField(default=True)
    # The newest event of an object, redelivered after its superseded ones.
    is_latest_resend = models.BooleanField(_("newest event, sent again"), default=False)
    before_state = models.CharField(_("state before"), max_length=10, choices=State)
    before_status = models.IntegerField(_("status before"), null=True)
    before_cause = models.CharField(_("cause before"), max_length=10, choices=Cause, blank=True)
    queued_at = models.DateTimeField(_("queued"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    attempt_number = models.IntegerField(_("attempt"), null=True)
    status = models.IntegerField(_("status"), null=True)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    fingerprint = models.CharField(max_length=120, blank=True)
    duration_ms = models.IntegerField(_("duration"), null=True)

    objects = BulkRedeliveryItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk redelivery item")
        verbose_name_plural = _("bulk redelivery items")
        ordering = ["bulk_redelivery", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["bulk_redelivery", "number"], name="bulk_item_number"),
            models.UniqueConstraint(fields=["log"], name="bulk_item_open", condition=_OPEN),
            models.CheckConstraint(condition=Q(outcome__in=ItemOutcome.values), name="bulk_item_outcome_known"),
            models.CheckConstraint(
                condition=Q(skip_reason__in=["", *SkipReason.values]), name="bulk_item_reason_known"
            ),
        ]
        indexes = [
            models.Index(
                "bulk_redelivery", "subscription", "outcome", "number", name="bulk_item_next", condition=_OPEN
            ),
            models.Index(
                "bulk_redelivery", "finished_at", name="bulk_item_finished", condition=Q(finished_at__isnull=False)
            ),
            models.Index("log", name="bulk_item_of_log"),
        ]

    def __str__(self) -> str:
        return f"{self.bulk_redelivery_id}/{self.number}"
