"""What cotadmin stores."""

from .attempt import Attempt
from .audit import AuditAction, AuditEntry
from .bulk_redelivery import (
    FIRST_STEP,
    LAST_STEP,
    WINDOW,
    Canary,
    Outcome,
    PauseReason,
    Run,
    RunEntry,
    RunState,
    Source,
    StaleChoice,
    Why,
)
from .bulk_skip import WaitingSkip
from .choices import AttemptTrigger, Cause, State, Turn
from .company import Company
from .credentials import AcceptedEvent, ApiToken, Door, UnmatchedCount
from .imports import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .log_counts import Cell, CellOfAll, DurationCell, DurationRollup, Rollup, RollupDelta, RollupOfAll
from .payload import Payload
from .queue import DUE_CHANNEL, RUN_BEGAN, take_position, wake
from .redeliverable import RedeliveryRefused
from .redelivery_override import Variant
from .refusals import RefusalCount, RefusalKind, RefusedEvent
from .retention import Retention
from .saved_view import SavedView
from .share_link import HandOff, HandOffState
from .sign_in import SignInTries
from .subscription import Subscription, Trigger
from .webhook_log import WebhookLog
from .worker import DeliveryCount, LaneGroup, Worker

__all__ = [
    "DUE_CHANNEL",
    "FIRST_STEP",
    "LAST_STEP",
    "RUN_BEGAN",
    "WINDOW",
    "AcceptedEvent",
    "ApiToken",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "Canary",
    "Cause",
    "Cell",
    "CellOfAll",
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
    "Outcome",
    "PauseReason",
    "Payload",
    "RedeliveryRefused",
    "RefusalCount",
    "RefusalKind",
    "RefusedDocument",
    "RefusedEvent",
    "Retention",
    "Rollup",
    "RollupDelta",
    "RollupOfAll",
    "Run",
    "RunEntry",
    "RunState",
    "SavedView",
    "SignInTries",
    "Source",
    "StaleChoice",
    "State",
    "Subscription",
    "Trigger",
    "Turn",
    "UnmatchedCount",
    "Variant",
    "WaitingSkip",
    "WebhookLog",
    "Why",
    "Worker",
    "take_position",
    "wake",
]
