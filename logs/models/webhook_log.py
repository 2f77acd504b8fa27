"""A webhook log: one event for one subscription, with the state and the outcome of the attempt that settled it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .. import objectid
from ..delivery import policy
from ..masked_keys import masked_keys
from ..querysets import WebhookLogQuerySet
from .fields import JSONTextField, ObjectIdField
from .payload import Payload
from .subscription import Subscription

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

DUE_CHANNEL = "cotadmin_due"


class State(models.TextChoices):
    PENDING = "pending", _("Pending")
    RETRYING = "retrying", _("Retrying")
    SUCCEEDED = "succeeded", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")


class Cause(models.TextChoices):
    """Why a delivery failed; the values are those of delivery.policy."""

    TIMEOUT = policy.Cause.TIMEOUT, _("No answer in time")
    REFUSED = policy.Cause.REFUSED, _("Connection refused")
    DNS = policy.Cause.DNS, _("Name not found")
    TLS = policy.Cause.TLS, _("Certificate or encryption")
    RESET = policy.Cause.RESET, _("Connection broken off")
    HTTP_4XX = policy.Cause.HTTP_4XX, _("Refused by the receiver (4xx)")
    HTTP_5XX = policy.Cause.HTTP_5XX, _("Error at the receiver (5xx)")
    REDIRECT = policy.Cause.REDIRECT, _("Redirected elsewhere")
    BLOCKED = policy.Cause.BLOCKED, _("Blocked by the guard")
    OTHER = policy.Cause.OTHER, _("Something else")


class RedeliveryRefused(Exception):
    """The log cannot be sent again now; the message tells a person why and what to do."""


class WebhookLog(models.Model):
    id = ObjectIdField(_("id"), primary_key=True, default=objectid.new)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="logs", db_index=False, verbose_name=_("subscription")
    )
    company = ObjectIdField(_("company"), help_text=_("As the log says; it may differ from the subscription's."))
    created_at = models.DateTimeField(_("created"))
    status = models.IntegerField(_("status"), null=True)
    retry = models.IntegerField(_("tries"), null=True)
    response = models.TextField(_("response"), null=True)
    extra = JSONTextField(_("other fields"), null=True, help_text=_("What the document holds beyond the columns."))

    state = models.CharField(_("state"), max_length=10, choices=State)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=120, blank=True)
    event_type = models.CharField(_("event type"), max_length=60, blank=True)
    action = models.CharField(_("action"), max_length=60, blank=True)
    object_id = ObjectIdField(_("object id"), blank=True)
    object_name = models.CharField(_("object"), max_length=200, blank=True)
    duration_ms = models.IntegerField(_("duration"), null=True)
    search = SearchVectorField(_("search index"), help_text=_("The words of the response."), editable=False)

    # Due means that next_attempt_at is set, whatever the state; position is its place in the lane.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    position = models.BigIntegerField(null=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("re-delivery asked for by"),
    )

    objects = WebhookLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook log")
        verbose_name_plural = _("webhook logs")
        ordering = ["-created_at", "-id"]
        permissions = [
            ("redeliver_webhooklog", "Can re-deliver webhook logs"),
            ("reveal_masked", "Can reveal masked values"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(id__regex=r"^[0-9a-f]{24}$"), name="webhooklog_id_is_objectid"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="webhooklog_state_known"),
            models.CheckConstraint(condition=Q(cause__in=["", *Cause.values]), name="webhooklog_cause_known"),
            models.CheckConstraint(
                condition=Q(next_attempt_at=None) | Q(position__isnull=False), name="webhooklog_due_has_position"
            ),
        ]
        indexes = [
            # Each serves one question of the explorer, newest first; "failed" is the question of every morning.
            models.Index(F("created_at").desc(), F("id").desc(), name="log_newest"),
            models.Index("subscription", F("created_at").desc(), F("id").desc(), name="log_of_subscription"),
            models.Index(
                "subscription",
                F("created_at").desc(),
                F("id").desc(),
                name="log_failed",
                condition=Q(state=State.FAILED),
            ),
            models.Index("object_id", F("created_at").desc(), name="log_of_object", condition=~Q(object_id="")),
            models.Index("subscription", "position", name="log_due", condition=Q(next_attempt_at__isnull=False)),
            GinIndex("search", name="log_response_words"),
        ]

    def __str__(self) -> str:
        """The id: a name is part of the payload, and what is printed may end in a server's log."""
        return self.pk

    def get_absolute_url(self) -> str:
        return reverse("logs:webhook_log_detail", args=[self.pk])

    @property
    def title(self) -> str:
        """What the log is called on the screen: its object's name, unless names are masked here."""
        name = "" if masked_keys().matches("name") else self.object_name
        return name or self.object_id or self.pk

    @property
    def is_due(self) -> bool:
        return self.next_attempt_at is not None

    @property
    def is_success(self) -> bool:
        return self.state == State.SUCCEEDED

    @property
    def result(self) -> str:
        """Cotalker's word for it, "" while it is not settled."""
        return {State.SUCCEEDED: "SUCCESS", State.FAILED: "FAILED"}.get(State(self.state), "")

    def why_not_redeliverable(self) -> str | StrPromise:
        """The reason why nobody can send this log now, "" where it can be sent."""
        if not self.subscription.url:
            return _("Its subscription has no URL yet. Import the subscription, or give it a URL.")
        if not self.subscription.is_active:
            return _("Its subscription is not active. Activate it first.")
        if not Payload.objects.filter(pk=self.pk).exists():
            return _("Its payload has expired.")
        return ""

    def redeliver(self, *, by, after_try: int, is_confirmed: bool = False) -> bool:
        """Queue one more attempt; False where that is queued or made already, so that a double click sends once.

        `after_try` is the number of tries that the person saw. A log that was received needs `is_confirmed`.
        Raises RedeliveryRefused with the reason where it cannot be sent.
        """
        if reason := self.why_not_redeliverable():
            raise RedeliveryRefused(reason)
        if self.is_success and not is_confirmed:
            raise RedeliveryRefused(_("This log was received. Confirm that it is to be sent again."))
        with transaction.atomic():
            Subscription.objects.filter(pk=self.subscription_id).update(last_position=F("last_position") + 1)
            position = Subscription.objects.values_list("last_position", flat=True).get(pk=self.subscription_id)
            waiting = WebhookLog.objects.filter(pk=self.pk, next_attempt_at=None, state=self.state)
            tried = Q(retry=after_try) | (Q(retry=None) if after_try == 0 else Q())
            is_queued = waiting.filter(tried).update(
                next_attempt_at=Now(),
                position=position,
                requested_by=by,
                state=State.SUCCEEDED if self.is_success else State.PENDING,
            )
            if is_queued:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_notify(%s, '')", [DUE_CHANNEL])
        return bool(is_queued)
