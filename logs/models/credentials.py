"""Credentials that let events in: inbound endpoints and API tokens. Also the recently accepted events."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from .company import Company
from .querysets import CompanyOwnedQuerySet


class Credential(models.Model):
    """A secret that lets events in. Only its SHA-256 is stored. `hint`: its last characters, so people can tell two apart."""

    name = models.CharField(_("name"), max_length=100)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(_("ends in"), max_length=4, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        editable=False,
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


class InboundEndpoint(Credential):
    """An inbound endpoint: the URL /webhooks/in/SECRET for Cotalker to post to. Its subscriptions have a URL, but no headers."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="inbound_endpoints", verbose_name=_("company"))

    objects = CompanyOwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("inbound endpoint")
        verbose_name_plural = _("inbound endpoints")
        ordering = ["-created_at", "-id"]


class ApiToken(Credential):
    """A bearer token for scripts that post events, bound to companies."""

    companies = models.ManyToManyField(
        Company,
        related_name="api_tokens",
        verbose_name=_("companies"),
        help_text=_("The token can only send events for these companies."),
    )

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-id"]


class AcceptedEvent(models.Model):
    """An event accepted in the last 24 hours. If it comes in again, no second log is created.

    `key`: the SHA-256 of the company and the Idempotency-Key, or of the company and the event if the request had no key.
    """

    key = models.CharField(primary_key=True, max_length=64)
    digest = models.CharField(max_length=64)
    logs = ArrayField(models.CharField(max_length=24))
    accepted_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index("accepted_at", name="accepted_event_age")]

    def __str__(self) -> str:
        return self.key


class UnmatchedCount(models.Model):
    """How many events matched no subscription on a day."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="+", verbose_name=_("company"))
    day = models.DateField(_("day"))
    event_type = models.CharField(_("event type"), max_length=60)
    action = models.CharField(_("action"), max_length=60)
    count = models.BigIntegerField(_("count"), default=0)

    objects = CompanyOwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("unmatched events")
        verbose_name_plural = _("unmatched events")
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(fields=["company", "day", "event_type", "action"], name="unmatched_count_unique")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.event_type} {self.action}: {self.count}"
