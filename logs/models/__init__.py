"""What cotadmin stores."""

from .attempt import Attempt, AttemptTrigger
from .audit import AuditAction, AuditEntry
from .company import Company
from .imports import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .payload import Payload
from .subscription import Subscription, Trigger
from .webhook_log import DUE_CHANNEL, Cause, RedeliveryRefused, State, WebhookLog

__all__ = [
    "DUE_CHANNEL",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "Cause",
    "Company",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportState",
    "Payload",
    "RedeliveryRefused",
    "RefusedDocument",
    "State",
    "Subscription",
    "Trigger",
    "WebhookLog",
]
