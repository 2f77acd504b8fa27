"""The words for a log's state, the cause of its failure, what triggered an attempt, and its priority."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..cotalker import outcomes


class State(models.TextChoices):
    PENDING = "pending", _("Pending")
    RETRYING = "retrying", _("Retrying")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")


class Cause(models.TextChoices):
    """Why a delivery failed. The values are those of `cotalker.outcomes.Cause`."""

    TIMEOUT = outcomes.Cause.TIMEOUT, _("No answer in time")
    REFUSED = outcomes.Cause.REFUSED, _("Connection refused")
    DNS = outcomes.Cause.DNS, _("DNS lookup failed")
    TLS = outcomes.Cause.TLS, _("TLS error")
    RESET = outcomes.Cause.RESET, _("Connection reset")
    HTTP_4XX = outcomes.Cause.HTTP_4XX, _("Refused by the receiver (4xx)")
    HTTP_5XX = outcomes.Cause.HTTP_5XX, _("Error at the receiver (5xx)")
    REDIRECT = outcomes.Cause.REDIRECT, _("Redirected (3xx)")
    BLOCKED = outcomes.Cause.BLOCKED, _("Blocked by the destination check")
    OTHER = outcomes.Cause.OTHER, _("Other")


class AttemptTrigger(models.TextChoices):
    COTALKER = "cotalker", _("by Cotalker")  # the outcome in the imported document
    AUTO = "auto", _("automatic")
    MANUAL = "manual", _("redelivery")
    BULK = "bulk", _("bulk redelivery")
    OVERRIDE = "override", _("redelivery with changes")  # its `RedeliveryOverride` says what changed


class Priority(models.IntegerChoices):
    """Which event of a queue is sent first. Among events of the same priority, the sequence decides."""

    RETRY = 0, _("retry")
    REDELIVERY = 1, _("redelivery")
    NORMAL = 2, _("normal")
