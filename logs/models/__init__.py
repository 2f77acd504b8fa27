"""What cotadmin stores."""

from .attempt import Attempt
from .audit import AuditAction, AuditEntry
from .company import Company
from .hand_off import HandOff, HandOffState
from .imports import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .ingest import AcceptedEvent, ApiToken, Door, UnmatchedCount
from .lane import DUE_CHANNEL, take_positions, wake
from .payload import Payload
from .retention import Retention
from .rollup import Cell, DurationCell, DurationRollup, Rollup, RollupDelta
from .round import RedeliveryRefused
from .saved_view import SavedView
from .states import AttemptTrigger, Cause, State, Turn
from .subscription import Subscription, Trigger
from .webhook_log import WebhookLog
from .worker import DeliveryCount, LaneGroup, Worker

__all__ = [
    "DUE_CHANNEL",
    "AcceptedEvent",
    "ApiToken",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "Cause",
    "Cell",
    "Company",
    "DeliveryCount",
    "Door",
    "DurationCell",
    "DurationRollup",
    "HandOff",
    "HandOffState",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportState",
    "LaneGroup",
    "Payload",
    "RedeliveryRefused",
    "RefusedDocument",
    "Retention",
    "Rollup",
    "RollupDelta",
    "SavedView",
    "State",
    "Subscription",
    "Trigger",
    "Turn",
    "UnmatchedCount",
    "WebhookLog",
    "Worker",
    "take_positions",
    "wake",
]
