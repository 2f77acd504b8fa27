"""A run: many logs that somebody has re-delivered together, from the plan to the ledger."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ..querysets import RunQuerySet
from .company import Company


class Source(models.TextChoices):
    """Where the logs of a run come from."""

    FILTER = "filter", _("a filter of the logs")
    CHOSEN = "chosen", _("logs chosen one by one")
    IDS = "ids", _("a list of ids")
    STILL_FAILING = "still_failing", _("what still failed of another run")


class RunState(models.TextChoices):
    PLANNING = "planning", _("Planning")
    PLANNED = "planned", _("Planned")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", _("Stopped")
    FINISHED = "finished", _("Finished")


class StaleChoice(models.TextChoices):
    """What becomes of logs whose object has a newer event that the receiver has already."""

    LEAVE = "leave", _("leave them out")
    SEND = "send", _("send them too")
    REPAIR = "repair", _("send them, then the newest event of each object again")


class Canary(models.TextChoices):
    STEPS = "steps", _("one log of each subscription, then 10 %, then the rest")
    ASK = "ask", _("one log of each subscription, then wait")
    NONE = "none", _("all at once")


class PauseReason(models.TextChoices):
    PERSON = "person", _("somebody paused it")
    CANARY_FAILED = "canary_failed", _("a log of the canary failed")
    CANARY_DONE = "canary_done", _("the canary was received, and the run waits for you")
    FAILURES = "failures", _("too many of the last logs failed")
    ACCOUNT = "account", _("who started it may not re-deliver any more")
    FAULT = "fault", _("an unexpected error")


FIRST_STEP, LAST_STEP = 1, 3
WINDOW = 50  # the last logs of a run, of which a share may fail


class Run(models.Model):
    source = models.CharField(_("from"), max_length=20, choices=Source)
    # What stands behind the `?` of the explorer's address; frozen, as what is planned are the logs that it found then.
    query = models.TextField(_("filter"), blank=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+", verbose_name=_("after the run"))
    # Ids that were asked for and are nobody's, or not of the person who asked. Until it is planned, all that were asked for.
    unknown = ArrayField(models.CharField(max_length=100), default=list)
    companies = models.ManyToManyField(Company, related_name="+", verbose_name=_("companies"))
    lanes = ArrayField(models.CharField(max_length=24), default=list)

    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=RunState, default=RunState.PLANNING)
    problem = models.CharField(max_length=500, blank=True)  # why it could not be planned
    stale_choice = models.CharField(_("stale logs"), max_length=10, choices=StaleChoice, default=StaleChoice.LEAVE)
    sends_received = models.BooleanField(_("sends what was received, too"), default=False)
    canary = models.CharField(_("canary"), max_length=10, choices=Canary, default=Canary.STEPS)
    tries = models.PositiveSmallIntegerField(_("tries of each log"), default=1)
    rate = models.PositiveIntegerField(_("logs in a second, at most"), null=True)
    failure_percent = models.PositiveSmallIntegerField(_("failures that pause it"), default=20)

    step = models.SmallIntegerField(default=0)
    pause_reason = models.CharField(max_length=20, choices=PauseReason, blank=True)
    # Failures before this were looked at by somebody, who let the run go on.
    judged_from = models.DateTimeField(null=True)
    # Until when the rate is used up.
    fed_until = models.DateTimeField(null=True)

    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("planned by")
    )
    planned_at = models.DateTimeField(_("planned"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by")
    )
    started_at = models.DateTimeField(_("started"), null=True)
    # Who started it or let it go on last: it is sent in their name, and only as long as they may.
    responsible = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("re-delivery run")
        verbose_name_plural = _("re-delivery runs")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(condition=Q(tries__gte=1), name="run_tries"),
            models.CheckConstraint(condition=Q(rate=None) | Q(rate__gte=1), name="run_rate"),
            models.CheckConstraint(condition=Q(failure_percent__range=(0, 100)), name="run_failure_percent"),
        ]
        indexes = [models.Index("id", name="run_open", condition=Q(state__in=[RunState.RUNNING, RunState.PAUSED]))]

    def __str__(self) -> str:
        name = _("Run %(number)s") % {"number": self.pk}
        return f"{name} · {self.reason}" if self.reason else str(name)

    def get_absolute_url(self) -> str:
        return reverse("logs:run_detail", args=[self.pk])

    @property
    def record_key(self) -> str:
        """What the entries of the record that are about this run have as `about`."""
        return f"run {self.pk}"

    @property
    def is_plan(self) -> bool:
        return self.state in (RunState.PLANNING, RunState.PLANNED)

    @property
    def is_open(self) -> bool:
        return self.state in (RunState.RUNNING, RunState.PAUSED)

    @property
    def is_running(self) -> bool:
        return self.state == RunState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == RunState.PAUSED

    @property
    def has_ended(self) -> bool:
        return self.state in (RunState.STOPPED, RunState.FINISHED)
