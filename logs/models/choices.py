"""The words that are stored and that several modules share: what an event is about, states, outcomes, and their reasons."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..cotalker import outcomes


class State(models.TextChoices):
    PENDING = "pending", _("Pending")
    RETRYING = "retrying", _("Retrying")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    # A person decided that it need not be sent: a newer event of its object was delivered.
    SUPERSEDED = "superseded", _("Superseded")


OPEN_STATES = [State.PENDING, State.RETRYING]
FINISHED_STATES = [State.DELIVERED, State.FAILED, State.SKIPPED, State.SUPERSEDED]


class EventType(models.TextChoices):
    """What an event is about, in Cotalker's words. Cotalker may add types and actions."""

    USER = "COTUser", _("User")
    TASK = "COTTask", _("Task")
    SURVEY = "COTSurvey", _("Survey")
    PROPERTY = "COTProperty", _("Element")
    NOTE = "COTNote", _("Note")
    SESSION = "Auth", _("Session")


class EventAction(models.TextChoices):
    CREATE = "create", _("create")
    EDIT = "edit", _("edit")
    DELETE = "delete", _("delete")
    LOGOUT = "logout", _("logout")


# What happened, for each pair of type and action that Cotalker sends.
EVENT_LABELS: dict[tuple[str, str], Any] = {
    (EventType.USER, EventAction.CREATE): _("User created"),
    (EventType.USER, EventAction.EDIT): _("User edited"),
    (EventType.USER, EventAction.DELETE): _("User deleted"),
    (EventType.TASK, EventAction.CREATE): _("Task created"),
    (EventType.TASK, EventAction.EDIT): _("Task edited"),
    (EventType.TASK, EventAction.DELETE): _("Task deleted"),
    (EventType.SURVEY, EventAction.CREATE): _("Survey created"),
    (EventType.SURVEY, EventAction.EDIT): _("Survey edited"),
    (EventType.SURVEY, EventAction.DELETE): _("Survey deleted"),
    (EventType.PROPERTY, EventAction.CREATE): _("Element created"),
    (EventType.PROPERTY, EventAction.EDIT): _("Element edited"),
    (EventType.PROPERTY, EventAction.DELETE): _("Element deleted"),
    (EventType.NOTE, EventAction.CREATE): _("Note created"),
    (EventType.NOTE, EventAction.EDIT): _("Note edited"),
    (EventType.NOTE, EventAction.DELETE): _("Note deleted"),
    (EventType.SESSION, EventAction.LOGOUT): _("User logged out"),
}


class Trigger(models.TextChoices):
    """What fires a subscription, in Cotalker's words."""

    USER = "create-edit-delete-user", _("User created, edited or deleted")
    TASK = "create-edit-delete-task", _("Task created, edited or deleted")
    SURVEY = "create-edit-delete-survey", _("Survey created, edited or deleted")
    PROPERTY = "create-edit-delete-property", _("Element created, edited or deleted")
    NOTE = "create-edit-delete-note", _("Note edited")
    LOGOUT = "logout-user", _("User logged out")


TYPE_OF_TRIGGER: dict[str, EventType] = {
    Trigger.USER: EventType.USER,
    Trigger.TASK: EventType.TASK,
    Trigger.SURVEY: EventType.SURVEY,
    Trigger.PROPERTY: EventType.PROPERTY,
    Trigger.NOTE: EventType.NOTE,
    Trigger.LOGOUT: EventType.SESSION,
}


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


class BulkRedeliveryState(models.TextChoices):
    PLANNING = "planning", _("Planning")
    PLANNED = "planned", _("Planned")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", _("Stopped")
    FINISHED = "finished", _("Finished")


OPEN_BULK_STATES = [BulkRedeliveryState.RUNNING, BulkRedeliveryState.PAUSED]
ENDED_BULK_STATES = [BulkRedeliveryState.STOPPED, BulkRedeliveryState.FINISHED]


class ItemOutcome(models.TextChoices):
    PLANNED = "planned", _("Planned")
    EXCLUDED = "excluded", _("Excluded")
    WAITING = "waiting", _("Waiting")
    QUEUED = "queued", _("Queued")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")


OPEN_OUTCOMES = [ItemOutcome.WAITING, ItemOutcome.QUEUED]


class SkipReason(models.TextChoices):
    """Why a log was excluded from the plan, or skipped when it was about to be sent."""

    DELIVERED = "delivered", _("It was delivered.")
    SUPERSEDED = "superseded", _("A newer event of the same object was delivered.")
    QUEUED = "queued", _("It is already in its queue and will be sent from there.")
    OTHER_BULK_REDELIVERY = "other_bulk_redelivery", _("It is in another bulk redelivery that has not finished.")
    INACTIVE = "inactive", _("Its subscription is not active.")
    NO_URL = "no_url", _("Its subscription has no URL.")
    EXPIRED = "expired", _("Its payload has expired.")
    NOT_SELECTED = "not_selected", _("Its subscription was not selected.")
    INVISIBLE = "invisible", _("The person who started the bulk redelivery can no longer see this log.")
    REMOVED = "removed", _("It was taken out of its queue.")
    SUBSCRIPTION_EXCLUDED = "subscription_excluded", _("Its subscription was excluded from the bulk redelivery.")
    STOPPED = "stopped", _("The bulk redelivery was stopped.")


class ImportState(models.TextChoices):
    WAITING = "waiting", _("Waiting for a worker")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


FINISHED_IMPORT_STATES = [ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED]


class ShareLinkState(models.TextChoices):
    """`SUSPENDED`: its creator may no longer share the log (docs/adr/0017-hand-off.md)."""

    OPEN = "open", _("Open")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")
    SUSPENDED = "suspended", _("Suspended")
