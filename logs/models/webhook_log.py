"""A webhook log: one event for one subscription, with its state and last outcome."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ..cotalker import objectid
from ..payloads.masking import masked_keys
from .choices import Cause, State
from .fields import JSONTextField, ObjectIdField
from .querysets import WebhookLogQuerySet
from .redeliverable import RedeliverableMixin
from .subscription import Subscription


class WebhookLog(RedeliverableMixin):
    id = ObjectIdField(_("id"), primary_key=True, default=objectid.new_objectid)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="logs", db_index=False, verbose_name=_("subscription")
    )
    company = ObjectIdField(
        _("company"), help_text=_("From the log itself; may differ from the subscription’s company.")
    )
    created_at = models.DateTimeField(_("created"))
    status = models.IntegerField(_("status"), null=True)
    attempt_count = models.IntegerField(_("attempts"), null=True)
    response = models.TextField(_("response"), null=True)
    extra = JSONTextField(_("other fields"), null=True, help_text=_("Fields of the document that have no column."))

    state = models.CharField(_("state"), max_length=10, choices=State)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=120, blank=True)
    event_type = models.CharField(_("event type"), max_length=60, blank=True)
    action = models.CharField(_("action"), max_length=60, blank=True)
    object_id = ObjectIdField(_("object id"), blank=True)
    object_name = models.CharField(_("object"), max_length=200, blank=True)
    duration_ms = models.IntegerField(_("duration"), null=True)
    search = SearchVectorField(_("search index"), help_text=_("The words of the response."), editable=False)
    is_test = models.BooleanField(_("test"), default=False, db_default=False, editable=False)

    objects = WebhookLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook log")
        verbose_name_plural = _("webhook logs")
        ordering = ["-created_at", "-id"]
        permissions = [
            ("redeliver_webhooklog", "Can redeliver webhook logs"),
            ("reveal_masked", "Can reveal masked values"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(id__regex=r"^[0-9a-f]{24}$"), name="webhooklog_id_is_objectid"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="webhooklog_state_known"),
            models.CheckConstraint(condition=Q(cause__in=["", *Cause.values]), name="webhooklog_cause_known"),
            models.CheckConstraint(
                condition=Q(next_attempt_at=None)
                | Q(sequence__isnull=False, priority__isnull=False, attempts_left__gt=0),
                name="webhooklog_queued_has_sequence",
            ),
        ]
        indexes = [
            # Each serves one query of the explorer, newest first. People look for failed logs every morning.
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
            # Finds out whether a newer event of an object was delivered (logs/delivery/superseded.py).
            models.Index(
                "subscription",
                "object_id",
                "created_at",
                name="log_delivered",
                condition=Q(state=State.DELIVERED) & ~Q(object_id=""),
            ),
            models.Index(
                "subscription", "priority", "sequence", name="log_queued", condition=Q(next_attempt_at__isnull=False)
            ),
            GinIndex("search", name="log_response_words"),
        ]

    def __str__(self) -> str:
        """The id, not the name: a name is part of the payload, and printed text may end up in a server's log."""
        return self.pk

    def get_absolute_url(self) -> str:
        return reverse("logs:webhook_log_detail", args=[self.pk])

    def get_cause_display(self) -> str:  # type: ignore[no-redef]
        """Like Django's own method, which goes through all choices for each row of a list."""
        return str(Cause(self.cause).label) if self.cause else ""

    @property
    def named_subscription(self) -> str:
        """The subscription's id in the log's document."""
        return self.subscription.named_id or self.subscription_id

    @property
    def title(self) -> str:
        """How pages call the log: by its object's name, unless names are masked here."""
        name = "" if masked_keys().matches("name") else self.object_name
        return name or self.object_id or self.pk

    @property
    def result(self) -> str:
        """Cotalker's word for its state; "" if it's neither delivered nor failed."""
        return {State.DELIVERED: "SUCCESS", State.FAILED: "FAILED"}.get(State(self.state), "")
