"""An incident: the failures of one receiver that belong together, from the first one until everything is green again.

The worker opens, continues and resolves incidents (`logs/incidents`). People acknowledge, assign and ignore them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .choices import Cause, State
from .company import Company
from .fields import ObjectIdField
from .querysets import IncidentQuerySet
from .webhook_log import WebhookLog


class IncidentState(models.TextChoices):
    """What people see. `IGNORED` and `ACKNOWLEDGED` are unresolved incidents that a person has seen."""

    OPEN = "open", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    IGNORED = "ignored", _("Ignored until it changes")
    RESOLVED = "resolved", _("Resolved")


class Incident(models.Model):
    """`receiver`: the host and port of the failing URLs, or the id of a subscription without a URL.

    `recovered_at`: since when the receiver works again; None while it fails. `resolved_at`: when it had recovered and no log of
    it was failed or in a queue any more, or a week after it recovered. The counts of its logs are by their current state.
    """

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="incidents", db_index=False, verbose_name=_("company")
    )
    receiver = models.CharField(_("receiver"), max_length=300)
    subscription_ids = ArrayField(models.CharField(max_length=24), default=list)
    causes = ArrayField(models.CharField(max_length=10, choices=Cause), default=list)  # newest first
    started_at = models.DateTimeField(_("since"))
    last_failed_at = models.DateTimeField(_("last failure"))
    recovered_at = models.DateTimeField(_("recovered"), null=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    first_log = ObjectIdField()
    last_log = ObjectIdField()

    failed_count = models.IntegerField(default=0)
    queued_count = models.IntegerField(default=0)
    delivered_count = models.IntegerField(default=0)
    superseded_count = models.IntegerField(default=0)
    skipped_count = models.IntegerField(default=0)

    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("acknowledged by")
    )
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_until = models.DateTimeField(null=True)  # None: until it is resolved
    ignored_at = models.DateTimeField(null=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("assignee")
    )

    objects = IncidentQuerySet.as_manager()

    subscriptions: list[Any]  # those that a user may see; set by incidents.listing

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-id"]
        default_permissions = ()
        indexes = [
            models.Index("company", "receiver", F("started_at").desc(), name="incident_of_receiver"),
            models.Index("company", "id", name="incident_unresolved", condition=Q(resolved_at=None)),
            models.Index("company", F("last_failed_at").desc(), F("id").desc(), name="incident_newest"),
        ]

    def __str__(self) -> str:
        return str(_("Incident %(number)s") % {"number": self.pk})

    def get_absolute_url(self) -> str:
        return reverse("logs:incident_detail", args=[self.pk])

    @property
    def is_failing(self) -> bool:
        return self.recovered_at is None and self.resolved_at is None

    @property
    def is_acknowledged(self) -> bool:
        return self.is_acknowledged_at(timezone.now())

    def is_acknowledged_at(self, moment: datetime) -> bool:
        if self.acknowledged_at is None:
            return False
        return self.acknowledged_until is None or self.acknowledged_until > moment

    @property
    def state(self) -> IncidentState:
        if self.resolved_at is not None:
            return IncidentState.RESOLVED
        if self.ignored_at is not None:
            return IncidentState.IGNORED
        return IncidentState.ACKNOWLEDGED if self.is_acknowledged else IncidentState.OPEN

    @property
    def log_count(self) -> int:
        """All logs that ever failed in it."""
        return self.failed_count + self.queued_count + self.delivered_count + self.superseded_count + self.skipped_count

    @property
    def receiver_name(self) -> str:
        """The host, or what there is instead if its subscription has no URL."""
        return str(_("a subscription without URL")) if self.receiver in self.subscription_ids else self.receiver

    @property
    def cause_label(self) -> str | Promise:
        """The cause of its newest failure, in words."""
        return Cause(self.causes[0]).label if self.causes else Cause.OTHER.label


class IncidentLog(models.Model):
    """A log of an incident: it failed in it at least once. `state`: the log's state when the worker last counted it."""

    # Without a constraint: a log that is deleted while the worker counts must stop neither.
    log = models.OneToOneField(
        WebhookLog, models.CASCADE, primary_key=True, related_name="incident_log", db_constraint=False
    )
    incident = models.ForeignKey(Incident, models.CASCADE, related_name="incident_logs", db_index=False)
    state = models.CharField(max_length=10, choices=State)

    class Meta:
        verbose_name = _("log of an incident")
        verbose_name_plural = _("logs of incidents")
        default_permissions = ()
        indexes = [models.Index("incident", "state", "log", name="incident_log_state")]

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.log_id}"


class IncidentInbox(models.Model):
    """The ids of logs that a trigger noted for the worker: they failed, or belong to an incident and changed."""

    log_id = ObjectIdField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.log_id


class IncidentEntry(models.Model):
    """An entry of an incident's timeline: what the worker found, or what a person did or noted."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("first failure")
        RECOVERED = "recovered", _("the receiver recovered")
        FAILED_AGAIN = "failed_again", _("failing again")
        RESOLVED = "resolved", _("resolved: nothing is failed any more")
        LEFT = "left", _("closed: its failed logs were left for a week")
        REOPENED = "reopened", _("reopened")
        CHANGED = "changed", _("no longer ignored: it has changed")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        UNACKNOWLEDGED = "unacknowledged", _("acknowledgement taken back")
        ASSIGNED = "assigned", _("assigned")
        IGNORED = "ignored", _("ignored until it changes")
        NOT_IGNORED = "not_ignored", _("no longer ignored")
        CHECKED = "checked", _("receiver checked")
        NOTE = "note", _("note")

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="entries", db_index=False)
    at = models.DateTimeField(_("time"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    text = models.CharField(_("text"), max_length=1000, blank=True)
    until = models.DateTimeField(null=True)  # of an acknowledgement

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        ordering = ["at", "id"]
        default_permissions = ()
        indexes = [models.Index("incident", "at", name="incident_entry_at")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.get_kind_display()}"
